"""Features of digits: a small frozen classifier of 8x8 digits, the same for everybody.

Distances between pixels do not see what makes a digit: a stroke that lies one pixel aside is far away, and grey noise is near.
A network that has learnt to tell the ten classes has features that do, and its classes are an opinion that no generator had a
part in:

    h(x) = a(V flatten(pool(a(conv(a(conv(x)))))) + c)   [B, 32],   logits(x) = W h(x) + b   [B, 10],   a(u) = u sigmoid(u)   (1)

The weights are stored beside this file. A number measured through a network is comparable only through the same network: so
their SHA-256 is checked when they are loaded, and nothing moves them. `tools/make_digit_net.py` made them, from the stratified
training part alone (`genedu.data.digits`). Of the stratified test part the net tells 449 of 450 rows. It knows the training part
by heart, so how good it is on real digits is said by test rows only.

Source:   M. Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", NIPS 2017: features of a frozen classifier.
Lecture:  "Generative modeling" (generate samples); "Various Architectures".
Differs:  ten classes of handwritten digits in place of the thousand of ImageNet: values compare with no published ones.
"""

from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import vector_to_parameters

from genedu.core import check_values

WEIGHTS = Path(__file__).with_name("digit_net.npy")  # all parameters, one after the other: [16290], float32
SHA256 = "a99307876f4678fa0e85af95ee074f4e89897e2d4ffac884016deca21ccfec2b"


class DigitNet(nn.Module):
    """(1): digits [B, 1, 8, 8] in [0, 1] -> logits [B, 10]. No layer depends on train or eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.SiLU()),  # [B, 16, 8, 8]
            *(nn.Conv2d(16, 24, 3, padding=1), nn.SiLU(), nn.MaxPool2d(2)),  # [B, 24, 4, 4]
            *(nn.Flatten(), nn.Linear(384, 32), nn.SiLU()),  # [B, 32]
        )
        self.head = nn.Linear(32, 10)

    def features(self, x: Tensor) -> Tensor:
        """The last hidden layer: [B, 1, 8, 8] in [0, 1] -> [B, 32].

        Raises:
            ValueError: x is not [batch, 1, 8, 8] with batch >= 1, not of floats, or leaves [0, 1].
        """
        if x.shape[1:] != (1, 8, 8) or len(x) == 0:
            hint = ": use x.view(-1, 1, 8, 8)" if x.dim() == 2 and x.shape[1] == 64 else ""
            raise ValueError(f"x must be [batch, 1, 8, 8] with batch >= 1, got {list(x.shape)}{hint}")
        if not x.is_floating_point():
            raise ValueError(f"x must be floats in [0, 1], got {x.dtype}: use levels / 16")
        check_values(x, lambda v: (v >= 0) & (v <= 1), "x must be in [0, 1] (levels / 16)")
        return self.body(x.to(self.head.weight.dtype))  # eq. (1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the ten classes: [B, 1, 8, 8] in [0, 1] -> [B, 10].

        Raises:
            ValueError: as `features`.
        """
        return self.head(self.features(x))  # eq. (1)


def digit_net() -> DigitNet:
    """The frozen net (1) with the stored weights, on the CPU, in eval mode; `.to` and `.double()` move it.

    Raises:
        ValueError: the stored weights are not those that numbers are compared by.
    """
    raw = WEIGHTS.read_bytes()
    if (found := sha256(raw).hexdigest()) != SHA256:
        raise ValueError(f"{WEIGHTS.name} must have SHA-256 {SHA256}, found {found}: take the file from the repository again")
    net = DigitNet().requires_grad_(False).eval()
    vector_to_parameters(torch.from_numpy(np.load(BytesIO(raw), allow_pickle=False)), net.parameters())
    return net
