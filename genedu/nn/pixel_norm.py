"""Pixel norm: the features at each place of an image are scaled to mean square one.

    out_c = h_c / sqrt(mean over channels of h_c^2 + eps)                                                   (1)

No batch is involved, no mean is taken off and nothing is learned: it only keeps the sizes of a generator's features from
running away in the race with the other player.

Source:   T. Karras et al., ICLR 2018, section 4.2, eps = 1e-8.
"""

import torch
from torch import Tensor, nn


class PixelNorm(nn.Module):
    """(1): [B, C, H, W] or [B, Z] -> the same shape."""

    def forward(self, h: Tensor) -> Tensor:
        return h * torch.rsqrt(h.square().mean(1, keepdim=True) + 1e-8)  # eq. (1)
