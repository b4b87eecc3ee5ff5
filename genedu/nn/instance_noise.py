r"""Instance noise: what a discriminator sees is blurred by noise, data and samples alike, while it is trained.

    x <- x + sigma eps,   eps ~ N(0, I)  in training;  x itself otherwise                                   (1)

Two laws that lie on two different thin sheets can nearly always be told apart; behind noise they overlap, and the discriminator's
slope says where to go. A recogniser behind noise cannot hide a code in a few faint pixels: codes must differ by more than noise.

Source:   C. Sonderby, J. Caballero, L. Theis, W. Shi, F. Huszar, "Amortised MAP Inference for Image Super-resolution", ICLR 2017;
          M. Arjovsky, L. Bottou, "Towards Principled Methods for Training Generative Adversarial Networks", ICLR 2017.
"""

import torch
from torch import Tensor, nn


class InstanceNoise(nn.Module):
    """(1), the first layer of a network: [B, ...] -> [B, ...].

    Raises:
        ValueError: sigma below 0.
    """

    def __init__(self, sigma: float) -> None:
        super().__init__()
        if not sigma >= 0:
            raise ValueError(f"sigma must be at least 0, got {sigma}")
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        return x + self.sigma * torch.randn_like(x) if self.training else x  # eq. (1)
