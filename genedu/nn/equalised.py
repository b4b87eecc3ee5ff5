"""Equalised learning rate: weights are kept at size one, and scaled to He's size each time they are used.

    out = (c w) * x + b,   * a convolution,   w ~ N(0, 1) at the start,   c = gain / sqrt(fan in)           (1)

With gain = sqrt 2 the products c w have the standard deviation that He et al. derive for ReLU networks: the variance of the
layers' outputs neither grows nor shrinks with depth. They could be drawn with that deviation at once, and the network would be
the same function. But Adam divides a step by the size of the gradient, so that a step has the size of the rate whatever the
weight's own size is. With (1) all weights are of size one, and all learn at one relative speed.

Source:   T. Karras et al., ICLR 2018, section 4.1; K. He et al., "Delving Deep into Rectifiers", ICCV 2015: c.
"""

import math

import torch
from torch import Tensor, nn


class EqualisedConv2d(nn.Module):
    """A convolution by (1), stride 1, biases 0 at the start: [B, C, H, W] -> [B, C', H', W'].

    Raises:
        ValueError: channels or kernel below 1.
    """

    def __init__(self, channels: int, out: int, kernel: int, *, padding: int = 0, gain: float = math.sqrt(2)) -> None:
        super().__init__()
        if min(channels, out, kernel) < 1:
            raise ValueError(f"channels and kernel must be at least 1, got {channels}, {out} and {kernel}")
        self.weight = nn.Parameter(torch.randn(out, channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out))
        self.scale, self.padding = gain / math.sqrt(channels * kernel * kernel), padding  # c of eq. (1)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.conv2d(x, self.scale * self.weight, self.bias, padding=self.padding)  # eq. (1)
