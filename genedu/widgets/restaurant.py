"""A Chinese restaurant at work: rows coloured by the table at which a sampler has seated them, for a chosen alpha and sweep."""

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from torch import Tensor

from genedu.plots import points


def draw_restaurant(
    axes: Axes,
    *,
    alpha: float,
    sweep: int,
    x: Tensor,
    run: Callable[[float], Sequence[Tensor]],
    expected: Callable[[int, float], float],
) -> None:
    """The rows `x [N, 2]` at the tables `run(alpha)[sweep]`: a colour and a marker for each of the eight largest, grey crosses
    for all others. The title counts the tables.

    Args:
        run: alpha -> the tables [N] at the start and after each sweep.
        expected: (rows, alpha) -> the mean number of tables before any row was seen.

    Raises:
        ValueError: a sweep that was not made.
    """
    seated = run(alpha)
    if not 0 <= sweep < len(seated):
        raise ValueError(f"sweep must be 0 to {len(seated) - 1}, got {sweep}")
    _, table, counts = seated[sweep].unique(return_inverse=True, return_counts=True)  # [N], [K]
    rank = counts.argsort(descending=True, stable=True).argsort()[table]  # [N]: 0 at the largest table
    rest = x[rank >= 8]
    points(axes, x[rank < 8], rank[rank < 8], size=18)
    axes.scatter(rest[:, 0], rest[:, 1], s=22, c="0.45", marker="x", linewidths=1.0, zorder=2)
    axes.set(aspect="equal")
    axes.set_title(
        f"alpha = {alpha:g}, sweep {sweep}: {len(counts)} tables, the largest has {int(counts.max())} of {len(x)} rows\n"
        f"expected before any row is seen: {expected(len(x), alpha):.1f}"
    )
