r"""Masked linear layer: a linear layer some of whose weights are held at 0, so that an output cannot see certain inputs.

    y_i = b_i + sum_j M_ij W_ij x_j,   M_ij = 1 where output i may see input j, else 0                      (1)
    dL/dW_ij = M_ij dL/dy_i x_j                                                                             (2)

The mask is applied in each call, not once to the weights: an optimiser may then do to a masked weight what it likes. By (2) it
gets no gradient. Layers in a row see through paths: output i may see input j where the product of their masks is not 0.

Source:   M. Germain, K. Gregor, I. Murray, H. Larochelle, "MADE: Masked Autoencoder for Distribution Estimation", ICML 2015.
Lecture:  "Autoregressive Models" (next-step prediction from what came before).
Differs:  weights start larger where few inputs are seen: nn.Linear's, made for all inputs, would be too small there.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


class MaskedLinear(nn.Linear):
    """(1) for rows [..., J] -> [..., I], with M as truth values [I, J]. Weights start larger where an output sees few inputs.

    Raises:
        ValueError: the mask is not [I, J] truth values.
    """

    mask: Tensor

    def __init__(self, mask: Tensor, *, bias: bool = True) -> None:
        if mask.dim() != 2 or mask.dtype != torch.bool:
            raise ValueError(f"mask must be [outputs, inputs] truth values, got {mask.dtype} {list(mask.shape)}")
        super().__init__(mask.shape[1], mask.shape[0], bias=bias)
        self.register_buffer("mask", mask.clone())
        with torch.no_grad():  # nn.Linear takes all inputs as seen: where few are, its weights are too small
            self.weight *= (mask.shape[1] / mask.sum(1, keepdim=True).clamp(min=1)).sqrt()

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.mask * self.weight, self.bias)  # eq. (1)
