"""Maximum mean discrepancy: two sets of rows are alike if rows meet their own set no nearer than the other one.

A kernel k(x, y) says how near two rows are. For a kernel such as the Gaussian (2), (1) is zero only where p = q; it is the
squared distance of two means in the kernel's space, and needs no density: samples will do.

    MMD^2(p, q) = E k(x, x') + E k(y, y') - 2 E k(x, y),   x, x' ~ p and y, y' ~ q, all independent             (1)
    k(x, y) = mean over lengths l of exp(-|x - y|^2 / (2 l^2))                                                  (2)
    estimate: sum_{i != j} k(x_i, x_j) / (n (n - 1)) + the same of y - 2 mean_ij k(x_i, y_j)                    (3)
    p-value = (1 + divisions of the pooled rows in n + m whose (3) is at least the seen one) / (1 + P)          (4)

(3) leaves out each row's meeting with itself, so its mean is (1), and where p = q half of its values are below zero. A kernel
far too narrow sees no two rows as near, one far too wide sees only the means; to compare models fix l once. If p = q all
divisions are alike, so (4), over P random ones, is at most a with probability at most a, whatever n.

Source:   A. Gretton et al., "A Kernel Two-Sample Test", JMLR 13, 2012: (1) and (3) are Lemma 6, the median as length is in
          section 8; B. Phipson, G. Smyth, "Permutation p-values should never be zero", 2010: (4).
Lecture:  "Divergences in GANs" (integral probability measure).
Differs:  (2) is a mean over lengths where several are given; a median of two middle numbers is the lower one. Time and memory
          grow with (n + m)^2.
"""

import math
from collections.abc import Sequence
from numbers import Integral, Real

import torch
from torch import Tensor

from genedu.metrics.distances import distances, exact, rows

Lengths = float | Sequence[float] | None


def mmd2(x: Tensor, y: Tensor, bandwidths: Lengths = None) -> Tensor:
    """(3), between -2 and 2, differentiable: rows [n, D] and [m, D] -> [], in their dtype (at least float32).

    Args:
        bandwidths: the lengths l of (2), one or several, in the unit of the rows. By default the median of all distances
            between two of the n + m pooled rows, taken as a constant by the gradient.

    Raises:
        TypeError: x or y is no tensor.
        ValueError: x and y are not rows of finite numbers of one length, 2 or more each; a bandwidth is not positive and
            finite; more than half of the distances are 0 and no bandwidth is given.
    """
    _check(x, y)
    dtype = torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32)
    pooled = torch.cat([x.to(dtype), y.to(dtype)])  # [n + m, D]
    in_x = torch.cat([pooled.new_ones(len(x)), pooled.new_zeros(len(y))])  # [n + m]
    return _estimate(_kernel(pooled, bandwidths), in_x, len(x), len(y))


@torch.no_grad()
def mmd_permutation_p(x: Tensor, y: Tensor, *, bandwidths: Lengths = None, permutations: int = 200, seed: int = 0) -> float:
    """(4) for "x and y come from one distribution": rows [n, D] and [m, D] -> a float from 1 / (1 + P) to 1.

    Args:
        bandwidths: as in `mmd2`.
        permutations: P, how many divisions are drawn.
        seed: of these draws; torch's global randomness is neither used nor changed.

    Raises:
        TypeError, ValueError: as `mmd2`; permutations is not a whole number of at least 1.
    """
    _check(x, y)
    if not isinstance(permutations, Integral) or permutations < 1:
        raise ValueError(f"permutations must be a whole number of at least 1, got {permutations}")
    pooled, chance = exact(torch.cat([x, y])), torch.Generator().manual_seed(seed)  # [n + m, D]
    seen = torch.arange(len(pooled))
    drawn = [torch.randperm(len(pooled), generator=chance) for _ in range(permutations)]
    in_x = pooled.new_zeros(permutations + 1, len(pooled))  # [1 + P, n + m]
    in_x.scatter_(1, torch.stack([seen, *drawn])[:, : len(x)].to(pooled.device), 1)
    values = _estimate(_kernel(pooled, bandwidths), in_x, len(x), len(y))  # [1 + P]
    reached = (values[1:] >= values[0] - 1e3 * torch.finfo(values.dtype).eps).sum().item()  # equal but for rounding is equal
    return (1 + reached) / (1 + permutations)  # eq. (4)


def _kernel(pooled: Tensor, bandwidths: Lengths) -> Tensor:
    """(2) between all rows, 0 on the diagonal: [N, D] -> [N, N]."""
    distance = distances(pooled, pooled)  # [N, N]
    if bandwidths is None:
        i, j = torch.triu_indices(len(pooled), len(pooled), 1, device=pooled.device)  # [N (N - 1) / 2] each: all pairs
        median = distance.detach()[i, j].median()
        if median.device.type != "meta" and median == 0:
            raise ValueError("the median distance is 0: more than half of all pairs are equal rows; give bandwidths")
        lengths: list[Tensor] | list[float] = [median]
    else:
        one = isinstance(bandwidths, Real) or (isinstance(bandwidths, Tensor) and bandwidths.dim() == 0)
        lengths = [float(length) for length in ([bandwidths] if one else bandwidths)]  # type: ignore[union-attr, arg-type]
        if not lengths or not all(math.isfinite(length) and length > 0 for length in lengths):
            raise ValueError(f"bandwidths must be positive and finite numbers, at least one; got {lengths}")
    kernel = torch.stack([(-0.5 * (distance / length).square()).exp() for length in lengths]).mean(0)  # [N, N], eq. (2)
    return kernel - kernel.diagonal().diag()


def _estimate(kernel: Tensor, in_x: Tensor, n: int, m: int) -> Tensor:
    """(3) for each division of the pooled rows: [N, N] and [..., N], 1 for rows of x and 0 for those of y -> [...]."""
    to_x, to_y = in_x @ kernel, (1 - in_x) @ kernel  # [..., N]: how near a row is to all of x, and to all of y
    xx, yy, xy = (in_x * to_x).sum(-1), ((1 - in_x) * to_y).sum(-1), (in_x * to_y).sum(-1)  # [...]
    return xx / (n * (n - 1)) + yy / (m * (m - 1)) - 2 * xy / (n * m)  # eq. (3)


def _check(x: Tensor, y: Tensor) -> None:
    rows(y, "y", rows(x, "x").shape[1])
    if min(len(x), len(y)) < 2:
        raise ValueError(f"x and y need at least 2 rows each, got {len(x)} and {len(y)}")
