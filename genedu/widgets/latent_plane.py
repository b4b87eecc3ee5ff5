"""A walk through a latent space of two dimensions: where one is among the codes of the data, and what the decoder makes there."""

import math
from collections.abc import Callable

import torch
from matplotlib.axes import Axes
from torch import Tensor

from genedu.plots import PALETTE


def numerals(axes: Axes, x: Tensor, y: Tensor, *, size: float = 16) -> None:
    """Rows of x [N, 2], each as the numeral of its label [N]: ten classes are more than colours can tell apart."""
    for k in y.unique().tolist():
        part = x[y == k].detach().cpu()
        axes.scatter(part[:, 0], part[:, 1], s=size, c=PALETTE[k % 7], marker=f"${k}$", linewidths=0.3)  # all but the yellow


def draw_latent_plane(
    axes: Axes,
    *,
    z1: float,
    z2: float,
    decode: Callable[[Tensor], Tensor],
    codes: Tensor,
    labels: Tensor,
    limit: float = 3.0,
) -> None:
    """Two panels on one Axes: left, each code [N, 2] as the numeral of its label [N], and a cross at (z1, z2); right, the image
    decoded there.

    The title says how much of the prior N(0, I) lies nearer to the origin, 1 - exp(-|z|^2 / 2), and how far the nearest code is.

    Args:
        decode: codes [1, 2] -> image [1, H, W] or [1, 1, H, W] of values in [0, 1].
        limit: the left panel shows -limit to limit.

    Raises:
        ValueError: codes are not [N, 2] with one label each.
    """
    if codes.dim() != 2 or codes.shape[1] != 2 or labels.shape != codes.shape[:1] or len(codes) == 0:
        raise ValueError(f"codes must be [N, 2] with labels [N], N >= 1, got {list(codes.shape)} and {list(labels.shape)}")
    z = torch.tensor([[z1, z2]], dtype=codes.dtype, device=codes.device)
    with torch.no_grad():
        image = decode(z)[0].detach().cpu().float()
    image = image.reshape(image.shape[-2:])  # [H, W]
    nearest = (codes - z).norm(dim=1).min().item()
    axes.set_axis_off()
    left = axes.inset_axes((0.08, 0.12, 0.5, 0.78))
    numerals(left, codes, labels)
    left.plot([z1], [z2], "x", color="black", markersize=12, markeredgewidth=3, zorder=5)
    left.set(xlim=(-limit, limit), ylim=(-limit, limit), xlabel="$z_1$", ylabel="$z_2$")
    right = axes.inset_axes((0.66, 0.22, 0.34, 0.58))
    right.imshow(image.numpy(), vmin=0, vmax=1)
    right.set(xticks=[], yticks=[], title="decoded")
    right.grid(False)
    inside = 1 - math.exp(-(z1**2 + z2**2) / 2)
    axes.set_title(
        f"z = ({z1:.1f}, {z2:.1f}): {inside:.0%} of the prior lies further in, nearest code at {nearest:.2f}", fontsize=9
    )
