"""A discriminator that knows: it stands in for a model's own, and its logits are a gain times the right ones."""

import torch
from torch import Tensor, nn


class Knows(nn.Module):
    """Rows of `data` are data, all others are samples: logits +gain and -gain, [B]."""

    def __init__(self, data: Tensor, gain: float) -> None:
        super().__init__()
        self.data, self.gain = data, gain

    def is_data(self, x: Tensor) -> Tensor:
        return (x[:, None] == self.data[None]).flatten(2).all(-1).any(1)  # [B]

    def forward(self, x: Tensor) -> Tensor:
        flat = 0 * x.flatten(1).sum(1)  # a slope of zero, for penalties
        return self.gain * torch.where(self.is_data(x), 1.0, -1.0) + flat  # [B]
