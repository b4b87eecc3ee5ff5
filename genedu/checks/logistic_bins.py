"""Exercise 04.3: the mass of one bin of a logistic distribution, and its slopes, in decimal arithmetic of 60 digits."""

from decimal import Decimal, localcontext
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Normal

from genedu.checks import Mistake, Outcome, diagnose, judge, tensor
from genedu.core import seeded
from genedu.handle import Argument, Handle, Value

ONE = Decimal(1)


class Bin(NamedTuple):
    """log P of a bin in nats, and its derivatives with respect to mu and log s."""

    log_mass: float
    by_mu: float
    by_log_s: float


def sigma(z: Decimal) -> Decimal:
    return ONE / (ONE + (-z).exp())


@lru_cache(maxsize=4096)
def exact(lower: float | None, upper: float | None, mu: float, log_s: float) -> Bin:
    """The bin from `lower` to `upper` (None: without an end). What lies above mu is mirrored, so that no digits cancel."""
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = 60, -(10**9), 10**9
        s = Decimal(log_s).exp()
        a, b = (None if end is None else (Decimal(end) - Decimal(mu)) / s for end in (lower, upper))
        if a is None or (b is not None and a + b < 0):
            mass = sigma(b) - (Decimal(0) if a is None else sigma(a)) if b is not None else ONE
        else:
            mass = sigma(-a) - (Decimal(0) if b is None else sigma(-b))
        steep = [Decimal(0) if z is None else sigma(z) * sigma(-z) for z in (a, b)]  # the density at both ends
        along = [Decimal(0) if z is None else z * d for z, d in zip((a, b), steep, strict=True)]
        slopes = (steep[0] - steep[1]) / (mass * s), (along[0] - along[1]) / mass
        return Bin(float(mass.ln()), float(slopes[0]), float(slopes[1]))


def log_mass(handle: Handle) -> list[Outcome]:
    """04.3: (level [B], mu [B], log_s [B], levels) -> log P [B], nats."""

    def case(level: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with seeded(handle.seed):
            return level, 0.8 * torch.rand(len(level)).double() - 0.4, -2.2 + torch.rand(len(level)).double()

    def ask(level: Tensor, mu: Tensor, log_s: Tensor, levels: int) -> Value:
        return handle.call({"level": level, "mu": mu, "log_s": log_s, "levels": levels})

    def right(level: Tensor, mu: Tensor, log_s: Tensor, levels: int, **other: float | bool) -> Tensor:
        """log P [B], or what another rule gives: `half` a bin's width, outer levels `low` and `high`, closed ends."""
        low, high = other.get("low", -1.0), other.get("high", 1.0)
        half = other.get("half", 1 / (levels - 1))
        found = []
        for n, m, t in zip(level.tolist(), mu.tolist(), log_s.tolist(), strict=True):
            x = low + (high - low) * n / (levels - 1)
            lower = None if n == 0 and not other.get("floor") else x - half
            upper = None if n == levels - 1 and not other.get("ceiling") else x + half
            if other.get("exchanged") and (lower is None or upper is None):
                lower, upper = (x - half, None) if lower is None else (None, x + half)
            found.append(exact(lower, upper, m, t).log_mass)
        return torch.tensor(found).double()

    def inner() -> Mistake | None:
        for levels in (17, 256):
            level, mu, log_s = given = case(torch.tensor([1, 4, 8, 11, 15]) * (1 if levels == 17 else 16))
            x, s, half = 2 * level / (levels - 1) - 1, log_s.exp(), 1 / (levels - 1)
            want, z = right(*given, levels), (x.double() - mu) / s
            density = -z - log_s - 2 * torch.log1p((-z).exp())
            normal = Normal(mu, s)
            steps = torch.sigmoid((x + half - mu) * s) - torch.sigmoid((x - half - mu) * s)
            mistakes = {
                Mistake("no logarithm", "this is P: its logarithm is wanted"): want.exp(),
                Mistake("sign turned", "the sign is turned: this is a loss"): -want,
                Mistake("double width", "the bins overlap: how far does one reach to each side?"): (
                    right(*given, levels, half=2 * half)
                ),
                Mistake("half width", "there are gaps between the bins: how far does one reach to each side?"): (
                    right(*given, levels, half=half / 2)
                ),
                Mistake("one level too many", "the bins do not quite meet: K levels have how many steps between them?"): (
                    right(*given, levels, half=1 / levels)
                ),
                Mistake("levels in [0, 1]", "the levels lie in [0, 1]: what does the text spread them over?"): (
                    right(*given, levels, low=0.0, half=half / 2)
                ),
                Mistake("wrong units", "the levels lie in [0, 1], the bins are as wide as in [-1, 1]"): right(
                    *given, levels, low=0.0
                ),
                Mistake("centre turned", "mu goes up and the mass goes down with it: look at its sign"): right(
                    level, -mu, log_s, levels
                ),
                Mistake("scale turned", "a large s must make a wide distribution: yours gets narrow"): steps.log(),
                Mistake("density", "this is the density at the level: a mass is wanted"): density,
                Mistake(
                    "density times width", "near (4), but no difference of sigma: in a narrow distribution a density is no mass"
                ): (density + torch.tensor(2 * half).log()),
                Mistake("another distribution", "these are masses of a normal distribution: (4) has another one"): (
                    (normal.cdf(x + half) - normal.cdf(x - half)).log()
                ),
                Mistake("one edge", "this is the mass below the upper edge of the bin: does the bin have no lower one?"): (
                    torch.sigmoid(z + half / s).log()
                ),
                Mistake("no scale", "s plays no part"): right(level, mu, 0 * log_s, levels),
            }
            if mistake := diagnose(ask(*given, levels), want, mistakes, "take K = 3, level 1, mu = 0 and s = 1, and compute (4)"):
                return mistake
        return None

    def ends() -> Mistake | None:
        for levels in (17, 4):
            level, mu, log_s = given = case(torch.tensor([0, levels - 1, 1, 0, levels - 1, levels - 2]))
            x = 2.0 * level / (levels - 1) - 1
            z = (x - mu) / log_s.exp() * -x.sign()
            at_level = torch.where(x.abs() == 1, torch.log(1 - torch.sigmoid(-z)), right(*given, levels))
            mistakes = {
                Mistake("ends cut off", "the masses of all levels add up to less than 1: how far do the outer bins reach?"): (
                    right(*given, levels, floor=True, ceiling=True)
                ),
                Mistake("top cut off", "level 0 is right, the highest level is not"): right(*given, levels, ceiling=True),
                Mistake("bottom cut off", "the highest level is right, level 0 is not"): right(*given, levels, floor=True),
                Mistake(
                    "ends at the levels", "an outer bin ends at the level itself: on its inner side it is like any other"
                ): at_level,
                Mistake("ends exchanged", "the bin of level 0 reaches up, that of the highest level down"): (
                    right(*given, levels, exchanged=True)
                ),
            }
            got = ask(*given, levels)
            if mistake := diagnose(got, right(*given, levels), mistakes, "add up P over all levels, for K = 2 and K = 3"):
                return mistake
        return None

    def extreme() -> Mistake | None:
        if inner() or ends():
            return Mistake("not yet", "judged once it is right for mu near the levels")
        level = torch.tensor([0, 3, 8, 16] * 2)
        with seeded(handle.seed):
            mu, log_s = 1000 * torch.tensor([1.0] * 4 + [-1.0] * 4) * (0.9 + 0.1 * torch.rand(8)), torch.rand(8) - 3
        edge = 1 / 16
        bins = []
        for n, m, t in zip(level.tolist(), mu.tolist(), log_s.tolist(), strict=True):
            x = n / 8 - 1
            bins.append(exact(None if n == 0 else x - edge, None if n == 16 else x + edge, m, t))
        values, by_mu, by_log_s = (torch.tensor(column) for column in zip(*bins, strict=True))
        got = tensor(ask(level, mu, log_s, 17), (8,)).to(values)
        if not torch.isfinite(got).all():
            return Mistake(
                "underflow", "both terms of (4) are 0 or 1 to the computer, and log 0 is infinite: bring (4) into another form"
            )
        if (got > values + 10).any():
            return Mistake("clamped", "a level far from mu costs too little: is something clamped, cut off or added?")
        if mistake := diagnose(got, values, {}, "right near the levels, wrong for mu = 1000", tolerance=2e-3):
            return mistake
        inputs: dict[str, Argument] = {"level": level, "mu": mu, "log_s": log_s, "levels": 17}
        for name, want in (("mu", by_mu), ("log_s", by_log_s)):
            slope = handle.gradient(inputs, of=[name])[name]
            if slope is None:
                return Mistake("gradient lost", f"no gradient reaches {name}: what cuts the path?")
            if not torch.isfinite(slope).all():
                return Mistake(
                    "gradient not finite",
                    f"the value is right, the gradient by {name} is not finite: a branch not taken still counts",
                )
            if mistake := diagnose(
                slope, want, {}, f"the value is right for mu = 1000, the gradient by {name} is not", tolerance=5e-3
            ):
                return mistake
        return None

    return [
        judge("an inner level has the mass of (4)", 1, inner),
        judge("the outer bins have no end, so that the masses add up to 1", 1, ends),
        judge("value and gradient are right for mu = -1000 and 1000, in float32", 1, extreme),
    ]
