"""Fits of Gaussian mixtures in which none, one or two components have collapsed onto one or two rows.

EM with a tiny ridge e runs to its end from where each cluster is known. A component with m <= D rows has a singular scatter, so
that its covariance is that of the ridge, e / pi_k, in at least one direction. Beside it stand healthy components that
look alike in one respect: a cluster of many rows narrower than the ridge makes the collapsed one, a flat cluster, and a cluster
with a smaller share of the rows. Units differ from fit to fit by up to six orders of magnitude.
"""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from genedu.checks import Mistake, Outcome, judge, tensor
from genedu.core import seeded
from genedu.density import GaussianMixture
from genedu.handle import CallFailed, Handle

ONE_ROW = 4e-6  # the variance that the ridge gives to a component of one row, where clusters are about 1 wide


class Fit(NamedTuple):
    """Rows [n, D] and parameters [K], [K, D], [K, D, D] of a fit, and which of its components have collapsed, [K]."""

    x: Tensor
    pi: Tensor
    mean: Tensor
    covariance: Tensor
    collapsed: Tensor


def clusters(dim: int, large: bool, lost: list[int]) -> list[Tensor]:
    """The rows of each component, [m, D]; the last ones have the few rows that `lost` says."""
    wide = 0.7 + 0.6 * torch.rand(dim)
    m = (torch.randint(1500, 2000, (4,)) if large else torch.randint(25, 40, (4,))).tolist()
    narrow, flat = torch.full((dim,), 1e-3), torch.tensor([1.5] + [1e-3] * (dim - 1))
    few = int(torch.randint(20, 25, ()))  # in a large data set a small share
    shapes = [(m[0], wide), (m[1], narrow), (m[2], flat), (few, 0.5 * wide), (m[3], 0.7 * wide)][: int(torch.randint(4, 6, ()))]
    centres = 10.0 * torch.arange(5)[:, None] * torch.eye(dim)[0] + torch.randn(5, dim)  # [5, D]
    found = [torch.randn(n, dim) * w @ turn(dim) + c for (n, w), c in zip(shapes, centres, strict=False)]
    for n, side in zip(lost, (3, -3), strict=False):  # at the edge of the first cluster
        half = 0.15 * turn(dim)[0]
        row = centres[0] + side * wide.amax() * torch.eye(dim)[1]
        found.append(torch.stack([row - half, row + half]) if n == 2 else row[None])
    return [c.double() for c in found]


def turn(dim: int) -> Tensor:
    """A random orthogonal matrix [D, D]."""
    return torch.linalg.qr(torch.randn(dim, dim)).Q


def fit(rows: list[Tensor], unit: float, lost: int) -> Fit:
    """EM from the clusters' own means and covariances; components and rows in a random order."""
    order, n, dim = torch.randperm(len(rows)), sum(map(len, rows)), rows[0].shape[1]
    rows = [unit * rows[k] for k in order]
    ridge = ONE_ROW * unit**2 / n
    pi = torch.tensor([len(c) / n for c in rows], dtype=torch.float64)
    mean = torch.stack([c.mean(0) for c in rows])
    added = (ridge / pi)[:, None, None] * torch.eye(dim)  # [K, D, D]
    spread = torch.stack([torch.cov(c.T, correction=0) for c in rows]) + added
    model = GaussianMixture(len(rows), dim, ridge=ridge).double()
    model.assign(pi, mean, torch.linalg.cholesky(spread))
    x = torch.cat(rows)[torch.randperm(n)]
    model.fit_em(x, init="current", progress=False)
    with torch.no_grad():
        return Fit(x, model.weights, model.mean.clone(), model.covariances(), order >= len(rows) - lost)


@lru_cache(maxsize=4)  # a class has hundreds of seeds
def collapsed_fits(seed: int) -> list[Fit]:
    """Twelve fits in 2 to 4 dimensions: four with no collapsed component, four with one, four with two."""
    found = []
    with seeded(seed):
        units = 10 ** torch.linspace(-3, 3, 12)[torch.randperm(12)]
        for i, unit in enumerate(units.tolist()):
            dim = (2, 3, 4, 3)[i // 3]
            pair = 1 if dim == 2 else 2  # two rows are at most D - 1
            lost = [[], [pair if i % 2 == 0 else 1], [1, pair]][i % 3]
            found.append(fit(clusters(dim, i % 2 == 1, lost), unit, len(lost)))
        return [found[i] for i in torch.randperm(12)]


def threshold_rules(fits: list[Fit]) -> dict[str, list[list[Tensor]]]:
    """Kinds of rules "collapsed where a quantity is below a threshold": the quantities of a kind, each [K] for each fit."""
    rows = [len(f.x) * f.pi for f in fits]
    weight = [[f.pi / norm(f.pi) for f in fits] for norm in (torch.sum, torch.mean, torch.amax, torch.median)]
    spread, relative = [], []
    least, greatest, trace, determinant = lambda e: e[..., 0], lambda e: e[..., -1], lambda e: e.sum(-1), lambda e: e.prod(-1)
    for size in (least, greatest, trace, determinant):  # of the eigenvalues e
        sizes = [size(torch.linalg.eigvalsh(f.covariance)) for f in fits]
        whole = [size(torch.linalg.eigvalsh(torch.cov(f.x.T))) for f in fits]
        spread.append(sizes)
        relative.append([s / w for s, w in zip(sizes, whole, strict=True)])
        relative += [[s / norm(s) for s in sizes] for norm in (torch.amax, torch.median, torch.mean)]
    edges = [torch.linalg.eigvalsh(f.covariance)[:, [0, -1]].log() for f in fits]  # [K, 2]
    flat = [e[:, 0] - e[:, 1] for e in edges]
    return {
        "rows": [rows],
        "weight": weight,
        "spread": spread,
        "relative spread": relative,
        "shape": [flat, [-f for f in flat]],
    }


def collapsed(handle: Handle) -> list[Outcome]:
    """02.4: (x [n, D], pi [K], mean [K, D], covariance [K, D, D]) -> [K] truth values."""

    def found() -> Mistake | None:
        fits, said = collapsed_fits(handle.seed), []
        for i, fit in enumerate(fits):
            x, pi, mean, covariance, _ = fit
            got = handle.call({"x": x, "pi": pi, "mean": mean, "covariance": covariance}, seed=i)
            got = tensor(got, (len(pi),))
            if got.dtype != torch.bool:
                raise CallFailed(f"it must return truth values (torch.bool), it returns {got.dtype}", "no truth values")
            said.append(got)
        right = [torch.equal(s, f.collapsed) for s, f in zip(said, fits, strict=True)]
        if sum(right) >= 11:
            return None
        every = torch.cat(said)
        if every.all() or not every.any():
            return Mistake("constant answer", "the answer is the same for all components: look at the numbers")
        if torch.equal(every, ~torch.cat([f.collapsed for f in fits])):
            return Mistake("reversed", "every single answer is wrong: true is for the collapsed")
        if all(s.sum() == 1 and s[f.pi.argmin()] for s, f in zip(said, fits, strict=True)):
            return Mistake("smallest weight", "you name the smallest weight of each fit: one is the smallest in good fits, too")
        if all(s.sum() == 1 for s in said):
            return Mistake("one in each fit", "you name one component in each fit: there may be none, and there may be two")
        if torch.equal(every, torch.cat([len(f.x) * f.pi for f in fits]) < 1.5):
            return Mistake("one row only", "you find those of one row, others are missed: what scatter have two rows in a space?")
        hints = {
            "rows": "you look at the right thing, and find healthy ones, too: how many rows are plenty for a covariance?",
            "weight": "so does a rule on the weights alone answer: in a large data set a small share is still many rows",
            "spread": "so does a fixed size of the covariance answer: the fits come in different units",
            "relative spread": "so does the covariance compared with others of the fit answer: a narrow cluster may be healthy",
            "shape": "so does the shape of the covariance answer: a flat cluster may be healthy, and one row is round",
        }
        for kind, quantities in threshold_rules(fits).items():
            if any(torch.cat(q)[every].max() < torch.cat(q)[~every].min() for q in quantities):
                return Mistake(kind, hints[kind])
        return Mistake("", f"right in {sum(right)} fits of 12: when has the scatter of a component a width in every direction?")

    return [judge("it finds the collapsed components in at least 11 of 12 unseen fits", 3, found)]
