"""What a network may look at when it predicts a chosen pixel: a map over the image."""

from collections.abc import Callable

import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch, Rectangle
from torch import Tensor

from genedu.plots import PALETTE

COLOURS = ["white", PALETTE[0], PALETTE[1], PALETTE[3]]  # seen blue, unseen orange, a leak pink
WORDS = ["not yet drawn", "seen", "drawn before, but not seen", "seen, though it comes later: a leak"]


def kinds(seen: Tensor, row: int, column: int) -> Tensor:
    """0 to 3 as in WORDS for each pixel of [H, W], by whether it is seen and whether it comes before (row, column)."""
    place = torch.arange(seen.numel(), device=seen.device).view_as(seen)
    before = place < row * seen.shape[1] + column
    return torch.where(before, 2 - seen.long(), 3 * seen.long())


def draw_receptive_field(axes: Axes, *, net: str, row: int, column: int, fields: dict[str, Callable[[int, int], Tensor]]) -> None:
    """Colour each pixel by whether net `net` sees it when it predicts (row, column), and whether it may.

    Args:
        fields: name -> function (row, column) -> truth values [H, W].

    Raises:
        ValueError: an unknown net; a pixel outside the image.
    """
    if net not in fields:
        raise ValueError(f"net must be one of {list(fields)}, got {net!r}")
    seen = fields[net](row, column)
    height, width = seen.shape
    if not (0 <= row < height and 0 <= column < width):
        raise ValueError(f"the pixel must lie in the image of {height} x {width}, got ({row}, {column})")
    kind, before = kinds(seen, row, column), row * width + column
    axes.imshow(kind.cpu().numpy(), cmap=ListedColormap(COLOURS), vmin=-0.5, vmax=3.5, interpolation="nearest")
    axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="black", linewidth=2.5, hatch="xx"))
    axes.set_xticks([i - 0.5 for i in range(1, width)], minor=True)
    axes.set_yticks([i - 0.5 for i in range(1, height)], minor=True)
    axes.grid(False)
    axes.grid(which="minor", color="0.75", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    axes.set(xticks=range(0, width, 2), yticks=range(0, height, 2), xlabel="column", ylabel="row")
    number = [int((kind == k).sum()) for k in range(4)]
    axes.set_title(f"{net}: sees {number[1]} of {before} earlier pixels")
    shown = [Patch(facecolor=c, edgecolor="0.5", label=w) for c, w, n in zip(COLOURS, WORDS, number, strict=True) if n]
    axes.legend(handles=shown, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, fontsize=8, frameon=False)
