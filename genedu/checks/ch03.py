"""Checks of the exercises of chapter 3, autoregressive models: 2 + 3 + 3 + 2 = 10 points."""

import math

import torch
from torch import Tensor
from torch.distributions import Bernoulli

from genedu.checks import Mistake, Outcome, diagnose, judge, tensor
from genedu.checks.nade_and_made import made_masks, mixed_order, nade_step
from genedu.core import seeded
from genedu.handle import Handle, Value

ANSWERS = (  # not there while students are graded
    *("autoregressive/nade.py", "autoregressive/deep_nade.py"),
    *("autoregressive/made.py", "nn/masked_linear.py"),
)


def log_likelihood(handle: Handle) -> list[Outcome]:
    """03.1: (logits [B, D] by step, x [B, D] bits, order [D]) -> log p(x) [B], nats."""

    def case(rows: int, dim: int) -> tuple[Tensor, Tensor, Tensor]:
        with seeded(handle.seed):
            return 1.5 * torch.randn(rows, dim) + 0.5, (torch.rand(rows, dim) < 0.5).long(), mixed_order(dim)

    def ask(z: Tensor, x: Tensor, order: Tensor) -> Value:
        return handle.call({"logits": z, "x": x, "order": order})

    def terms(z: Tensor, bits: Tensor) -> Tensor:
        """log p of each bit [B, D], in double precision."""
        return Bernoulli(logits=z.double()).log_prob(bits.double())

    def ordinary() -> Mistake | None:
        z, x, order = case(6, 5)
        bits = x[:, order]
        each, on = terms(z, bits), terms(z, torch.ones_like(bits))  # [B, D], of the bit that came and of a one
        right, step = each.sum(1), order.argsort()
        mistakes = {
            Mistake("order ignored", "the order plays no part: to which bit does the logit of step k belong?"): terms(z, x).sum(
                1
            ),
            Mistake("order inverted", "the order is read backwards: does it say the place of a step, or the step of a place?"): (
                terms(z, x[:, step]).sum(1)
            ),
            Mistake("sign turned", "the sign is turned: this is a loss"): -right,
            Mistake("not base e", "the logarithm is to base 2: nats are wanted"): right / math.log(2),
            Mistake("no logarithm", "this is p(x): its logarithm is wanted"): right.exp(),
            Mistake("per place", "you divide by the number of places: nats a row are wanted"): each.mean(1),
            Mistake("not added up", "these are the terms of the D steps: what does the chain rule do with them?"): each,
            Mistake("rows added", "each row has a likelihood of its own: B numbers are wanted"): right.sum(),
            Mistake("rows averaged", "rows are averaged: B numbers are wanted, one a row"): right.mean(),
            Mistake("probabilities added", "you add up probabilities: the chain rule multiplies them"): each.exp().sum(1),
            Mistake("zeros ignored", "only the ones count: a bit that is 0 has a probability, too"): (bits * on).sum(1),
            Mistake("x ignored", "you take every bit for a one: which bits came?"): on.sum(1),
            Mistake("bits exchanged", "rows of ones get what rows of zeros should: a logit is that of which bit?"): (
                terms(-z, bits).sum(1)
            ),
            Mistake("likeliest bits", "you score the likeliest bit of each step, not the one that came"): terms(z, z > 0).sum(1),
            Mistake("squashed twice", "you take probabilities for logits: sigma is applied twice"): terms(on.exp(), bits).sum(1),
            Mistake("not normalised", "you add up logits: over both values of a bit nothing sums to 1"): (bits * z).sum(1),
        }
        return diagnose(ask(z, x, order), right, mistakes, "take D = 1: what must come for x = 1, and what for x = 0?")

    def extreme() -> Mistake | None:
        if ordinary():
            return Mistake("not yet", "judged once it is right for ordinary rows")
        z, x, order = case(3, 3000)
        got = tensor(ask(z, x, order), (3,))
        if not torch.isfinite(got).all():
            return Mistake(
                "product underflows", "a product of 3000 probabilities is 0 to the computer: what else can one add up?"
            )
        if mistake := diagnose(got, terms(z, x[:, order]).sum(1), {}, "right for five places, wrong for 3000"):
            return mistake
        _, x, order = case(4, 6)
        z = torch.where(x[:, order] == 1, 1000.0, -1000.0)  # [B, D], the network is sure of each bit, and right
        z[1, 2], z[2], z[3] = -z[1, 2], -z[2], -z[3] * torch.tensor([0.02, 0.03, 0.04, 0.05, 0.06, 0.08])
        right, got = terms(z, x[:, order]).sum(1), tensor(ask(z, x, order), (4,)).double()
        if got.isnan().any():
            return Mistake(
                "0 times infinity", "it is nan for logits of 1000: a bit that did not come must not enter, not even as 0 times"
            )
        if got.isinf().any():
            return Mistake(
                "logarithm of 0", "sigma is 0 or 1 to the computer long before a logit of 1000: can one do without its value?"
            )
        if (got > right + 1).any():
            return Mistake("clamped", "impossible bits cost too little: something is clamped or added")
        return diagnose(got, right, {}, "right for small logits, wrong for large ones")

    return [
        judge("it is the logarithm of (1), in a random order", 1, ordinary),
        judge("it stays right for logits of 1000 and for 3000 bits, in float32", 1, extreme),
    ]


def bits_per_dim(handle: Handle) -> list[Outcome]:
    """03.4: (nll [B], dim, width) -> bits a dimension."""

    def ask(dim: int, width: float) -> tuple[Value, Tensor]:
        with seeded(handle.seed):
            bits = 2.5 + torch.rand(5).double()  # [B], a dimension, of a model of levels
        nll = dim * (bits * math.log(2) + math.log(width))  # [B]
        return handle.call({"nll": nll, "dim": dim, "width": width}), nll

    def levels() -> Mistake | None:
        dim = 48 + handle.seed % 16
        got, nll = ask(dim, 1)
        nats = sum(nll.tolist()) / 5
        right = torch.tensor(nats / dim / math.log(2)).double()
        mistakes = {
            Mistake("nats", "these are nats a dimension: how many bits is a nat?"): right * math.log(2),
            Mistake("wrong way", "a nat is more than a bit, you make it less"): right * math.log(2) ** 2,
            Mistake("per image", "these are bits an image: what is asked for one pixel?"): right * dim,
            Mistake("images added", "the images are added up: more images would need more bits a pixel"): right * 5,
            Mistake("one number an image", "one number is wanted, for all images together"): nll / dim / math.log(2),
            Mistake("pixels and images", "it is divided by the number of images once too often"): right / 5,
            Mistake("sign turned", "the sign is turned: nll is a cost already"): -right,
            Mistake("logarithm twice", "nll is a logarithm already: no second one is needed"): torch.tensor(
                math.log2(nats) / dim
            ),
            Mistake("base 10", "these are decimal digits: binary ones are wanted"): right * math.log10(2),
            Mistake("perplexity", "this is a number of equally likely levels: its logarithm is wanted"): 2**right,
        }
        return diagnose(got, right, mistakes, "a model that knows nothing of 256 levels needs 8 bits a pixel: try it")

    def density() -> Mistake | None:
        if levels():
            return Mistake("not yet", "judged once it is right for a model of levels")
        for dim, width in ((40 + handle.seed % 16, 1 / 17), (192, 2 / 256)):
            got, nll = ask(dim, width)
            dense, box = nll.mean() / dim / math.log(2), math.log2(width)  # bits a dimension of q, and of the box
            mistakes = {
                Mistake(
                    "width ignored", "the width plays no part: in other units of x the same density gets another score"
                ): dense,
                Mistake("width turned", "the width counts the wrong way: is P(x) larger or smaller than q(x) here?"): dense + box,
                Mistake("one side", "the width counts once: the box of (4) has D sides"): dense - box / dim,
                Mistake("sides counted twice", "D comes in twice: once in (4), and once where it is divided by"): dense
                - box * dim,
                Mistake("width in nats", "q is in bits, the width in nats"): dense - math.log(width),
                Mistake("width divided", "it is divided by the width: of (4) the logarithm is wanted"): dense / width,
                Mistake("width multiplied", "it is multiplied by the width: of (4) the logarithm is wanted"): dense * width,
                Mistake("clipped", "the nll of a density may be below 0: it must not be cut off there"): torch.tensor(-box),
                Mistake(
                    "one width assumed", "the width that was given is not used: are there always 256 levels in [0, 1]?"
                ): dense + 8,
            }
            if mistake := diagnose(got, dense - box, mistakes, "take D = 1 and q = 1/width: which P has (4)?"):
                return mistake
        return None

    return [
        judge("a model of levels: bits a dimension", 1, levels),
        judge("a density: after (4), in the same bits", 1, density),
    ]


QUESTIONS = {"03.1": log_likelihood, "03.2": nade_step, "03.3": made_masks, "03.4": bits_per_dim}
