"""Checks of the exercises of chapter 13, representation learning: 4 + 3 + 3 = 10 points."""

import math
from itertools import permutations

import torch
from torch import Tensor

from genedu.checks import Mistake, Outcome, close, diagnose, judge, parts, tensor
from genedu.core import seeded
from genedu.handle import Handle

ANSWERS = ("adversarial/info_gan.py", "metrics/codes.py")  # not there while graded


def information_bound(handle: Handle) -> list[Outcome]:
    """13.1: (logits [n, K], c [n]) -> L."""
    with seeded(handle.seed):
        c = torch.randint(5, (40,))
        logits = torch.randn(40, 5).double() + 2 * torch.nn.functional.one_hot(c, 5) + 1.5

    def ask(logits: Tensor, c: Tensor) -> Mistake | None:
        got = handle.call({"logits": logits, "c": c})
        k, rows, wide = logits.shape[1], torch.arange(len(c)), logits.double()
        log_q = wide.log_softmax(1)
        told, entropy = log_q[rows, c].mean(), math.log(k)
        right = told + entropy
        p = log_q.exp()
        counted = torch.bincount(c, minlength=k).double() / len(c)
        mistakes = {
            Mistake("entropy forgotten", "without H(c) it is never above 0: information cannot be less than 0"): told,
            Mistake("sign", "a better Q must give a larger bound"): -told + entropy,
            Mistake("a loss", "this is a loss to descend, the bound itself is wanted"): -right,
            Mistake("entropy subtracted", "look at the sign before H(c)"): told - entropy,
            Mistake("not normalised", "Q's probabilities of one picture must add up to 1"): wide[rows, c].mean() + entropy,
            Mistake("softmax twice", "log Q is too flat: is something normalised that is so already?"): p.log_softmax(1)[
                rows, c
            ].mean()
            + entropy,
            Mistake("no logarithm", "these are probabilities: eq. (1) averages nats"): p[rows, c].mean() + entropy,
            Mistake("logarithm outside", "is it the logarithm of an average, or the average of logarithms?"): p[rows, c]
            .mean()
            .log()
            + entropy,
            Mistake("sum over pictures", "twice as many pictures must not tell twice as much"): log_q[rows, c].sum() + entropy,
            Mistake("bits", "this is in bits"): right / math.log(2),
            Mistake("entropy in bits", "one part is in bits and the other in nats"): told + math.log2(k),
            Mistake("number of pictures", "H(c) depends on the number of categories, not on that of pictures"): told
            + math.log(len(c)),
            Mistake("normalised over pictures", "which of the two axes is to add up to 1?"): wide.log_softmax(0)[rows, c].mean()
            + entropy,
            Mistake("entropy of Q", "this averages over Q's own answers: which category was the generator given?"): (p * log_q)
            .sum(1)
            .mean()
            + entropy,
            Mistake("best guess", "Q's own favourite is scored: which one did the generator get?"): log_q.max(1).values.mean()
            + entropy,
            Mistake("categories counted", "K is how many categories there are, not how many came: what if one did not?"): told
            + math.log(int(c.max()) + 1),
            Mistake("entropy counted", "H(c) is that of the prior, uniform over K categories: it need not be counted"): told
            - torch.xlogy(counted, counted).sum(),
        }
        return diagnose(got, right, mistakes, "take a Q that is sure and right: what must the bound be?")

    def limits() -> Mistake | None:
        if ask(logits, c):
            return Mistake("not yet", "judged once it is right for ordinary logits")
        sure = 1e4 * torch.nn.functional.one_hot(c, 5)
        got = tensor(handle.call({"logits": sure.float() - 5e3, "c": c}), ())
        if not torch.isfinite(got):
            return Mistake("overflow", "at logits of +-10000 it is nan or infinite: exp of them is 0 or infinite to the computer")
        if not close(got.double(), torch.tensor(math.log(5)).double(), 1e-3):
            return Mistake("small number added", "a sure and right Q must give H(c) exactly: has something been cut or added?")
        wrong = tensor(handle.call({"logits": sure.roll(1, 1).float(), "c": c}), ())
        if not close(wrong.double(), torch.tensor(math.log(5) - 1e4).double(), 1e-3):
            return Mistake("clamped", "a Q that is sure and wrong must pay for it in full: has something been cut off or added?")
        return ask(torch.zeros(7, 3), torch.arange(7) % 3) or ask(logits[:1].float(), 0 * c[:1] + 1)

    return [
        judge("it is eq. (1), on random logits", 2, lambda: ask(logits, c)),
        judge("a sure Q gives H(c) or pays in full, one that says nothing gives 0; one picture is enough", 2, limits),
    ]


def matched(handle: Handle) -> list[Outcome]:
    """13.2: (codes [n], labels [n], A, B) -> share."""

    def draw(a: int, b: int, n: int, seed: int) -> tuple[Tensor, Tensor]:
        """Codes of which a greedy choice is not the best one, and several like one class."""
        with seeded(seed):
            labels, name = torch.randint(b, (n,)), torch.randperm(max(a, b)) % a
            codes = torch.where(torch.rand(n) < 0.45, name[labels], name[labels // 2])
            return torch.where(torch.rand(n) < 0.2, torch.randint(a, (n,)), codes), labels

    def ask(codes: Tensor, labels: Tensor, a: int, b: int) -> Mistake | None:
        got = handle.call({"codes": codes, "labels": labels, "A": a, "B": b})
        n = len(codes)
        table = torch.bincount(codes * b + labels, minlength=a * b).view(a, b).double()
        small, large = table if a <= b else table.T, max(a, b)
        rows = range(min(a, b))
        sums = [sum(small[i, j].item() for i, j in zip(rows, m, strict=True)) for m in permutations(range(large), min(a, b))]
        best, greedy, left = max(sums), 0.0, table.clone()
        for _ in rows:
            greedy += left.max().item()
            i, j = divmod(int(left.argmax()), b)
            left[i], left[:, j] = -1, -1
        in_turn, free = 0.0, set(range(b))
        for i in range(a):
            if free:
                j = max(sorted(free), key=lambda j: table[i, j].item())
                in_turn += table[i, j].item()
                free.remove(j)
        right = torch.tensor(best / n).double()
        mistakes = {
            Mistake("numbering trusted", "the numbering of the codes is arbitrary: code 0 need not be class 0"): (
                (codes == labels).double().mean()
            ),
            Mistake("one class, several codes", "several codes are given the same class"): table.amax(1).sum() / n,
            Mistake("one code, several classes", "one code stands for several classes"): table.amax(0).sum() / n,
            Mistake("greedy", "the largest count first, then the next, need not be the best choice in all"): greedy / n,
            Mistake("greedy in turn", "the codes choose one after another: another order may give more"): in_turn / n,
            Mistake("worst matching", "this is the matching that fits least: is a cost or a gain made large?"): min(sums) / n,
            Mistake("a count", "this is how many rows: their share is wanted"): best,
            Mistake("mistakes counted", "this is the share of the rows that do not fit"): 1 - best / n,
            Mistake("percent", "this is in percent"): 100 * best / n,
            Mistake("share of classes", "each class counts the same here: is each row to?"): best / min(a, b) / n,
        }
        return diagnose(got, right, mistakes, "draw the table of counts for six rows, and match by hand")

    def tricky() -> Mistake | None:
        """Counts where each mistake gives another share, whatever the order of rows and the names of classes."""
        counts = torch.tensor([[9, 8, 1, 0], [8, 2, 0, 1], [0, 9, 4, 7], [1, 3, 6, 10]])
        with seeded(handle.seed):
            order, name = torch.randperm(int(counts.sum())), torch.tensor([[1, 2, 3, 0], [2, 3, 0, 1]])[torch.randint(2, ())]
        codes = torch.arange(4).repeat_interleave(counts.sum(1))[order]
        labels = torch.arange(4).repeat(4).repeat_interleave(counts.flatten())[order]
        return ask(codes, name[labels], 4, 4)

    def square() -> Mistake | None:
        return tricky() or ask(*draw(5, 5, 60, handle.seed), 5, 5) or ask(*draw(4, 4, 50, handle.seed + 1), 4, 4)

    def other() -> Mistake | None:
        if square():
            return Mistake("not yet", "judged once it is right for as many codes as classes")
        same = torch.zeros(9).long()
        return (
            ask(*draw(6, 4, 60, handle.seed + 2), 6, 4)
            or ask(*draw(3, 6, 60, handle.seed + 3), 3, 6)
            or ask(same, torch.arange(9) % 3, 4, 4)
            or ask(same + 2, same + 1, 3, 2)
        )

    return [
        judge("it is the best matching, for as many codes as classes", 2, square),
        judge("it stays so for more or fewer codes than classes, and where values do not occur", 1, other),
    ]


def ceiling(handle: Handle) -> list[Outcome]:
    """13.3: (sigma, r) -> (largest, blind, exceeds)."""
    with seeded(handle.seed):
        sigma, r = 0.2 + torch.tensor([0.0, 0.3, 0.5]) + 0.1 * torch.rand(3), 0.7 + 2 * torch.rand(3)
    sigma, r = torch.cat([sigma, torch.tensor([1.3, 0.05])]).double(), torch.cat([r, torch.tensor([1.5, 1.2])]).double()
    entropy, peak = (2 * r).log(), -(sigma * math.sqrt(2 * math.pi)).log()
    most, cost = entropy + peak, r**2 / 6 / sigma**2

    def ask(which: int, right: Tensor, mistakes: dict[Mistake, Tensor], hint: str) -> Mistake | None:
        names = ("largest", "blind", "exceeds")
        got = [parts(handle.call({"sigma": s, "r": x}), *names)[which] for s, x in zip(sigma.tolist(), r.tolist(), strict=True)]
        got = [float(value) if isinstance(value, bool) else value for value in got]
        numbers = torch.stack([tensor(value, (), names[which]).double() for value in got])  # all cases at once
        return diagnose(numbers, right, mistakes, hint, what=names[which])

    def largest() -> Mistake | None:
        mistakes = {
            Mistake("entropy forgotten", "where is H(u)?"): peak,
            Mistake("entropy as ceiling", "H(u) bounds the information of a discrete code: u is none"): entropy,
            Mistake("code of length 1", "the code is uniform on (-r, r): how long is that?"): r.log() + peak,
            Mistake("code of the chapter", "the code is uniform on (-r, r), here r is not 1"): math.log(2) + peak,
            Mistake("variance for sigma", "in the normal density, what stands beside the root of 2 pi?"): most - sigma.log(),
            Mistake("two pi", "how does 2 pi stand in the normal density?"): entropy - (sigma * 2 * math.pi).log(),
            Mistake("entropy of the Gaussian", "what does the exponent cost where Q reads u exactly?"): most - 0.5,
            Mistake("sign of the peak", "a narrow Gaussian is high at its middle"): entropy - peak,
            Mistake("density", "this is a density: its logarithm is wanted"): peak.exp(),
        }
        return ask(0, most, mistakes, "where is the normal density highest, and how high?")

    def blind() -> Mistake | None:
        mistakes = {
            Mistake("blind is zero", "0 would be right for a Q that knows the law of u: a Gaussian is not it"): 0 * most,
            Mistake("blind reads", "this is Q that reads u: without the picture it knows the prior only"): most,
            Mistake("variance of the wrong length", "what is u squared on average, for u uniform on (-r, r)?"): most - cost / 4,
            Mistake("half forgotten", "look at the exponent of the normal density"): most - 2 * cost,
            Mistake("at the end", "this is the cost of u = r: an average is wanted"): most - 3 * cost,
            Mistake("half of r", "the square of an average is not the average of a square"): most - 0.75 * cost,
            Mistake("blind without entropy", "H(u) belongs to both values of eq. (2)"): peak - cost,
        }
        return ask(1, most - cost, mistakes, "which fixed m is best, and what does the exponent cost on average?")

    def exceeds() -> Mistake | None:
        mistakes = {
            Mistake("the other way round", "0 and 1 are swapped"): (most <= entropy).double(),
            Mistake("compared with zero", "compare with H(u), not with 0"): (most > 0).double(),
            Mistake("always", "it depends on sigma: what does a wide one do?"): torch.ones_like(most),
            Mistake("never", "it depends on sigma, and a narrow one can"): torch.zeros_like(most),
        }
        return ask(2, (most > entropy).double(), mistakes, "compare the two numbers")

    return [
        judge("the largest value, for several sigma and r", 1, largest),
        judge("the value without looking", 1, blind),
        judge("whether it exceeds H(u)", 1, exceeds),
    ]


QUESTIONS = {"13.1": information_bound, "13.2": matched, "13.3": ceiling}
