"""Handwriting: the lines that a pen has left."""

from matplotlib.axes import Axes
from torch import Tensor

from genedu.data.strokes import inked
from genedu.plots.style import PALETTE


def ink(axes: Axes, steps: Tensor, *, title: str | None = None, colours: bool = False) -> None:
    """The lines of one row of pen steps [T, 3], true to scale and without axes; the pen's start is not drawn.

    Args:
        colours: a colour of its own for each stroke; else all are black.

    Raises:
        ValueError: steps is not [T, 3].
    """
    if steps.dim() != 2 or steps.shape[1] != 3:
        raise ValueError(f"steps must be [T, 3], one row of (dx, dy, end), got {list(steps.shape)}")
    for i, line in enumerate(inked(steps.detach().cpu())):
        colour = PALETTE[i % 6] if colours else "black"
        axes.plot(line[:, 0], line[:, 1], color=colour, solid_capstyle="round", marker="" if len(line) > 1 else ".")
    axes.set_aspect("equal")
    axes.set_axis_off()
    if title:
        axes.set_title(title)
