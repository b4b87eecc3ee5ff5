"""A generator that is told a class: the same noise under one class, under another, and under a class between the two."""

from collections.abc import Callable

import torch
from matplotlib.axes import Axes
from torch import Tensor

from genedu.widgets.image_strips import draw_strips


def draw_class_and_noise(
    axes: Axes,
    *,
    y: int,
    towards: int,
    share: float,
    noise: float,
    z: Tensor,
    generate: Callable[[Tensor, Tensor], Tensor],
    judge: Callable[[Tensor], Tensor],
    classes: int = 10,
) -> None:
    """Three rows of images from the codes `noise * z` [N, Z], one code a column: of class `y`, mixed, and of class `towards`.

    The mixed row has (1 - share) of the one-hot row of y and share of that of `towards`. The title tells what the judge reads
    the images of the mixed row as.

    Args:
        generate: codes [N, Z] and weights of classes [N, K] -> images [N, 1, H, W] of values in [0, 1].
        judge: images [N, 1, H, W] -> logits [N, K].

    Raises:
        ValueError: share not in [0, 1], or y or towards is no class.
    """
    if not 0 <= share <= 1 or not (0 <= y < classes and 0 <= towards < classes):
        raise ValueError(f"share must be 0 to 1 and both classes 0 to {classes - 1}, got {share}, {y} and {towards}")
    one_hot = torch.eye(classes, dtype=z.dtype, device=z.device)
    weights = torch.stack([one_hot[y], (1 - share) * one_hot[y] + share * one_hot[towards], one_hot[towards]])  # [3, K]
    with torch.no_grad():
        x = generate(noise * z.repeat(3, 1), weights.repeat_interleave(len(z), 0))  # [3 N, 1, H, W]
        named = judge(x[len(z) : 2 * len(z)]).argmax(1).tolist()  # of the mixed row
    draw_strips(axes, list(zip((f"{y}", "mixed", f"{towards}"), x.split(len(z)), strict=True)))
    axes.set_title(f"noise times {noise:g}; the mixed row is read as " + " ".join(map(str, named)))
