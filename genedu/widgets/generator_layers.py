"""A generator from the inside: the features of one layer, channel by channel, beside the image that they become."""

import math

import torch
from matplotlib.axes import Axes
from torch import Tensor
from torch.nn.functional import pad

MOST = 64  # channels that are drawn


def draw_generator_layers(axes: Axes, *, image: int, layer: int, maps: list[Tensor]) -> None:
    """Left the image, right the maps of `layer` (0: the first), each on its own grey scale.

    Args:
        image: which row.
        maps: what each layer gave, `[N, C, H, W]`; the last one are the images themselves, with 1 or 3 channels in [0, 1].

    Raises:
        ValueError: maps of other shapes, a layer or an image that is not there.
    """
    if not maps or any(m.dim() != 4 or len(m) != len(maps[0]) for m in maps) or maps[-1].shape[1] not in (1, 3):
        raise ValueError(f"maps must be [N, C, H, W] each, the last with C = 1 or 3, got {[list(m.shape) for m in maps]}")
    if not (0 <= layer < len(maps) and 0 <= image < len(maps[0])):
        raise ValueError(f"there are {len(maps)} layers and {len(maps[0])} images, got layer {layer} and image {image}")
    features = maps[layer][image, :MOST].detach().cpu().float()  # [C, H, W]
    low, high = (f.flatten(1)[:, :, None] for f in (features.flatten(1).amin(1, True), features.flatten(1).amax(1, True)))
    scaled = (features - low) / (high - low).clamp_min(1e-9)  # [C, H, W]
    columns = math.ceil(math.sqrt(len(scaled)))
    gap = 1 if features.shape[-1] < 16 else 2
    blank = -len(scaled) % columns
    tiles = torch.cat([pad(scaled, (0, gap, 0, gap), value=torch.nan), torch.full((blank, *padded(scaled, gap)), torch.nan)])
    sheet = torch.cat([torch.cat([*line], 1) for line in tiles.split(columns)], 0)  # [lines (H + gap), columns (W + gap)]
    left, right = axes.inset_axes((0.0, 0.2, 0.36, 0.6)), axes.inset_axes((0.42, 0.0, 0.58, 0.98))
    left.imshow(maps[-1][image].detach().cpu().float().clamp(0, 1).permute(1, 2, 0).numpy(), vmin=0, vmax=1)
    left.set_title(f"image {image}", fontsize=9)
    right.imshow(sheet[:-gap, :-gap].numpy(), vmin=0, vmax=1)
    channels, side = maps[layer].shape[1], maps[layer].shape[-1]
    name = "the image" if layer == len(maps) - 1 else f"layer {layer}"
    right.set_title(f"{name}: {channels} map{'s' * (channels > 1)} of {side} x {side}", fontsize=9)
    for panel in (left, right):
        panel.set(xticks=[], yticks=[])
        panel.grid(False)
    axes.set_axis_off()


def padded(x: Tensor, gap: int) -> tuple[int, int]:
    """Height and width of one map with its gap."""
    return x.shape[1] + gap, x.shape[2] + gap
