"""What an autoencoder gives back: images, what it was shown of them, and its answer, for a code size and a noise."""

from collections.abc import Callable

import torch
from matplotlib.axes import Axes
from torch import Tensor


def draw_reconstructions(
    axes: Axes,
    *,
    code: int,
    noise: float,
    x: Tensor,
    eps: Tensor,
    run: Callable[[int, float], Callable[[Tensor], Tensor]],
) -> None:
    """Three rows of images: `x [N, 1, H, W]`, the same with `noise * eps` added, and what `run(code, noise)` makes of that.

    The title tells the mean squared distance to `x` of the second and of the third row, over the pixels of an image.

    Args:
        run: (code size, noise of its training) -> reconstruct, [N, 1, H, W] -> [N, 1, H, W].

    Raises:
        ValueError: x and eps are no images of one shape.
    """
    if x.dim() != 4 or x.shape[1] != 1 or x.shape != eps.shape or len(x) == 0:
        raise ValueError(f"x and eps must be images [N, 1, H, W] of one shape, got {list(x.shape)} and {list(eps.shape)}")
    shown, reconstruct = x + noise * eps, run(code, noise)
    with torch.no_grad():
        back = reconstruct(shown)
    before, after = ((images - x).square().flatten(1).sum(1).mean().item() for images in (shown, back))
    for i, (name, images) in enumerate({"image": x, "shown": shown, "given back": back}.items()):
        row = torch.cat([*torch.nn.functional.pad(images[:, 0], (0, 1), value=torch.nan)], 1)  # [H, N (W + 1)]
        inset = axes.inset_axes((0.12, (2 - i) / 3, 0.88, 0.31))
        inset.imshow(row.cpu().numpy(), vmin=0, vmax=1)
        inset.set(xticks=[], yticks=[])
        inset.set_ylabel(name, rotation=0, ha="right", va="center")
        inset.grid(False)
        inset.spines[:].set_visible(False)
    axes.set_axis_off()
    axes.set_title(f"{code} numbers, noise {noise:g}: squared error {before:.2f} before, {after:.2f} after")
