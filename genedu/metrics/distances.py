"""Distances between rows: how far each row is from all others, exactly, and in blocks so that memory stays bounded.

    d(x, y) = sqrt(sum_j (x_j - y_j)^2)                                                    (1)
            = sqrt(|x|^2 + |y|^2 - 2 x.y)                                                  (2)

(2) needs one matrix product and is what `torch.cdist` takes by itself where rows are many. But it subtracts numbers of the size
of |x|^2: rows far from the origin are then not at zero from themselves, and a copy is not seen as one. Measures that ask for the
nearest row stand on (1). All pairs of n and m rows are n m numbers; who wants the nearest only can forget the rest at once.

Source:   (1) and (2) are the law of cosines; the mode of `torch.cdist` that takes (1) is in its documentation.
Lecture:  none; `genedu.metrics.mmd`, `.coverage`, `.fidelity` and `.memorisation` stand on it.
Differs:  nothing.
"""

import torch
from torch import Tensor

from genedu.core import check_values

CELLS = 2**22  # distances that are held at once: 32 MiB of doubles


def rows(x: Tensor, name: str, dim: int | None = None) -> Tensor:
    """x itself, if it is rows of finite numbers [N, D], N and D at least 1; `name` is what the caller calls it.

    Raises:
        TypeError: x is not a tensor.
        ValueError: x is not [N, D], has not `dim` features, is empty, or holds nan or inf.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(x).__name__}: use torch.as_tensor({name})")
    if x.dim() != 2 or x.numel() == 0 or (dim is not None and x.shape[1] != dim):
        hint = f": use {name}.flatten(1)" if x.dim() > 2 else ""
        raise ValueError(f"{name} must be [rows, {dim or 'features'}] with at least one row, got {list(x.shape)}{hint}")
    check_values(x, torch.isfinite, f"{name} must be finite")
    return x


def exact(x: Tensor) -> Tensor:
    """x as constants of the highest precision that its device has: float64, or float32 on mps."""
    return x.detach().to(torch.float32 if x.device.type == "mps" else torch.float64)


def distances(x: Tensor, y: Tensor) -> Tensor:
    """(1) for all pairs, in the unit of the rows, differentiable: [N, D] and [M, D], real, of one dtype -> [N, M].

    Raises:
        RuntimeError: torch's own, where shapes or dtypes do not fit.
    """
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")  # eq. (1)


def blocks(x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
    """x [N, D] cut into blocks of rows, such that one block has at most `CELLS` distances to y [M, D] (or is one row).

    Raises:
        ZeroDivisionError: y has no row.
    """
    return x.split(max(1, CELLS // len(y)))


def nearest(x: Tensor, y: Tensor, k: int) -> Tensor:
    """The k smallest distances from each row of x to rows of y, rising: [N, D] and [M, D] -> [N, k].

    For x = y the first is 0: the row itself.

    Raises:
        RuntimeError: torch's own, where shapes do not fit or k is above M.
    """
    return torch.cat([distances(block, y).topk(k, largest=False).values for block in blocks(x, y)])  # [N, k]
