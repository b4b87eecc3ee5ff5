"""Causal convolution: the output at time t is made of inputs at t and before, never after.

    y_t = b + sum_{j=0}^{k-1} W_j x_{t - j d},   x_s = 0 for s < 0                          (1)

Kernel k, dilation d. An ordinary convolution of odd kernel pads both ends alike, so that half of its kernel looks ahead; here all
(k - 1) d zeros stand before the first input. Stacked layers with dilations 1, 2, 4, ... see 1 + (k - 1) sum d inputs: about
twice as many with each layer more.

Source:   A. van den Oord et al., "WaveNet: A Generative Model for Raw Audio", 2016, arXiv 1609.03499, section 2.1.
Lecture:  "Autoregressive models" (WaveNet).
Differs:  nothing.
"""

from torch import Tensor, nn
from torch.nn.functional import pad


class CausalConv1d(nn.Module):
    """(1): [B, C, T] -> [B, C', T]. In `conv.weight` [C', C, k] the last tap is W_0, that of the present.

    Raises:
        ValueError: a size below 1.
    """

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 2, dilation: int = 1) -> None:
        super().__init__()
        for name, size in (("inputs", inputs), ("outputs", outputs), ("kernel", kernel), ("dilation", dilation)):
            if type(size) is not int or size < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {size!r}")
        self.past = (kernel - 1) * dilation
        self.conv = nn.Conv1d(inputs, outputs, kernel, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(pad(x, (self.past, 0)))  # [B, C', T], eq. (1): zeros before the first, none after the last
