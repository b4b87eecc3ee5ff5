"""Fidelity: are samples like real rows, and are all real rows like some sample?

The Frechet distance compares two sets by their means and covariances, as if both were Gaussian: one number for everything.
Precision and recall part it in two: a set is drawn as the union of balls around its rows, each as large as the distance to the
row's k-th nearest neighbour. Precision asks whether fakes are plausible, recall whether the real rows are covered.

    F(x, y) = |mu_x - mu_y|^2 + tr(S_x + S_y - 2 (S_x S_y)^(1/2))                          (1)
    S_x = A'A, S_y = B'B:   tr (S_x S_y)^(1/2) = sum of the singular values of A B'        (2)
    f(a, X) = 1 if |a - x| <= r_k(x) for some row x of X, else 0                           (3)
    precision = mean over fakes of f(fake, real),  recall = mean over reals of f(real, fake)                    (4)

(1) is the squared 2-Wasserstein distance of two Gaussians, in the squared unit of the features. It is 0 only for equal moments,
and estimated from n rows it is too high, the more so the smaller n is: compare at one n and give the floor, real rows against
other real rows. In (3) one outlier has a large ball, and k and the numbers of rows matter: take equally many of both.

Source:   M. Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", NIPS 2017: (1) on features of a network;
          T. Kynkaanniemi et al., "Improved Precision and Recall Metric", NeurIPS 2019, arXiv 1904.06991: (3), (4), k = 3.
          (2): S_x S_y has the eigenvalues of (A B')(A B')', as XY and YX share theirs.
Lecture:  "Generative modeling" (generate samples); "Problems with GANs".
Differs:  features are the rows themselves or any map of them, so no value compares with published ones. (2) from triangular A
          and B spares the root of S_x S_y: it is exact to rounding where covariances are singular.
"""

import math
from collections.abc import Callable
from numbers import Integral
from typing import NamedTuple

import torch
from torch import Tensor

from genedu.metrics.distances import blocks, distances, exact, nearest, rows


class PrecisionRecall(NamedTuple):
    precision: float  # share of fakes within the balls of real rows, 0..1
    recall: float  # share of real rows within the balls of fakes, 0..1


@torch.no_grad()
def frechet_distance(x: Tensor, y: Tensor, *, features: Callable[[Tensor], Tensor] | None = None) -> float:
    """(1) in the squared unit of the features: rows [n, D] and [m, D] -> a float, at least 0, in double precision.

    Args:
        features: rows of any shape -> [rows, features], called once for x and once for y, without gradient.

    Raises:
        TypeError: x, y or their features are no tensors.
        ValueError: they are not rows of finite numbers of one length, 2 or more each.
    """
    if features is not None:
        x, y = features(x), features(y)  # [n, F], [m, F]
    rows(y, "y", rows(x, "x").shape[1])
    if min(len(x), len(y)) < 2:
        raise ValueError(f"a covariance needs at least 2 rows in each set, got {len(x)} and {len(y)}")
    (mu_x, a), (mu_y, b) = _moments(exact(x)), _moments(exact(y))
    spread = a.square().sum() + b.square().sum() - 2 * torch.linalg.svdvals(a @ b.T).sum()  # eq. (2)
    return max(((mu_x - mu_y).square().sum() + spread).item(), 0.0)  # eq. (1); rounding may leave -1e-16


@torch.no_grad()
def precision_recall(real: Tensor, fake: Tensor, *, k: int = 3) -> PrecisionRecall:
    """(4) for rows [n, D] and [m, D], of pixels or, better, of features.

    Args:
        k: which neighbour gives the radius, not counting the row itself.

    Raises:
        TypeError: real or fake is no tensor.
        ValueError: they are not rows of finite numbers of one length, more than k each; k is not a whole number of at least 1.
    """
    rows(fake, "fake", rows(real, "real").shape[1])
    if not isinstance(k, Integral) or k < 1:
        raise ValueError(f"k must be a whole number of at least 1, got {k}")
    if min(len(real), len(fake)) <= k:
        raise ValueError(f"besides a row, k = {k} other rows are needed in each set, got {len(real)} and {len(fake)} rows")
    real, fake = exact(real), exact(fake)
    return PrecisionRecall(_share_inside(fake, real, k), _share_inside(real, fake, k))  # eq. (4)


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean [D] and a root A [min(n, D), D] of the covariance A'A (over n - 1): [n, D]."""
    mu = x.mean(0)
    return mu, torch.linalg.qr(x - mu, mode="r").R / math.sqrt(len(x) - 1)


def _share_inside(x: Tensor, of: Tensor, k: int) -> float:
    """The mean of (3) over rows x [n, D], of the balls around rows `of` [m, D]."""
    radius = nearest(of, of, k + 1)[:, k]  # [m]: the first neighbour of a row is the row itself
    inside = torch.cat([(distances(block, of) <= radius).any(1) for block in blocks(x, of)])  # [n], eq. (3)
    return inside.sum().item() / len(x)
