"""Minibatch standard deviation: a critic is told how different the rows of a batch are, so that too little variety shows.

    s = mean over channels and places of [sqrt(variance over the rows + eps) - sqrt(eps)],  one number      (1)
    out = (h, s, s, ..., s): one more channel, the same number at each place of each row                    (2)

A generator that always draws the same image is caught by (1) at once, though each single image is perfect.

Source:   T. Karras et al., ICLR 2018, section 3.
Differs:  sqrt(eps) is taken off, so that s = 0 for rows that are alike; eps = 1e-8 keeps the slope finite there. The authors'
          code takes (1) over groups of four rows, the paper and we over the batch.
"""

import math

import torch
from torch import Tensor, nn

EPS = 1e-8


class MinibatchDeviation(nn.Module):
    """(2): [B, C, H, W] -> [B, C + 1, H, W]. Rows talk: the new channel depends on all of them."""

    def forward(self, h: Tensor) -> Tensor:
        s = ((h.var(0, correction=0) + EPS).sqrt() - math.sqrt(EPS)).mean()  # eq. (1), scalar
        return torch.cat([h, s.expand_as(h[:, :1])], 1)  # eq. (2)
