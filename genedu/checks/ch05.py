"""Checks of the exercises of chapter 5, sequence models: 3 + 2 + 3 + 2 = 10 points."""

import math

import torch
from torch import Tensor
from torch.distributions import Categorical

from genedu.checks import Mistake, Outcome, close, diagnose, judge, parts, tensor
from genedu.checks.causal_stack import causal_stack
from genedu.checks.pen_steps import pen_step
from genedu.core import seeded
from genedu.handle import CallFailed, Handle

ANSWERS = (  # not there while students are graded
    *("autoregressive/char_rnn.py", "autoregressive/handwriting_rnn.py", "autoregressive/wavenet.py"),
    *("nn/causal.py", "nn/mu_law.py"),
)
LN2 = math.log(2)


def perplexity(handle: Handle) -> list[Outcome]:
    """05.1: (logits [B, T, V], x [B, T], lengths [B]) -> (bits a symbol, perplexity)."""
    with seeded(handle.seed):
        logits, x = 1.5 * torch.randn(4, 7, 5).double() - 1, torch.randint(5, (4, 7))  # [B, T, V], [B, T]
        x[:, -1], lengths = (x[:, -2] + 1) % 5, torch.tensor([7, 2, 4, 5])[torch.randperm(4)]
    inside = torch.arange(7) < lengths[:, None]  # [B, T]
    n = int(lengths.sum())

    def nats(logits: Tensor, x: Tensor) -> Tensor:
        return -Categorical(logits=logits.double()).log_prob(x)  # [B, T]

    cost, mistaken = nats(logits, x), "bits and perplexity are in the wrong order: which comes first?"
    right = cost[inside].mean()
    by_row = torch.stack([c[:t].mean() for c, t in zip(cost, lengths.tolist(), strict=True)])  # [B]

    def ask() -> tuple[Tensor, Tensor]:
        bits, ppl = parts(handle.call({"logits": logits, "x": x, "lengths": lengths}), "bits", "perplexity")
        if close(bits, right.exp()) and close(ppl, right / LN2):
            raise CallFailed(mistaken, "exchanged")
        return tensor(bits, (), "bits"), tensor(ppl, (), "perplexity")

    def bits() -> Mistake | None:
        def gathered(table: Tensor, x: Tensor = x) -> Tensor:
            return table.gather(2, x[..., None])[..., 0]

        short = torch.arange(7) < lengths[:, None] - 1
        ahead = torch.cat([nats(logits[:, :-1], x[:, 1:])[short[:, :-1]]])
        entropy = Categorical(logits=logits).entropy()
        mistakes = {
            Mistake("nats", "these are nats: bits are wanted"): right,
            Mistake("bits turned", "one bit is 0.69 nats: are there more bits or more nats in a text?"): right * LN2,
            Mistake("sign turned", "the sign is turned: a code has a length above 0"): -right / LN2,
            Mistake("padding counted", "what stands behind the end of a row is no text"): cost.mean() / LN2,
            Mistake("divided by all places", "the sum is right, but by how many symbols is it divided?"): cost[inside].sum()
            / cost.numel()
            / LN2,
            Mistake("rows averaged", "a symbol of a short row weighs more than one of a long row"): by_row.mean() / LN2,
            Mistake("bits a row", "these are bits a row: bits a symbol are wanted"): right * n / 4 / LN2,
            Mistake("sum for mean", "the symbols are added up"): right * n / LN2,
            Mistake("logits as logarithms", "a row of logits holds no log-probabilities yet"): -gathered(logits)[inside].mean()
            / LN2,
            Mistake("softmax twice", "these logarithms are too even: is something normalised twice?"): nats(logits.softmax(2), x)[
                inside
            ].mean()
            / LN2,
            Mistake("wrong axis", "it is not the symbols that add up to 1: which axis holds them?"): -gathered(
                logits.log_softmax(1)
            )[inside].mean()
            / LN2,
            Mistake("next symbol", "logits[:, t] are about x[:, t] here: nothing is to be shifted"): ahead.mean() / LN2,
            Mistake("last symbol lost", "the last symbol of each row is left out"): cost[short].mean() / LN2,
            Mistake("x not used", "this is what the model expects to pay: the text plays no part"): entropy[inside].mean() / LN2,
            Mistake("logarithm last", "what is averaged are logarithms, not probabilities"): -(-cost[inside]).exp().mean().log2(),
        }
        return diagnose(ask()[0], right / LN2, mistakes, "take V = 2, equal logits: what does a symbol cost?", what="bits")

    def ppl() -> Mistake | None:
        mistakes = {
            Mistake("e to the bits", "the exponential undoes which logarithm?"): (right / LN2).exp(),
            Mistake("2 to the nats", "2 to the power of what undoes which logarithm?"): right.exp2(),
            Mistake("inverse", "this is a probability: how many symbols does it stand for?"): (-right).exp(),
            Mistake(
                "rows averaged last", "each row has a perplexity of its own here, and they are averaged: what must be averaged?"
            ): by_row.exp().mean(),
            Mistake(
                "perplexities averaged",
                "each symbol has a perplexity of its own here, and they are averaged: what must be averaged?",
            ): cost[inside].exp().mean(),
            Mistake("perplexity of the padding", "what stands behind the end of a row counts in it"): cost.mean().exp(),
            Mistake("perplexity of rows", "a symbol of a short row weighs more in it"): by_row.mean().exp(),
            Mistake("no exponential", "this is a logarithm of the perplexity"): right,
        }
        hint = "take V = 2, equal logits: between how many symbols does the model hesitate?"
        return diagnose(ask()[1], right.exp(), mistakes, hint, what="perplexity")

    def hard() -> Mistake | None:
        if not (good_bits.holds and good_ppl.holds):
            return Mistake("not yet", "judged once both numbers are right for ordinary rows")
        padded = torch.where(inside[..., None], logits, torch.nan)
        got = parts(handle.call({"logits": padded, "x": x, "lengths": lengths}), "bits", "perplexity")
        if not close(got[0], right / LN2) or not close(got[1], right.exp()):
            return Mistake("padding touched", "nan behind the end of a row spoils the result: 0 times nan is nan")
        with seeded(handle.seed + 1):
            long, text = torch.randn(2, 3000, 5), torch.randint(5, (2, 3000))  # p of a row is about e^-5000
        wild = 1e4 * long[:, :9]
        for table, x_, what in ((long, text, "long"), (wild, text[:, :9], "wild")):
            size = torch.tensor([x_.shape[1], x_.shape[1]])
            first, second = parts(handle.call({"logits": table, "x": x_, "lengths": size}), "bits", "perplexity")
            mean = nats(table, x_).mean()
            good = close(first, mean / LN2, 1e-3) and (what == "wild" or close(second, mean.exp(), 1e-3))
            if not good and what == "long":
                return Mistake(
                    "product underflows", "a product of 3000 probabilities is 0 to the computer: where do you multiply?"
                )
            if not good:
                return Mistake(
                    "softmax underflows", "with logits 10000 apart a probability is 0 to the computer, its logarithm not"
                )
        return None

    good_bits = judge("bits a symbol are right, on rows of different lengths", 1, bits)
    good_ppl = judge("the perplexity is right", 1, ppl)
    return [
        good_bits,
        good_ppl,
        judge("both stay right behind the end of a row, on 3000 symbols, and with logits 10000 apart", 1, hard),
    ]


def mu_law(handle: Handle) -> list[Outcome]:
    """05.2: a class (levels) with encode(x) -> level (long) and decode(level) -> x."""

    def expand(f: Tensor, levels: int) -> Tensor:
        return f.sign() * (levels ** f.abs() - 1) / (levels - 1)

    def squeeze(x: Tensor, mu: float) -> Tensor:
        return x.sign() * (1 + mu * x.abs()).log() / math.log(1 + mu)

    def encode() -> Mistake | None:
        for levels in (300, 21, 2):
            with seeded(handle.seed):
                x = torch.cat([2 * torch.rand(40).double() - 1, torch.randn(20).double() / 50, torch.tensor([-1, 1]).double()])
            x = torch.cat([x, torch.tensor([1.7, -1.2, 40.0]).double()]).reshape(5, 13)
            edges = expand(2 * torch.arange(1, levels).double() / levels - 1, levels)  # the borders of the bins, in x
            right, inside = torch.bucketize(x, edges), x.clamp(-1, 1)
            got = tensor(handle.build({"levels": levels}).call({"x": x}, method="encode"), tuple(x.shape), "the level")

            def cut(f: Tensor, levels: int = levels) -> Tensor:
                return (levels * (f + 1) / 2).floor().clamp(0, levels - 1)

            f = squeeze(inside, levels - 1)
            top = (levels * (f + 1) / 2).floor()
            mistakes = {
                Mistake("no compression", "soft and loud get bins of the same width"): cut(inside),
                Mistake("sign lost", "a wave below 0 gets the level of one above 0"): cut(f.abs()),
                Mistake("one half only", "silence belongs in the middle of the levels"): (levels * f.abs())
                .floor()
                .clamp(max=levels - 1),
                Mistake("mu is the count", "mu is one less than the number of levels"): cut(squeeze(inside, levels)),
                Mistake("logarithm not scaled", "f must be 1 at x = 1"): cut(squeeze(inside, levels - 1) * math.log(levels)),
                Mistake("rounded up", "a bin begins where the one before it ends: which whole number lies below?"): (
                    levels * (f + 1) / 2
                )
                .round()
                .clamp(max=levels - 1),
                Mistake("levels on the ends", "K bins of equal width, and the ends lie on their outer borders"): (
                    (levels - 1) * (f + 1) / 2
                ).round(),
                Mistake("one bin less", "there are K bins, not K - 1"): ((levels - 1) * (f + 1) / 2).floor(),
                Mistake("one level too many", "x = 1 must not get a level of its own"): top,
                Mistake("ends overrun", "x beyond 1 must get the last level, x below -1 the first"): (
                    levels * (squeeze(x, levels - 1) + 1) / 2
                ).floor(),
                Mistake("counted from 1", "levels are counted from 0"): right + 1,
                Mistake("too few bits", "above 255 the levels begin again at 0: how large a number can yours be?"): right % 256,
                Mistake("upside down", "a wave above 0 must get the upper levels"): levels - 1 - right,
                Mistake("f returned", "this is f(x), still to be cut into levels"): f,
            }
            if mistake := diagnose(
                got, right.double(), mistakes, "put x = -1, 0.001 and 1 into eq. (2) and (3)", what="the level"
            ):
                return mistake
            if got.is_floating_point() or got.dtype == torch.bool:
                return Mistake("no whole numbers", f"levels must be whole numbers, they are {got.dtype}")
        return None

    def decode() -> Mistake | None:
        for levels in (256, 21, 2):
            level, mu = torch.arange(levels), levels - 1
            f = (2 * level.double() + 1) / levels - 1
            size, back = f.abs(), f.sign() * (levels ** f.abs() - 1) / mu
            given = handle.build({"levels": levels}).call({"level": level}, method="decode")
            low, ends = 2 * level.double() / levels - 1, 2 * level.double() / mu - 1
            between = [expand(f - 1 / levels, levels), expand(f + 1 / levels, levels)]
            mistakes = {
                Mistake("not expanded", "this is f: what x has it?"): f,
                Mistake("sign lost on the way back", "the lower half of the levels stands for a wave below 0"): back.abs(),
                Mistake("border of the bin", "that is where the bin begins: its middle is wanted"): expand(low, levels),
                Mistake("upper border", "that is where the bin ends: its middle is wanted"): expand(low + 2 / levels, levels),
                Mistake("ends of the range", "the outer levels have middles, too: they do not lie on -1 and 1"): expand(
                    ends, levels
                ),
                Mistake("middle in x", "the middle is meant in f, not in x"): sum(between) / 2,
                Mistake("1 not subtracted", "f = 0 must give x = 0"): f.sign() * levels**size / mu,
                Mistake("not divided by mu", "f = 1 must give x = 1"): back * mu,
                Mistake("mu the wrong way", "mu + 1 = K is the base, mu stands below"): f.sign() * (mu**size - 1) / mu,
                Mistake("base e", "whose logarithm does f divide by?"): f.sign() * (size.exp() - 1) / mu,
                Mistake("compressed once more", "it is soft where it should be loud: which way round?"): squeeze(f, mu),
            }
            hint = "solve eq. (2) for x > 0, by hand"
            if mistake := diagnose(given, back, mistakes, hint, what="x"):
                return mistake
        return None

    return [
        judge("every x gets the level of its bin, -1, 1 and what is louder included", 1, encode),
        judge("every level gives back the x in the middle of its bin", 1, decode),
    ]


QUESTIONS = {"05.1": perplexity, "05.2": mu_law, "05.3": causal_stack, "05.4": pen_step}
