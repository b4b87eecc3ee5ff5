r"""Receptive field: the pixels that a network's output at one pixel depends on, found by its gradient.

    seen[r', c'] = sum_{b, e, e'} |d f_e'(x_b)[r, c] / d x_b[e, r', c']|   is 0 where no path leads from there to (r, c)   (1)

Backpropagation multiplies by zero where no path leads, so the pattern of zeros is exact, whatever the weights are. Elsewhere
(1) is above 0, save for rare chance. It is the test for every model of this kind: one place at or behind (r, c) that is above 0
is a leak, and a leak makes the loss wonderful and the samples worthless.

Source:   A. van den Oord et al., "Conditional Image Generation with PixelCNN Decoders", NIPS 2016, figure 1, shows such maps;
          to find them by the gradient is common practice.
Lecture:  "PixelRNN".
Differs:  nothing.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def receptive_field(see: Callable[[Tensor], Tensor], x: Tensor, row: int, column: int) -> Tensor:
    """(1): f [B, E, H, W] -> [B, H, W, P], real numbers x [B, E, H, W] to try it on -> [H, W].

    Raises:
        ValueError: x is not real numbers [B, E, H, W]; the pixel lies outside.
    """
    if x.dim() != 4 or not (0 <= row < x.shape[2] and 0 <= column < x.shape[3]):
        raise ValueError(f"x must be [B, E, H, W] and hold the pixel, got {list(x.shape)} and ({row}, {column})")
    if not x.is_floating_point():
        raise ValueError(f"x must be real numbers, got {x.dtype}: give what is shown of levels, or x.float()")
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        out = see(x)[:, row, column]  # [B, P]
        weights = torch.linspace(1, 2, out.shape[1], device=out.device, dtype=out.dtype)  # no sum that is zero by symmetry
        total = (out * weights).sum()
        (slope,) = torch.autograd.grad(total, [x], allow_unused=True) if total.requires_grad else (None,)
    return torch.zeros_like(x[0, 0]) if slope is None else slope.abs().sum((0, 1)).detach()  # eq. (1)
