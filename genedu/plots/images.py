"""Rows of small images with a name before each row."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor


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
    for ax, title in zip(axes[0], titles or [], strict=False):
        ax.set_title(title)
    return figure
