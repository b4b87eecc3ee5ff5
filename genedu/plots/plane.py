"""Pictures of the plane: points, a density, the regions of a classifier."""

from collections.abc import Callable

import torch
from matplotlib.axes import Axes
from torch import Tensor

from genedu.plots.style import PALETTE

MARKERS = "osD^vPX*"


def points(axes: Axes, x: Tensor, y: Tensor | None = None, *, names: list[str] | None = None, size: float = 20) -> None:
    """Rows of `x [N, 2]`, a colour and a marker for each label of `y [N]`.

    Raises:
        ValueError: x is not [N, 2].
    """
    if x.dim() != 2 or x.shape[1] != 2:
        raise ValueError(f"x must be [N, 2], got {list(x.shape)}")
    labels = torch.zeros(len(x), dtype=torch.long) if y is None else y.cpu()
    for k in labels.unique().tolist():
        part = x.detach().cpu()[labels == k]
        axes.scatter(
            part[:, 0],
            part[:, 1],
            s=size,
            c=PALETTE[k % len(PALETTE)],
            marker=MARKERS[k % len(MARKERS)],
            edgecolors="white",
            linewidths=0.4,
            label=names[k] if names else None,
            zorder=2,
        )
    axes.set(xlabel="$x_1$", ylabel="$x_2$")
    if names:
        axes.legend(loc="upper right", frameon=True)


def lattice(limits: tuple[float, float, float, float], steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Grid lines and nodes of the box (left, right, bottom, top): [steps], [steps], [steps^2, 2]."""
    left, right, bottom, top = limits
    a, b = torch.linspace(left, right, steps), torch.linspace(bottom, top, steps)
    return a, b, torch.cartesian_prod(b, a).flip(1)  # rows run along x_1


def density_map(
    axes: Axes, log_prob: Callable[[Tensor], Tensor], *, limits: tuple[float, float, float, float], steps: int = 120
) -> None:
    """The density exp(log_prob(x)) of points x [N, 2] as filled contours, darker where it is lower."""
    a, b, nodes = lattice(limits, steps)
    with torch.no_grad():
        p = log_prob(nodes).exp().view(steps, steps)
    axes.contourf(a, b, p.cpu(), levels=12)
    axes.set(xlabel="$x_1$", ylabel="$x_2$")
    axes.grid(False)


def decision_map(
    axes: Axes, probability: Callable[[Tensor], Tensor], *, limits: tuple[float, float, float, float], steps: int = 80
) -> None:
    """p(class 1 | x) over the plane: colour from class 0 to class 1, and the line where both are equally likely.

    Args:
        probability: [N, 2] -> [N], the probability of class 1.
    """
    a, b, nodes = lattice(limits, steps)
    with torch.no_grad():
        p = probability(nodes).view(steps, steps).cpu()
    axes.contourf(a, b, p, levels=torch.linspace(0, 1, 11).tolist(), cmap="cividis", alpha=0.55)
    if p.min() < 0.5 < p.max():
        axes.contour(a, b, p, levels=[0.5], colors="black", linewidths=1.5)
    axes.set(xlabel="$x_1$", ylabel="$x_2$", xlim=limits[:2], ylim=limits[2:])
    axes.grid(False)
