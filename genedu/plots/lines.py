"""Lines with their error bands, the course of a training, and histograms laid over each other."""

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from genedu.plots.style import PALETTE

MARKERS = "osD^vPX*"


def curves(
    axes: Axes,
    x: Sequence[float],
    series: dict[str, Sequence[float]],
    *,
    xlabel: str,
    ylabel: str,
    errors: dict[str, Sequence[float]] | None = None,
    log_x: bool = False,
    bounds: dict[str, float] | None = None,
) -> None:
    """One line with markers for each series over `x`; `errors` are drawn as bands, `bounds` as dashed levels with a name.

    Raises:
        ValueError: a series is not as long as x.
    """
    for i, (name, y) in enumerate(series.items()):
        if len(y) != len(x):
            raise ValueError(f"series {name!r} must have one value for each of the {len(x)} x, got {len(y)}")
        colour = PALETTE[i % len(PALETTE)]
        axes.plot(x, y, marker=MARKERS[i % len(MARKERS)], markersize=5, color=colour, label=name)
        if errors and name in errors:
            low = [a - b for a, b in zip(y, errors[name], strict=True)]
            high = [a + b for a, b in zip(y, errors[name], strict=True)]
            axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
    _named_levels(axes, bounds)
    if log_x:
        axes.set_xscale("log")
        axes.set_xticks(list(x), [f"{v:g}" for v in x])
        axes.minorticks_off()
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.legend()


def loss_history(
    axes: Axes,
    history_values: dict[str, Sequence[float]],
    *,
    xlabel: str = "round",
    ylabel: str = "loss (nats)",
    smooth: int = 1,
    floor: dict[str, float] | None = None,
) -> None:
    """What training recorded, a line for each name over 1, 2, ...: raw values faint, their running mean bold.

    Values that are not finite break the lines where they stand.

    Args:
        history_values: for instance `history.losses` of `fit`; series may differ in length.
        smooth: the running mean is over the finite ones of the last `smooth` values (of those that are there, at the start);
            1 draws the values themselves, bold.
        floor: levels which no loss can pass, or which one should, drawn dashed and named.

    Raises:
        ValueError: no series, or an empty one; smooth below 1.
    """
    if not history_values or any(len(v) == 0 for v in history_values.values()):
        raise ValueError(
            f"history_values must hold at least one value a name, got { {k: len(v) for k, v in history_values.items()} }"
        )
    if smooth < 1:
        raise ValueError(f"smooth must be a number of values, at least 1, got {smooth}")
    for i, (name, values) in enumerate(history_values.items()):
        colour = PALETTE[i % len(PALETTE)]
        y = torch.as_tensor(values, dtype=torch.float64).detach().cpu()  # [T]
        finite = y.isfinite()
        y = y.where(finite, torch.nan)
        rounds = range(1, len(y) + 1)
        if smooth > 1:
            axes.plot(rounds, y, color=colour, alpha=0.3, linewidth=0.8)
        both = torch.stack([y.nan_to_num(), finite.double()])  # [2, T]: values and their count
        total, count = torch.cat([y.new_zeros(2, smooth - 1), both], -1).unfold(-1, smooth, 1).sum(-1)  # [T] each
        axes.plot(rounds, (total / count).where(finite, torch.nan), color=colour, label=name)
    _named_levels(axes, floor)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.legend()


def _named_levels(axes: Axes, levels: dict[str, float] | None) -> None:
    for name, level in (levels or {}).items():
        axes.axhline(level, color="black", linestyle="--", linewidth=1)
        axes.annotate(name, (0.01, level), xycoords=("axes fraction", "data"), va="bottom", fontsize=8)


def histograms(
    axes: Axes, values: dict[str, Tensor], *, xlabel: str, bins: int = 40, limits: tuple[float, float] | None = None
) -> None:
    """Histograms over common bins, each with area one, told apart by colour and by hatching.

    Args:
        limits: values beyond are counted in the first and the last bin; by default nothing is beyond.

    Raises:
        ValueError: no values, or values that are not finite.
    """
    flat = {name: v.detach().flatten().cpu().double() for name, v in values.items()}
    if not flat or any(len(v) == 0 or not v.isfinite().all() for v in flat.values()):
        raise ValueError("values must be finite, at least one for each name: a histogram has no place for the others")
    low, high = limits or (min(float(v.min()) for v in flat.values()), max(float(v.max()) for v in flat.values()))
    for i, (name, v) in enumerate(flat.items()):
        colour, hatch = PALETTE[i % len(PALETTE)], ("", "///", "...", "\\\\\\")[i % 4]
        axes.hist(
            v.clamp(low, high).numpy(),
            bins=bins,
            range=(low, high),
            density=True,
            alpha=0.45,
            color=colour,
            hatch=hatch,
            edgecolor=colour,
            label=name,
        )
    axes.set(xlabel=xlabel, ylabel="density")
    axes.legend()
