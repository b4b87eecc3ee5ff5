"""Exercise 07.2: draws from a diagonal Gaussian that gradients pass through. Their law, their chance, their slopes."""

import math

import torch
from torch import Tensor

from genedu.checks import Mistake, Outcome, close, judge, tensor
from genedu.core import seeded
from genedu.handle import Argument, CallFailed, Handle

ROWS = 4000
SLACK = 5 / math.sqrt(ROWS)  # five standard errors of the mean of standard normal numbers
FEW = 50


def sample_posterior(handle: Handle) -> list[Outcome]:
    """07.2: (mu [B, Z], log_sigma [B, Z]) -> a draw z [B, Z] of N(mu, sigma²) through which gradients flow."""
    with seeded(handle.seed):
        centre = torch.tensor([1.0, -2.0, 0.5]) + 0.3 * torch.randn(3)  # [Z]
        log_width = torch.tensor([-1.5, 0.4, -0.7]) + 0.1 * torch.randn(3)
    mu, log_sigma = centre.expand(ROWS, 3), log_width.expand(ROWS, 3)

    def draws(seed: int, rows: int = ROWS) -> Tensor:
        z = tensor(handle.call({"mu": mu[:rows], "log_sigma": log_sigma[:rows]}, seed=handle.seed + seed), (rows, 3), "z")
        if not z.is_floating_point():
            raise CallFailed("z must be real numbers, it is rounded to whole ones", "whole numbers")
        return z.float()

    def spread(z: Tensor) -> Mistake | None:
        """The standard deviation of each unit."""
        width, got = log_width.exp(), z.std(0)  # [Z]
        if torch.allclose(got, width, rtol=SLACK, atol=0):
            return None
        known = {
            Mistake("sigma taken for its logarithm", "you take the logarithm of sigma for sigma"): log_width.abs(),
            Mistake("logarithm of the variance", "you take the logarithm of sigma for that of its square"): (log_width / 2).exp(),
            Mistake("variance for sigma", "the noise is scaled with the variance: what scales a standard normal number?"): width
            ** 2,
            Mistake("sigma ignored", "the spread of z does not depend on log_sigma"): torch.ones(3),
            Mistake("inverse", "the narrower q should be, the wider is yours"): 1 / width,
        }
        near = (m for m, s in known.items() if torch.allclose(got, s, rtol=SLACK, atol=0))
        return next(near, Mistake("", "the standard deviation of z is not sigma: draw many z for one row and look"))

    def law() -> Mistake | None:
        z = draws(0)
        if not z.isfinite().all():
            return Mistake("not finite", "z is nan or infinite somewhere")
        if close(z, mu):
            return Mistake("no noise", "this is the centre of q itself: where is the noise?")
        if (z - z[0]).abs().max() < 1e-5:
            return Mistake("one noise for all rows", "all rows get the same noise: each needs its own")
        if mistake := spread(z):
            return mistake
        eps = (z - mu) / log_sigma.exp()  # [B, Z]
        if (eps.mean(0) + centre / log_width.exp()).abs().max() < SLACK:
            return Mistake("mu ignored", "z lies around 0, whatever mu is")
        if (eps.mean(0).abs() > SLACK).any():
            return Mistake("centre moved", "the average of many draws is not mu")
        if (eps.abs().mean(0) - math.sqrt(2 / math.pi)).abs().max() > 0.6 * SLACK:
            return Mistake("not Gaussian", "centre and spread are right, the shape is not that of a Gaussian")
        if (torch.corrcoef(eps.T) - torch.eye(3)).abs().max() > 2 * SLACK:
            return Mistake("units share noise", "the units of a row move together: each needs noise of its own")
        if torch.corrcoef(torch.stack([eps[1:, 0], eps[:-1, 0]]))[0, 1].abs() > 2 * SLACK:
            return Mistake("rows share noise", "a row and the next move together: each needs noise of its own")
        if not torch.equal(draws(1), draws(1)):
            return Mistake("own generator", "with one seed the draw must be one: chance must come from torch's global generator")
        if torch.equal(draws(1), draws(2)):
            return Mistake("fixed seed", "each call must draw anew: is a seed fixed inside?")
        away = torch.arange(float(FEW))[:, None]  # [FEW, 1]: with the same noise each row moves by as much as its mu
        moved = tensor(handle.call({"mu": mu[:FEW] + away, "log_sigma": log_sigma[:FEW]}, seed=handle.seed), (FEW, 3), "z")
        if not close(moved.float(), draws(0, FEW) + away):
            return Mistake("rows mixed", "where rows have different mu, z does not follow each: does a row use its own?")
        return None

    def slopes() -> Mistake | None:
        if spread(draws(0)):
            return Mistake("not yet", "judged once z has the right spread")
        few: dict[str, Argument] = {"mu": mu[:FEW], "log_sigma": log_sigma[:FEW]}
        found = handle.gradient(few, of=["mu", "log_sigma"], seed=handle.seed)
        by_mu, by_log_sigma = found["mu"], found["log_sigma"]
        if by_mu is None and by_log_sigma is None:
            return Mistake("cut off", "no gradient reaches the encoder: z is cut off from mu and from log_sigma")
        if by_mu is None:
            return Mistake("mu cut off", "no gradient reaches mu: it is cut off on the way")
        if by_log_sigma is None:
            return Mistake("sigma cut off", "no gradient reaches log_sigma: it is cut off on the way")
        noise = draws(0, FEW) - mu[:FEW]  # [FEW, Z], sigma times the noise
        if close(by_mu, torch.ones(FEW, 3)) and close(by_log_sigma, noise):
            return None
        if close(by_mu, torch.zeros(FEW, 3)) and close(by_log_sigma, torch.zeros(FEW, 3)):
            return Mistake("gradient 0", "the gradients are 0: how does z move when mu moves, with the noise held fixed?")
        return Mistake("wrong gradient", "hold the noise fixed: how does z move with mu, and how with log_sigma?")

    return [
        judge("z has the law of q, and each call draws anew", 1, law),
        judge("the gradients with respect to mu and log_sigma are right", 1, slopes),
    ]
