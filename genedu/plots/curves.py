"""Lines with their error bands, and histograms laid over each other."""

from collections.abc import Sequence

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
    for name, level in (bounds or {}).items():
        axes.axhline(level, color="black", linestyle="--", linewidth=1)
        axes.annotate(name, (0.01, level), xycoords=("axes fraction", "data"), va="bottom", fontsize=8)
    if log_x:
        axes.set_xscale("log")
        axes.set_xticks(list(x), [f"{v:g}" for v in x])
        axes.minorticks_off()
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.legend()


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
