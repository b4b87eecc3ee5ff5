"""Many small images: in rows with a name before each, or as one grid of samples."""

import math

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from genedu.core import check_values


def image_rows(
    rows: dict[str, Tensor], *, titles: list[str] | None = None, size: float = 0.75, top: float | None = None
) -> Figure:
    """One line of pictures for each entry, all on one grey scale: `{name: [N, H, W] or [N, 1, H, W]}`.

    Args:
        titles: a word above each column.
        size: edge of one picture in inches.
        top: value of the brightest grey; by default the largest value shown.

    Raises:
        ValueError: no rows, rows of different lengths, or images of another shape.
    """
    lengths = {name: len(images) for name, images in rows.items()}
    if not rows or len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise ValueError(f"rows must hold the same number of images each, at least one; got {lengths}")
    for name, images in rows.items():
        if images.dim() not in (3, 4) or (images.dim() == 4 and images.shape[1] != 1):
            raise ValueError(f"images must be [N, H, W] or [N, 1, H, W], row {name!r} is {list(images.shape)}")
    n = next(iter(lengths.values()))
    if titles is not None and len(titles) != n:
        raise ValueError(f"titles must name the {n} columns, got {len(titles)}")
    pictures = {name: images.detach().cpu().float().reshape(n, *images.shape[-2:]) for name, images in rows.items()}
    high = max(float(p.max()) for p in pictures.values()) if top is None else top
    height = size * len(rows) + (0.3 if titles else 0.05)
    figure, axes = plt.subplots(len(rows), n, figsize=(size * n + 1.1, height), squeeze=False)
    for line, (name, picture) in zip(axes, pictures.items(), strict=True):
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
        for ax, image in zip(line, picture, strict=True):
            ax.imshow(image.numpy(), vmin=0, vmax=high or 1.0)
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
            ax.spines[:].set_visible(False)
    for ax, title in zip(axes[0], titles or [], strict=False):
        ax.set_title(title)
    return figure


def image_grid(
    images: Tensor, *, columns: int = 10, size: float = 0.5, top: float | None = None, title: str | None = None
) -> Figure:
    """Many samples in one grid, row by row, on one scale from 0 to `top`: [N, H, W], [N, 1, H, W] or colour [N, 3, H, W].

    All are laid into one picture, with blank lines between them; places left over in the last row stay blank.

    Args:
        columns: images in a row; fewer images than that make one shorter row.
        size: width of one image in inches.
        top: value of the brightest grey, or of a full red, green or blue; by default the largest value shown.
        title: words above the grid.

    Raises:
        ValueError: images of another shape, none at all or not finite; columns below 1; size or top not positive.
    """
    if images.dim() not in (3, 4) or (images.dim() == 4 and images.shape[1] not in (1, 3)) or 0 in images.shape:
        raise ValueError(f"images must be [N, H, W], [N, 1, H, W] or [N, 3, H, W], none of it 0, got {list(images.shape)}")
    if columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns}")
    if size <= 0 or (top is not None and top <= 0):
        raise ValueError(f"size and top must be positive, got size {size} and top {top}")
    x = images.detach().cpu().float()
    check_values(x, torch.isfinite, "images must be finite")
    x = x if x.dim() == 4 else x[:, None]  # [N, C, H, W]
    n, channels, h, w = x.shape
    columns = min(columns, n)
    lines, gap = math.ceil(n / columns), max(1, w // 16)
    high = top or max(float(x.max()), 0.0) or 1.0
    sheet = torch.full((lines * (h + gap) - gap, columns * (w + gap) - gap, channels), torch.nan)  # [rows, columns, C]
    for i, image in enumerate(x):
        y0, x0 = i // columns * (h + gap), i % columns * (w + gap)
        sheet[y0 : y0 + h, x0 : x0 + w] = image.permute(1, 2, 0)  # [H, W, C]
    width = size * columns
    figure, ax = plt.subplots(figsize=(width + 0.1, width * len(sheet) / sheet.shape[1] + (0.35 if title else 0.1)))
    if channels == 3:
        blank = sheet.isnan().any(-1, keepdim=True)  # [rows, columns, 1]
        colour = (sheet.nan_to_num(high) / high).clamp(0, 1)
        ax.imshow(torch.cat([colour, (~blank).float()], -1).numpy())  # [rows, columns, 4]: blank is see-through
    else:
        ax.imshow(sheet[..., 0].numpy(), vmin=0, vmax=high)
    ax.set_axis_off()
    if title:
        ax.set_title(title)
    return figure
