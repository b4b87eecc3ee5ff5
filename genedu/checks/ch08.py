"""Checks of the exercises of chapter 8, infinite VAE: 4 + 3 + 3 = 10 points."""

import math

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from genedu.checks import Mistake, Outcome, close, diagnose, judge, parts, tensor
from genedu.core import seeded
from genedu.handle import Handle

ANSWERS = ("latent/chinese_restaurant.py", "latent/infinite_fit.py", "latent/infinite_vae.py")  # not there while graded


def gibbs_weights(handle: Handle) -> list[Outcome]:
    """08.1: (counts [K], scores [K], score_new [], alpha) -> probabilities [K+1]."""
    with seeded(handle.seed):
        counts = torch.randint(2, 9, (4,)).double() + torch.arange(4)
        scores, new = 0.8 * torch.randn(4).double(), 0.8 * torch.randn(()).double()
        alpha = 1.5 + torch.rand(()).item()

    def ask(counts: Tensor, scores: Tensor, new: Tensor, alpha: float, tolerance: float) -> Mistake | None:
        got = handle.call({"counts": counts, "scores": scores, "score_new": new, "alpha": alpha})
        n, likelihood = torch.cat([counts, counts.new_tensor([alpha])]).double(), torch.cat([scores, new[None]]).double()
        k, log_w = len(counts), n.log() + likelihood
        right, best = log_w.softmax(0), likelihood - likelihood.max()
        fewer = torch.cat([counts - 1, counts.new_tensor([alpha])]).double()
        every = torch.cat([counts + alpha, counts.new_tensor([alpha])]).double()
        mistakes = {
            Mistake("counts as logarithms", "numbers of rows are added to nats: which scale is each of them on?"): (
                n + likelihood
            ).softmax(0),
            Mistake("alpha forgotten", "alpha plays no part: what if it were huge?"): torch.cat(
                [counts.double().log() + scores, new.double()[None]]
            ).softmax(0),
            Mistake("counts ignored", "a component with many rows attracts no more than one with few"): torch.cat(
                [scores.double(), log_w[-1:]]
            ).softmax(0),
            Mistake("prior ignored", "only how well the row is explained counts: where are the numbers of rows, and alpha?"): (
                likelihood.softmax(0)
            ),
            Mistake("scores ignored", "only the numbers of rows count: does it not matter who explains the row?"): n / n.sum(),
            Mistake("sum for product", "prior and likelihood are added: eq. (1) multiplies them"): (n + likelihood.exp())
            / (n + likelihood.exp()).sum(),
            Mistake("likelihood divided", "the components that explain the row worst win: look at the sign of the score"): (
                n.log() - likelihood
            ).softmax(0),
            Mistake("logarithm returned", "these are logarithms of the answer: probabilities are wanted"): right.log(),
            Mistake("not normalised", "they do not add up to 1: eq. (1) says 'proportional to'"): log_w.exp(),
            Mistake("not normalised", "the largest is taken out, but they still do not add up to 1"): n * best.exp(),
            Mistake("normalised twice", "they add up to 1, but are too even: is it done twice?"): right.softmax(0),
            Mistake("new one first", "the new component comes last"): right.roll(1),
            Mistake("taken out twice", "the row is no longer among the counts: do not take it out again"): (
                fewer.log() + likelihood
            ).softmax(0),
            Mistake("alpha everywhere", "alpha belongs to the new component alone"): (every.log() + likelihood).softmax(0),
            Mistake("hard decision", "the row is sent to one component for sure: probabilities are wanted"): one_hot(
                right.argmax(), k + 1
            ),
            Mistake("uniform", "every component gets the same: the inputs are not used"): torch.full_like(right, 1 / (k + 1)),
        }
        return diagnose(got, right, mistakes, "take K = 1 and compute the two numbers of eq. (1) by hand", tolerance=tolerance)

    def extreme() -> Mistake | None:
        if ask(counts, scores, new, alpha, 1e-4):
            return Mistake("not yet", "judged once it is right for ordinary scores")
        prior = torch.cat([counts, counts.new_tensor([alpha])])
        for shift in (-1e4, 1e4):
            given = {"counts": counts, "scores": scores + shift, "score_new": new + shift}
            got = tensor(handle.call({**given, "alpha": alpha}), (5,)).double()
            if not torch.isfinite(got).all():
                return Mistake(
                    "underflow",
                    "at scores of -10000 or +10000 it is nan or infinite: exp of them is 0 or infinite to the computer",
                )
            if close(got, prior / prior.sum(), 1e-3):
                return Mistake("clamped", "far out the scores no longer count: have they been cut off?")
            if close(got, torch.zeros(5)) or close(got, torch.full((5,), 0.2)):
                return Mistake("small number added", "where every exp is 0 to the computer, only what you put in place is left")
        gap = torch.tensor([-1e4, 0.0, -2e4, -1e4]).double()
        return (
            ask(counts, scores + gap, new - 1e4, alpha, 1e-4)
            or ask(counts, scores - 1e4, new, alpha, 1e-4)  # the new component explains it better by far
            or ask(counts.float(), scores.float() - 1e4, new.float() - 1e4, alpha, 5e-3)  # float32 has steps of 0.001 there
            or ask(counts[:1], scores[:1] - 1e4, new - 1e4, alpha, 1e-4)
        )

    return [
        judge("they are those of eq. (1), on random numbers", 2, lambda: ask(counts, scores, new, alpha, 1e-4)),
        judge("they stay right at scores of -10000 and +10000, in float32 and for K = 1", 2, extreme),
    ]


def expected_tables(handle: Handle) -> list[Outcome]:
    """08.2: (n, alpha) -> the mean number of tables."""

    def exact(n: int, alpha: float, first: int = 0) -> float:
        return math.fsum(alpha / (alpha + i) for i in range(first, n))

    def ask(n: int, alpha: float) -> Mistake | None:
        got, right = handle.call({"n": n, "alpha": alpha}), exact(n, alpha)
        plain = math.fsum(1 / (1 + i) for i in range(n))
        mistakes = {
            Mistake("starts too late", "how many guests were there before the first one?"): exact(n + 1, alpha, 1),
            Mistake("first guest forgotten", "n = 1 must give one table, for sure"): exact(n, alpha, 1),
            Mistake("one guest too many", "there are n guests: count the terms"): exact(n + 1, alpha),
            Mistake("one guest too few", "there are n guests: is the last one seated?"): exact(n - 1, alpha),
            Mistake("last guest only", "this is the chance of the last guest alone"): alpha / (alpha + n - 1),
            Mistake("old tables", "these are the guests who sat down at a table that was there"): n - right,
            Mistake("alpha below only", "look at what stands above the line of eq. (2)"): right / alpha,
            Mistake("alpha ignored", "the answer does not depend on alpha"): plain,
            Mistake("alpha times harmonic", "alpha stands below the line, too"): alpha * plain,
            Mistake("approximation", "close for many guests, not exact: the chapter calls it an approximation"): (
                alpha * math.log(1 + n / alpha)
            ),
            Mistake("approximation", "not exact, and not even near where alpha is large"): alpha * math.log(n),
            Mistake("share", "this is the share of guests who open a table: how many are they?"): right / n,
            Mistake("chance of one table", "this is a product of chances: means add up"): math.prod(
                alpha / (alpha + i) for i in range(n)
            ),
        }
        return diagnose(got, torch.tensor(right).double(), mistakes, "write out the chances of three guests, one by one")

    with seeded(handle.seed):
        few, alpha = int(torch.randint(4, 9, ())), 1.5 + 2 * torch.rand(()).item()

    def ordinary() -> Mistake | None:
        return ask(few, alpha) or ask(2 * few + 1, alpha / 3) or ask(1, alpha)

    def extreme() -> Mistake | None:
        if ordinary():
            return Mistake("not yet", "judged once it is right for few guests")
        for n, a in ((100_000, alpha), (1000, 1e-9), (1000, 1e9)):
            if not close(handle.call({"n": n, "alpha": a}), torch.tensor(exact(n, a)).double(), 1e-5):
                return Mistake("inexact", "right for few guests, wrong for many or for an extreme alpha: where are digits lost?")
        return None

    return [
        judge("it is the sum of all guests' chances, for few guests", 2, ordinary),
        judge("it is right for 100000 guests, and for an alpha of 1e-9 and 1e9", 1, extreme),
    ]


def outliers(handle: Handle) -> list[Outcome]:
    """08.3: (log_w [B, K, S], counts [K]) -> r [B, K], score [B]."""
    with seeded(handle.seed):
        log_w = 1.2 * torch.randn(5, 3, 4).double() - 3.0
        counts = torch.randint(3, 9, (3,)).double() * torch.tensor([1.0, 2.0, 3.0])

    def answer(log_w: Tensor) -> tuple[Tensor, Tensor]:
        """r and log p by a shift that keeps the largest number at 1."""
        top = log_w.amax((1, 2), keepdim=True)
        joint = counts / counts.sum() * (log_w - top).exp().mean(2)  # [B, K]
        return joint / joint.sum(1, keepdim=True), joint.sum(1).log() + top[:, 0, 0]

    def ask(log_w: Tensor, place: int, tolerance: float = 1e-4) -> Mistake | None:
        got = parts(handle.call({"log_w": log_w, "counts": counts}), "r", "score")[place]
        right, log_p = answer(log_w)
        share, bound = (counts / counts.sum()).log(), (log_w - log_w.mean()).exp().mean(2).log() + log_w.mean()
        elbo, best, joint = log_w.mean(2), log_w.amax(2), share + bound
        if place == 0:
            return diagnose(
                got,
                right,
                {
                    Mistake("logarithms averaged", "log w is averaged over draws: eq. (3) averages w"): (share + elbo).softmax(1),
                    Mistake("best draw", "one draw of each component counts: eq. (3) has all S"): (share + best).softmax(1),
                    Mistake("weights dropped", "a component with many rows is no likelier than one with few"): bound.softmax(1),
                    Mistake("counts as logarithms", "counts are added to nats: which scale is each of them on?"): (
                        counts + bound
                    ).softmax(1),
                    Mistake("shares as logarithms", "shares are added to nats: which scale is each of them on?"): (
                        counts / counts.sum() + bound
                    ).softmax(1),
                    Mistake("wrong axis", "it is the columns that add up to 1: which axis holds the components?"): joint.softmax(
                        0
                    ),
                    Mistake("hard decision", "each row goes to one component for sure: eq. (4) shares it out"): one_hot(
                        joint.argmax(1), 3
                    ),
                    Mistake("logarithm returned", "r is the logarithm of the answer"): right.log(),
                    Mistake("not normalised", "r does not add up to 1 over the components"): joint.exp(),
                },
                "take K = 2 and S = 1, and compute r by hand",
                what="r",
                tolerance=tolerance,
            )
        return diagnose(
            got,
            -log_p,
            {
                Mistake("sign turned", "an outlier must have a high score"): log_p,
                Mistake("draws added up", "more draws give a lower score: eq. (3) has a mean over draws"): -log_p
                - math.log(log_w.shape[2]),
                Mistake("counts for shares", "the score depends on how many rows there are: pi adds up to 1"): -log_p
                - counts.sum().log(),
                Mistake("logarithms averaged", "log w is averaged over draws: eq. (3) averages w"): -(share + elbo).logsumexp(1),
                Mistake("best component only", "one component counts: eq. (4) adds them up"): -joint.amax(1),
                Mistake("best draw", "one draw of each component counts: eq. (3) has all S"): -(share + best).logsumexp(1),
                Mistake("weights dropped", "the components are added up without pi"): -bound.logsumexp(1),
                Mistake("entropy", "this is doubt between the components, which an outlier need not cause"): torch.special.entr(
                    right
                ).sum(1),
                Mistake("weighted bounds", "bounds are averaged over components: it is densities that add up"): -(
                    share.exp() * bound
                ).sum(1),
                Mistake("no logarithm", "this is a likelihood: the score is in nats"): log_p.exp(),
            },
            "take K = 1 and S = 1: what is left of eq. (4)?",
            what="score",
            tolerance=tolerance,
        )

    def extreme() -> Mistake | None:
        if ask(log_w, 0) or ask(log_w, 1):
            return Mistake("not yet", "judged once both are right for ordinary rows")
        far = log_w - torch.tensor([0.0, 1e4, 1e4, 0.0, 2e4]).double()[:, None, None]
        r, score = parts(handle.call({"log_w": far, "counts": counts}), "r", "score")
        r, score = tensor(r, (5, 3), "r"), tensor(score, (5,), "score")
        if not (torch.isfinite(r).all() and torch.isfinite(score).all()):
            return Mistake("underflow", "an outlier gives nan or infinity: its w are 0 to the computer, log w is a number")
        if close(r[1], torch.zeros(3)) or score[1] < 5e3:
            return Mistake("small number added", "the score of an outlier stops growing: what was put in place of 0?")
        right, log_p = answer(far)
        return diagnose(r, right, {}, "right near the data, r is wrong far away", what="r") or diagnose(
            score, -log_p, {}, "right near the data, the score is wrong far away", what="score", tolerance=1e-6
        )

    return [
        judge("the responsibilities are right", 1, lambda: ask(log_w, 0)),
        judge("the scores are right", 1, lambda: ask(log_w, 1) or ask(log_w[:2, :, :3], 1)),
        judge("both stay right for outliers, where log w is near -10000", 1, extreme),
    ]


QUESTIONS = {"08.1": gibbs_weights, "08.2": expected_tables, "08.3": outliers}
