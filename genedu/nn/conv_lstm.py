"""ConvLSTM: a memory that is a map. An LSTM at every place of an image, whose products are convolutions.

    [i, f, o, g] = W * x_t + U * h_{t-1} + b                                                (1)
    c_t = sigmoid(f) o c_{t-1} + sigmoid(i) o tanh(g),   h_t = sigmoid(o) o tanh(c_t)       (2)

* is a convolution of odd kernel k with zeros around, the same at all places. What happens at a place is known k // 2 places
further at the next step, and one such step further with each time: a thing that moves can be followed if it is no faster.

Source:   X. Shi et al., "Convolutional LSTM Network: A Machine Learning Approach for Precipitation Nowcasting", NIPS 2015, arXiv
          1506.04214, eq. 3.
Lecture:  "RNNs for Autoregressive Modeling"; "Autoregressive Models" (Video Pixel Network).
Differs:  no peepholes (their products of c with i, f, o). The forget gate's bias starts at 1, so that it remembers at first.
"""

import torch
from torch import Tensor, nn


class ConvLSTM(nn.Module):
    """(1) and (2) over a video: x [B, T, C, H, W] -> h of each time [B, T, hidden, H, W].

    Raises:
        ValueError: a size below 1; an even kernel.
    """

    def __init__(self, inputs: int, hidden: int, *, kernel: int = 3) -> None:
        super().__init__()
        for name, size in (("inputs", inputs), ("hidden", hidden), ("kernel", kernel)):
            if type(size) is not int or size < 1 or (name == "kernel" and size % 2 == 0):
                raise ValueError(f"{name} must be a whole number of at least 1, a kernel an odd one, got {size!r}")
        self.input = nn.Conv2d(inputs, 4 * hidden, kernel, padding=kernel // 2)  # W and b
        self.recurrent = nn.Conv2d(hidden, 4 * hidden, kernel, padding=kernel // 2, bias=False)  # U
        nn.init.ones_(self.input.bias[hidden : 2 * hidden])  # type: ignore[index]

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """All times in turn, from `state` = (h, c), [B, hidden, H, W] each: h of each time, and the last (h, c)."""
        given = self.input(x.flatten(0, 1)).unflatten(0, x.shape[:2])  # [B, T, 4 hidden, H, W]: of all times at once
        (h, c), out = state, []
        for t in range(x.shape[1]):
            i, f, o, g = (given[:, t] + self.recurrent(h)).chunk(4, 1)  # eq. (1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()  # eq. (2)
            h = o.sigmoid() * c.tanh()
            out.append(h)
        return torch.stack(out, 1), (h, c)
