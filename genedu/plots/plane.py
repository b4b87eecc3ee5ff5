"""Pictures of the plane: points, a density, the ellipses of Gaussians, the regions of a classifier."""

from collections.abc import Callable

import torch
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse
from matplotlib.patheffects import withStroke
from torch import Tensor

from genedu.plots.style import PALETTE

MARKERS = "osD^vPX*"
MASSES = {0.5: "solid", 0.9: "dashed", 0.99: "dotted"}
NATS = 12


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
    axes: Axes,
    log_prob: Callable[[Tensor], Tensor],
    *,
    limits: tuple[float, float, float, float],
    steps: int = 120,
    lines: bool = False,
    log: bool = False,
) -> None:
    """The density exp(log_prob(x)) of points x [N, 2] as filled contours, darker where it is lower.

    Args:
        limits: the box (left, right, bottom, top) on which it is looked at, at steps x steps places.
        lines: draw no areas, only the lines around the smallest regions that hold 50 % (solid), 90 % (dashed) and 99 % (dotted)
            of the mass inside the box, as the lattice sees it: peaks narrower than its step are missed, so raise `steps`.
            They lie over points, and `axes.legend()` names them.
        log: fill by log density, a step a nat, down to 12 nats below the highest; what is lower is all one colour.
            The lines are the same with it or without.

    Raises:
        ValueError: nan, or no mass at all, or infinite density, on the lattice.
    """
    a, b, nodes = lattice(limits, steps)
    with torch.no_grad():
        log_p = log_prob(nodes).cpu().view(steps, steps)
    if not log_p.max().isfinite():  # the largest of several is nan if one is
        raise ValueError(f"log_prob must be a number below inf, above -inf somewhere in {limits}; its largest is {log_p.max():g}")
    if lines:
        p = (log_p - log_p.max()).exp()  # no underflow
        for mass, style in MASSES.items():
            level = mass_level(p, mass)
            if level is not None:
                axes.contour(a, b, p, levels=[level], colors="black", linewidths=1.2, linestyles=[style], zorder=3)
            axes.plot([], [], color="black", linewidth=1.2, linestyle=style, label=f"{mass:.0%} of the mass")
    elif log:
        low = log_p.max() - NATS
        levels = torch.linspace(float(low), float(log_p.max()), NATS + 1).tolist()
        axes.contourf(a, b, log_p.clamp(min=float(low) - 1), levels=levels, extend="min")
    else:
        axes.contourf(a, b, log_p.exp(), levels=12)
    axes.set(xlabel="$x_1$", ylabel="$x_2$")
    axes.grid(False)


def mass_level(p: Tensor, mass: float) -> float | None:
    """The height that the smallest set of cells with this share of the mass lies above: p [...] >= 0 on a lattice.

    Halfway between the lowest density inside and the highest outside; None where nothing is outside.
    """
    falling = p.flatten().double().sort(descending=True).values
    inside = falling[(falling.cumsum(0) >= mass * falling.sum() * (1 - 1e-9)).nonzero()[0, 0]]
    outside = falling[falling < inside]
    return float((inside + outside[0]) / 2) if len(outside) else None


def ellipses(
    axes: Axes,
    means: Tensor,
    covariances: Tensor,
    *,
    weights: Tensor | None = None,
    responsibilities: Tensor | None = None,
    numbers: bool = True,
) -> None:
    """Gaussians in the plane as 2-sigma ellipses (86.5 % of the mass), a colour and a number for each component.

    Args:
        means: [K, 2].
        covariances: [K, 2, 2].
        weights: [K], not negative; the line is the bolder and the more opaque the larger the weight.
        responsibilities: [N, K], p(k|x) of N points: the weights are their means over the points.
        numbers: write the number of each component at its mean; it hides an ellipse that is smaller than a digit.

    Raises:
        ValueError: shapes that do not fit; both weights and responsibilities; a weight that is negative or not finite;
            a covariance that is not symmetric and positive semi-definite.
    """
    m, s = means.detach().cpu().double(), covariances.detach().cpu().double()
    k = len(m)
    if m.shape != (k, 2) or k == 0 or s.shape != (k, 2, 2):
        raise ValueError(f"means must be [K, 2] and covariances [K, 2, 2], got {list(m.shape)} and {list(s.shape)}")
    if weights is not None and responsibilities is not None:
        raise ValueError("give weights or responsibilities, not both: the weights are the means of the responsibilities")
    w = weights if responsibilities is None else responsibilities.mean(0)
    w = torch.ones(k) if w is None else w.cpu()
    if w.shape != (k,) or not ((w >= 0) & w.isfinite()).all() or w.sum() == 0:
        raise ValueError(f"weights must be {k} finite numbers >= 0, one of them above, got {w.tolist()}")
    if not (m.isfinite().all() and s.isfinite().all() and torch.allclose(s, s.mT, atol=1e-6)):
        raise ValueError("means and covariances must be finite, covariances symmetric")
    variance, direction = torch.linalg.eigh(s)  # [K, 2] rising, [K, 2, 2]
    if (variance < -1e-6 * variance[:, 1:]).any():
        raise ValueError(f"covariances must be positive semi-definite, got eigenvalues {variance.min(0).values.tolist()}")
    axis = 2 * variance.clamp(min=0).sqrt()  # [K, 2]: half the minor and the major axis
    angle = torch.atan2(direction[:, 1, 1], direction[:, 0, 1]).rad2deg()  # [K]: of the major axis
    for i, share in enumerate((w / w.max()).tolist()):
        colour = PALETTE[i % len(PALETTE)]
        axes.add_patch(
            Ellipse(
                tuple(m[i].tolist()),
                2 * float(axis[i, 1]),
                2 * float(axis[i, 0]),
                angle=float(angle[i]),
                fill=False,
                edgecolor=colour,
                linewidth=0.8 + 1.7 * share,
                alpha=0.35 + 0.65 * share,
                zorder=3,
            )
        )
        if not numbers:
            continue
        axes.annotate(
            str(i),
            tuple(m[i].tolist()),
            color=colour,
            ha="center",
            va="center",
            weight="bold",
            path_effects=[withStroke(linewidth=3, foreground="white")],
            zorder=4,
        )
    axes.autoscale_view()
    axes.set(xlabel="$x_1$", ylabel="$x_2$")


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
