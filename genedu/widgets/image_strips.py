"""Rows of small images in one pair of axes, each with its name before it."""

import torch
from matplotlib.axes import Axes
from torch import Tensor
from torch.nn.functional import pad


def draw_strips(axes: Axes, rows: list[tuple[str, Tensor]]) -> None:
    """One strip for each name and images [N, 1, H, W], from top to bottom, grey from 0 to 1, blank lines between the images."""
    for i, (name, images) in enumerate(rows):
        strip = torch.cat([*pad(images[:, 0], (0, 1), value=torch.nan)], 1)  # [H, N (W + 1)]
        inset = axes.inset_axes((0.08, (len(rows) - 1 - i) / len(rows), 0.92, 0.93 / len(rows)))
        inset.imshow(strip.cpu().numpy(), vmin=0, vmax=1)
        inset.set(xticks=[], yticks=[])
        inset.set_ylabel(name, rotation=0, ha="right", va="center")
        inset.grid(False)
        inset.spines[:].set_visible(False)
    axes.set_axis_off()
