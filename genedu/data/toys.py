"""Toys: points or arcs in the plane, blurred by a Gaussian, so that density, labels and entropy are known.

A generative model can be judged only where the truth is known. Here it is: K equally likely components, each a point
(radius r = 0) or half a circle, on which a place is drawn evenly and then blurred:

    p(x, k) = 1/K E[N(x; c_k + r (cos t, sin t), sigma^2 I)],  t ~ U(a_k, a_k + pi)        (1)
    p(x) = sum_k p(x, k),   p(k|x) = p(x, k) / p(x)                                        (2)
    H = -sum_k integral p(x, k) log p(x) dx                                                (3)
    two Gaussians, Delta sigma apart: no classifier errs less than Phi(-Delta/2)           (4)

For points (1) is a Gaussian. For arcs the mean over t is cut where the circle is nearest to x and farthest from it; between
them the Gaussian only falls, and a Gauss-Legendre sum over what is not negligible is exact to rounding, wherever x is. (3) is
a sum over a square lattice, whose error falls exponentially with its step: at sigma/4 it is below 1e-7 nats. If modes are
far apart, H = log K + log(2 pi e sigma^2).

Source:   ring and grid: Z. Lin et al., "PacGAN", NeurIPS 2018 (2DRing and 2DGrid in its code); moons: scikit-learn's
          `make_moons`; the lattice: L. Trefethen, J. Weideman, SIAM Review 56 (2014), section 5. (4) is ours: the
          best border is the middle line, and each class has Phi(-Delta/2) beyond it.
Lecture:  "Generative modeling"; "Problems with GANs" (mode collapse).
Differs:  the ring's sigma is 0.02 (PacGAN: 0.01), for pictures in which a mode can be seen; labels and places on the arcs are
          drawn (make_moons: equal counts, even steps), so that rows are independent draws of (1).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral

import numpy as np
import torch
from torch import Tensor

from genedu.core import rows_of, seeded

SIZES = (2000, 500, 500)  # rows of train, validation, test
NODES = 24  # of each Gauss-Legendre sum


@dataclass(frozen=True, eq=False)
class Toy:
    """Rows `[N, 2]` (float) and labels `[N]` (long, the component) in three independent parts, and the truth about them.

    `modes` [K, 2] are the components' means, None for arcs: their density has ridges. (Two means within 2 sigma
    share one peak.) `centres` [K, 2], `starts` [K] (radians) and `radius` are c, a and r of (1).
    """

    train: Tensor
    validation: Tensor
    test: Tensor
    train_labels: Tensor
    validation_labels: Tensor
    test_labels: Tensor
    modes: Tensor | None
    sigma: float
    centres: Tensor
    starts: Tensor
    radius: float

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats: [B, 2] -> [B], in x's dtype and on its device.

        Raises:
            ValueError: x is not [batch, 2] of finite real numbers.
        """
        return self._log_joint(x).logsumexp(-1)  # eq. (2)

    def posterior(self, x: Tensor) -> Tensor:
        """p(k|x), the best that any classifier can know: [B, 2] -> [B, K], rows sum to one.

        Raises:
            ValueError: x is not [batch, 2] of finite real numbers.
        """
        return self._log_joint(x).softmax(-1)  # eq. (2)

    @cached_property
    def entropy(self) -> float:
        """(3) in nats, the least mean of -log q(x) that a model q can reach. Computed when first asked for."""
        step, reach, total = self.sigma / 4, 8 * self.sigma, 0.0
        for k, centre in enumerate(self.centres):  # [2]
            line = torch.arange(-self.radius - reach, self.radius + reach, step, dtype=torch.float64)
            x = centre + torch.cartesian_prod(line, line)  # [B, 2]
            x = x[((x - centre).norm(dim=-1) - self.radius).abs() < reach]  # beyond it p(x, k) is nothing
            log_joint = self._log_joint(x)  # [B, K]
            total -= (log_joint[:, k].exp() * log_joint.logsumexp(-1)).sum().item() * step**2  # eq. (3)
        return total

    def sample(self, n: int) -> Tensor:
        """n fresh draws of (1) from torch's global randomness: [n, 2].

        Raises:
            ValueError: n below 1.
        """
        return _draw(_whole("n", n), self.centres, self.starts, self.radius, self.sigma)[0]

    def _log_joint(self, x: Tensor) -> Tensor:
        """log p(x, k) of (1): [B, 2] -> [B, K]."""
        if not x.is_floating_point():
            raise ValueError(f"x must be real numbers, got {x.dtype}: use x.float()")
        return torch.cat([self._score(part) for part in rows_of(x, 2).split(4096)])  # more at once only take more memory

    def _score(self, x: Tensor) -> Tensor:
        places, weight = self._places(x.detach()) if self.radius else (self.centres.to(x)[:, None], torch.ones_like(x[:1, :1]))
        square = ((x[:, None, None] - places) / self.sigma).square().sum(-1)  # [B, K, A]
        constant = math.log(len(self.centres) * 2 * math.pi * self.sigma**2)
        return (weight.log() - square / 2).logsumexp(-1) - constant  # [B, K], eq. (1)

    def _places(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Places on the arcs, and weights such that sums over them are means over t: [B, 2] -> [B, K, A, 2] and [B, K, A].

        At an angle s from x, the Gaussian is proportional to exp(-2 kappa sin^2(s/2)), kappa = radius |x - c| / sigma^2.
        An arc is two ranges of s, one on each side of x; each is cut where the Gaussian has lost 40 nats.
        """
        centres, starts = self.centres.to(x), self.starts.to(x)
        at, weight = (torch.from_numpy(a).to(x) for a in np.polynomial.legendre.leggauss(NODES))  # on (-1, 1), sum 2
        off = x[:, None] - centres  # [B, K, 2]
        kappa = self.radius * off.norm(dim=-1, keepdim=True) / self.sigma**2  # [B, K, 1]
        toward = torch.atan2(off[..., 1], off[..., 0])  # [B, K]
        into = torch.stack([toward - starts, starts + math.pi - toward], -1)  # [B, K, 2]: past either end of the arc
        into = torch.remainder(into + math.pi, 2 * math.pi) - math.pi  # in [-pi, pi)
        low, high = (-into).clamp(min=0), (math.pi - into).clamp(max=math.pi)  # [B, K, 2]
        high = torch.minimum(high, 2 * ((low / 2).sin().square() + 20 / kappa).clamp(max=1).sqrt().asin())
        s = low[..., None] + (high - low)[..., None] * (at + 1) / 2  # [B, K, 2, A/2]
        angle = (toward[..., None, None] + torch.stack([s[..., 0, :], -s[..., 1, :]], -2)).flatten(2)  # [B, K, A]
        share = ((high - low)[..., None] / math.pi * weight / 2).flatten(2)  # [B, K, A]
        return centres[:, None] + self.radius * torch.stack([angle.cos(), angle.sin()], -1), share


def ring(modes: int = 8, *, radius: float = 1.0, sigma: float = 0.02, sizes: Sequence[int] = SIZES, seed: int = 0) -> Toy:
    """Gaussians evenly around a circle; label k is the one at angle 2 pi k / modes.

    Raises:
        ValueError: modes below 1; radius or sigma not positive; sizes not three positive numbers.
    """
    angle = 2 * math.pi / _whole("modes", modes) * torch.arange(modes, dtype=torch.float64)  # [K]: the last is not the first
    centres = _positive("radius", radius) * torch.stack([angle.cos(), angle.sin()], -1)  # [K, 2]
    return _toy(centres, sigma, sizes, seed)


def grid(side: int = 5, *, spacing: float = 2.0, sigma: float = 0.05, sizes: Sequence[int] = SIZES, seed: int = 0) -> Toy:
    """side x side Gaussians on a square lattice around 0; label = side * column + row, from the lower left.

    Raises:
        ValueError: side below 1; spacing or sigma not positive; sizes not three positive numbers.
    """
    places = _positive("spacing", spacing) * (torch.arange(_whole("side", side), dtype=torch.float64) - (side - 1) / 2)
    return _toy(torch.cartesian_prod(places, places), sigma, sizes, seed)


def moons(*, sigma: float = 0.1, sizes: Sequence[int] = SIZES, seed: int = 0) -> Toy:
    """Two interleaved half circles of radius 1: label 0 the upper around (0, 0), 1 the lower around (1, 1/2).

    Raises:
        ValueError: sigma not positive; sizes not three positive numbers.
    """
    centres = torch.tensor([[0.0, 0.0], [1.0, 0.5]], dtype=torch.float64)
    return _toy(centres, sigma, sizes, seed, starts=torch.tensor([0.0, math.pi], dtype=torch.float64), radius=1)


def two_gaussians(distance: float = 2.0, *, sigma: float = 1.0, sizes: Sequence[int] = SIZES, seed: int = 0) -> Toy:
    """Two Gaussians, `distance` standard deviations apart (Delta of (4)): label 0 left of 0, label 1 right.

    Raises:
        ValueError: distance negative or not finite; sigma not positive; sizes not three positive numbers.
    """
    if not (math.isfinite(distance) and distance >= 0):
        raise ValueError(f"distance must be finite and at least 0, got {distance}: it counts standard deviations")
    half = distance * sigma / 2
    return _toy(torch.tensor([[-half, 0.0], [half, 0.0]], dtype=torch.float64), sigma, sizes, seed)


def _toy(centres: Tensor, sigma: float, sizes: Sequence[int], seed: int, starts: Tensor | None = None, radius: float = 0) -> Toy:
    _positive("sigma", sigma)
    if not isinstance(sizes, Sequence) or len(sizes) != 3:
        raise ValueError(f"sizes must be three numbers of rows (train, validation, test), got {sizes!r}")
    starts = torch.zeros(len(centres), dtype=torch.float64) if starts is None else starts
    with seeded(seed):
        train, validation, test = [_draw(_whole("each of sizes", n), centres, starts, radius, sigma) for n in sizes]
    x, y = zip(train, validation, test, strict=True)
    return Toy(*x, *y, None if radius else centres.float(), sigma, centres, starts, radius)


def _draw(n: int, centres: Tensor, starts: Tensor, radius: float, sigma: float) -> tuple[Tensor, Tensor]:
    """n draws (x, k) of (1): [n, 2] and [n]."""
    k = torch.randint(len(centres), (n,))
    angle = starts[k] + math.pi * torch.rand(n, dtype=torch.float64)  # [n]
    place = centres[k] + radius * torch.stack([angle.cos(), angle.sin()], -1)  # [n, 2]
    return (place + sigma * torch.randn(n, 2, dtype=torch.float64)).float(), k


def _whole(name: str, value: int) -> int:
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
    return value


def _positive(name: str, value: float) -> float:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return value
