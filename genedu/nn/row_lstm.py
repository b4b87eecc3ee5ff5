r"""Row LSTM: a recurrent layer that runs down the rows of an image and works on all pixels of a row at once.

    s_r = K_is * x_r + K_ss * h_{r-1}   (1 x k convolutions along the row; K_is sees the pixel and what is left of it)   (1)
    (o, f, i, g) = (sigmoid, sigmoid, sigmoid, tanh) of the four parts of s_r
    c_r = f c_{r-1} + i g,   h_r = o tanh(c_r),   y_r = x_r + O h_r                                          (2)

h_{r-1} is the row above, all of it is the past, so K_ss needs no mask; each row up it spreads by k//2 pixels to either side.
So a pixel sees a triangle: farther to the right than (k//2) u in the row u above it, there is a blind corner. To the left, too,
where K_is ends: in its own row a layer looks only k//2 pixels back.

Source:   A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, "Pixel Recurrent Neural Networks", ICML 2016, section 3.1, eq. 3,
          and section 3.3 (the bypass).
Lecture:  "PixelRNN"; "RNNs for Autoregressive Modeling".
Differs:  the state has as many features as the map, so that O neither narrows nor widens.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from genedu.nn.masked_conv import odd
from genedu.nn.two_stack import last, second, to_the_left


def lstm_step(s: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """(2) without the bypass: s [..., 4 F], c [..., F] -> h, c [..., F]."""
    gates, new = s.split([3 * cell.shape[-1], cell.shape[-1]], -1)
    o, f, i = gates.sigmoid().chunk(3, -1)
    cell = f * cell + i * new.tanh()
    return o * cell.tanh(), cell


def open_gates(bias: Tensor) -> None:
    """Forget gates start open, at sigmoid(1), so that gradients pass many steps: bias [4 F], in place."""
    size = len(bias) // 4
    nn.init.ones_(bias[size : 2 * size])


class RowLSTM(nn.Module):
    """(1) and (2): [B, hidden, H, W] -> the same; a pixel's features may depend on x at the pixel itself (kind B).

    Args:
        hidden: features of the map and of the state.
        kernel: k, odd.
        dropout: share of silent features of h in training, whole maps at a time.

    Raises:
        ValueError: an even kernel.
    """

    def __init__(self, hidden: int, *, kernel: int = 3, dropout: float = 0.0) -> None:
        super().__init__()
        self.pad = odd("kernel", kernel) // 2
        self.input = nn.Linear((self.pad + 1) * hidden, 4 * hidden)  # K_is
        self.state = nn.Linear(kernel * hidden, 4 * hidden, bias=False)  # K_ss
        self.out = nn.Linear(hidden, hidden)  # O
        self.dropout = nn.Dropout2d(dropout)
        with torch.no_grad():
            open_gates(self.input.bias)

    def forward(self, x: Tensor) -> Tensor:
        own = self.input(torch.cat(to_the_left(last(x), self.pad, True), -1))  # [B, H, W, 4 hidden]
        h = cell = torch.zeros_like(last(x)[:, 0])  # [B, W, hidden]
        rows = []
        for r in range(x.shape[2]):
            around = F.pad(h, (0, 0, self.pad, self.pad)).unfold(1, 2 * self.pad + 1, 1)  # [B, W, hidden, k]
            h, cell = lstm_step(own[:, r] + self.state(around.flatten(2)), cell)  # eq. (1), (2)
            rows.append(h)
        return x + second(self.out(last(self.dropout(second(torch.stack(rows, 1))))))
