"""Joined: a network that sees several inputs, laid side by side.

    out = f([a, b, ...]),   each input flattened to one row of numbers                      (1)

The plainest way to tell a network the class: its one-hot row stands beside the noise, or beside the pixels.
"""

import torch
from torch import Tensor, nn


class Joined(nn.Module):
    """(1): inputs [B, ...], any number of them -> what `net` makes of rows [B, all their numbers].

    Args:
        net: [B, D] -> anything, D the numbers of all inputs together.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, *parts: Tensor) -> Tensor:
        return self.net(torch.cat([part.flatten(1) for part in parts], 1))  # eq. (1)
