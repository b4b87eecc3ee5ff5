"""The codes of a generator: pictures of one category and two numbers, and what becomes of them as one of the numbers moves."""

from collections.abc import Callable

import torch
from matplotlib.axes import Axes
from torch import Tensor

from genedu.widgets.image_strips import draw_strips


def draw_codes(
    axes: Axes,
    *,
    category: int,
    first: float,
    second: float,
    z: Tensor,
    generate: Callable[[Tensor, int, Tensor], Tensor],
    read: Callable[[Tensor], Tensor],
    steps: Tensor,
) -> None:
    """Three rows of pictures: other noise at the codes chosen; then the first number moved over `steps`; then the second.

    One noise `z[0]` serves the second and the third row, so that only one number changes in a row. The title tells how many
    of the pictures the recogniser reads as the category that was asked for.

    Args:
        generate: noise [N, Z], a category, numbers [N, 2] -> pictures [N, 1, H, W] in [0, 1].
        read: pictures [N, 1, H, W] -> the category that is read from each, [N].

    Raises:
        ValueError: z and steps are not [N, Z] and [N], N at least 1.
    """
    if z.dim() != 2 or steps.shape != z.shape[:1] or len(z) == 0:
        raise ValueError(f"z and steps must be [N, Z] and [N], N at least 1, got {list(z.shape)} and {list(steps.shape)}")
    chosen = torch.tensor([first, second], dtype=z.dtype, device=z.device).repeat(len(z), 1)  # [N, 2]
    moved = [torch.stack([steps, chosen[:, 1]], 1), torch.stack([chosen[:, 0], steps], 1)]
    one = z[:1].expand_as(z)
    with torch.no_grad():
        rows = [generate(noise, category, u) for noise, u in zip((z, one, one), (chosen, *moved), strict=True)]
        right = sum(int((read(x) == category).sum()) for x in rows)
    draw_strips(axes, list(zip(("noise", "$c_2$", "$c_3$"), rows, strict=True)))
    axes.set_title(f"Q reads {right} of {3 * len(z)} pictures as category {category}")
