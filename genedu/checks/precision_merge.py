"""Exercise 09.2: the product of two Gaussians, in which a ladder VAE merges what comes from below and from above."""

from functools import partial

import torch
from torch import Tensor

from genedu.checks import Mistake, Outcome, diagnose, judge, parts, tensor
from genedu.core import seeded
from genedu.handle import Handle, Value


def merge(handle: Handle) -> list[Outcome]:
    """09.2: (mu_up, log_sigma_up, mu_down, log_sigma_down, each [B, Z]) -> (mu, log_sigma), [B, Z] each."""
    with seeded(handle.seed):
        a, b = 2 * torch.randn(2, 4, 3).double()  # [B, Z] each: the centres
        u, v = 0.8 * torch.randn(2, 4, 3).double() + 0.4  # logarithms of sigma
    p, q = (-2 * u).exp(), (-2 * v).exp()  # precisions

    def ask(a: Tensor, u: Tensor, b: Tensor, v: Tensor) -> tuple[Value, ...]:
        got = handle.call({"mu_up": a, "log_sigma_up": u, "mu_down": b, "log_sigma_down": v})
        return parts(got, "mu", "log_sigma")

    def weighted(p: Tensor, q: Tensor) -> Tensor:
        return (p * a + q * b) / (p + q)

    right = weighted(p, q), -0.5 * (p + q).log()

    def ordinary(place: int) -> Mistake | None:
        centre = {
            Mistake("plain average", "both count the same: who is surer must count more"): (a + b) / 2,
            Mistake("the less sure wins", "the wider Gaussian counts more than the narrow one"): weighted(1 / p, 1 / q),
            Mistake("root of the precision", "a precision is one over the square of sigma"): weighted(p.sqrt(), q.sqrt()),
            Mistake("square of the precision", "a precision is 1/sigma², yours has a higher power"): weighted(p**2, q**2),
            Mistake("not divided", "the shares of both do not add up to 1"): p * a + q * b,
            Mistake("divided by one", "it is divided by one precision: by what must it be for the shares to add up to 1?"): (
                p * a + q * b
            )
            / p,
            Mistake("only from below", "what comes from above plays no part"): a,
            Mistake("only from above", "what comes from below plays no part"): b,
            Mistake("added up", "the means are added up: between which two numbers must the answer lie?"): a + b,
            Mistake("logarithms taken for sigma", "you take the logarithms of sigma for sigma"): weighted(1 / u**2, 1 / v**2),
        }
        width = {
            Mistake("sigma returned", "this is sigma: its logarithm is wanted"): right[1].exp(),
            Mistake("variance returned", "this is the variance: the logarithm of sigma is wanted"): (2 * right[1]).exp(),
            Mistake("logarithm of the variance", "this is the logarithm of the variance"): 2 * right[1],
            Mistake("logarithm of the precision", "this is the logarithm of the precision"): -2 * right[1],
            Mistake("precision returned", "this is the precision"): p + q,
            Mistake("sign turned", "two opinions make q wider: look at the sign"): -right[1],
            Mistake("variances added", "two opinions must leave less doubt than one, yours leave more"): (
                0.5 * (1 / p + 1 / q).log()
            ),
            Mistake(
                "precisions averaged", "q has the average precision: what does a product of exponentials do with exponents?"
            ): (-0.5 * ((p + q) / 2).log()),
            Mistake("roots added", "you add up 1/sigma: which power stands in the exponent?"): -(p.sqrt() + q.sqrt()).log(),
            Mistake("the narrower", "q is as narrow as the narrower of both: does the other add nothing?"): torch.minimum(u, v),
            Mistake("logarithms averaged", "the logarithms of sigma are averaged"): (u + v) / 2,
            Mistake("logarithms added", "the logarithms of sigma are added: that multiplies them"): u + v,
            Mistake("width from below", "the width from above plays no part"): u,
            Mistake("width from above", "the width from below plays no part"): v,
        }
        hint = ("take both widths 1: where lies the product?", "take both Gaussians the same: how wide is their product?")
        mistakes = (centre, width)[place]
        return diagnose(ask(a, u, b, v)[place], right[place], mistakes, hint[place], what=("mu", "log_sigma")[place])

    def extreme() -> Mistake | None:
        if ordinary(0) or ordinary(1):
            return Mistake("not yet", "judged once both are right for ordinary widths")
        up = torch.tensor([[-100.0, 100.0, -100.0], [100.0, 0.3, 100.0]])
        down = torch.tensor([[0.3, 100.0, -100.0], [0.3, -100.0, 99.0]])
        high, low = torch.tensor([[1.0, 2.0, 3.0]] * 2), torch.tensor([[-1.0, 4.0, 7.0]] * 2)
        log_p, log_q = -2 * up.double(), -2 * down.double()
        share = 1 / (1 + (log_q - log_p).exp())
        want = share * high + (1 - share) * low
        top = torch.maximum(log_p, log_q)
        log_sigma = -0.5 * (top + ((log_p - top).exp() + (log_q - top).exp()).log())
        got = ask(high, up, low, down)
        found = [tensor(g, (2, 3), name) for g, name in zip(got, ("mu", "log_sigma"), strict=True)]
        if not all(torch.isfinite(f).all() for f in found):
            return Mistake("overflow", "e^200 is infinite in float32 and e^-200 is 0: compute with logarithms and differences")
        hint = "wrong for very narrow or very wide ones: is something clamped or added?"
        return diagnose(found[0], want, {}, hint, what="mu") or diagnose(found[1], log_sigma, {}, hint, what="log_sigma")

    return [
        judge("mu is that of the product", 1, partial(ordinary, 0)),
        judge("log_sigma is that of the product", 1, partial(ordinary, 1)),
        judge("both stay right for very narrow and very wide Gaussians, in float32", 1, extreme),
    ]
