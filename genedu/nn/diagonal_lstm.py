r"""Diagonal BiLSTM: a recurrent layer that sees the whole past, by running along the diagonals of an image from both sides.

The map is skewed: row r is moved r places to the right, so that a diagonal becomes a column. In it the neighbours of a pixel
in the column before are the pixel to its left (same row) and the pixel above it (row above):

    skew(x)[r, r + c] = x[r, c]                                                                             (1)
    s_j[r] = K_is x_j[r] + K_1 h_{j-1}[r] + K_2 h_{j-1}[r - 1],   then an LSTM step (genedu.nn.row_lstm)    (2)
    y = x + O (h_left(x)[r, c] + h_right(x + e)[r - 1, c])                                                  (3)

h_left, unskewed, at (r, c) has seen x above and to the left, (r, c) included. h_right is the same on the map seen in a mirror: it
has seen what is above and to the right, and so the future part of row r. Hence (3) takes it from the row above. The two
together have seen everything that came before. It takes H + W - 1 steps, against H of the Row LSTM.

x at a pixel tells of the pixels before it only. e tells of the pixel itself: h_right may know it, being used a row below.

Source:   A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, "Pixel Recurrent Neural Networks", ICML 2016, section 3.2, figure 3.
Lecture:  "PixelRNN"; "RNNs for Autoregressive Modeling".
Differs:  e is ours. Without it nobody would see the last pixel of the row above, for x tells of it only where there is a next
          one. The state has as many features as the map, so that O neither narrows nor widens.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from genedu.nn.row_lstm import lstm_step, open_gates
from genedu.nn.two_stack import down, last, second


def skew(x: Tensor) -> Tensor:
    """(1), zeros elsewhere: [B, F, H, W] -> [B, F, H, H + W - 1]. In memory: zeros after each row, then lines one shorter."""
    height, width = x.shape[2:]
    line = F.pad(x, (0, height)).flatten(2)  # [B, F, H (W + H)]
    return line[..., : height * (height + width - 1)].unflatten(2, (height, -1))


def unskew(x: Tensor) -> Tensor:
    """The inverse of (1): [B, F, H, H + W - 1] -> [B, F, H, W]."""
    height, longer = x.shape[2:]
    line = F.pad(x.flatten(2), (0, height))  # [B, F, H (H + W)]
    return line.unflatten(2, (height, longer + 1))[..., : longer + 1 - height]


class DiagonalLSTM(nn.Module):
    """(2), from the left: [B, hidden, H, W] -> h [B, hidden, H, W]; each pixel has seen what is above and left, and itself."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.input = nn.Linear(hidden, 4 * hidden)  # K_is
        self.state = nn.Linear(2 * hidden, 4 * hidden, bias=False)  # K_1, K_2
        with torch.no_grad():
            open_gates(self.input.bias)

    def forward(self, x: Tensor) -> Tensor:
        own = skew(second(self.input(last(x)))).permute(3, 0, 2, 1)  # [H + W - 1, B, H, 4 hidden]
        h = cell = torch.zeros_like(own[0].chunk(4, -1)[0])  # [B, H, hidden]
        columns = []
        for s in own:
            above = F.pad(h, (0, 0, 1, -1))  # [B, H, hidden], row r holds that of row r - 1
            h, cell = lstm_step(s + self.state(torch.cat([h, above], -1)), cell)  # eq. (2)
            columns.append(h)
        return unskew(torch.stack(columns, 3).transpose(1, 2))  # [B, hidden, H, W]


class DiagonalBiLSTM(nn.Module):
    """(3): x, which sees the past, and e, which sees the pixel itself -> the next x, [B, hidden, H, W] each.

    Args:
        hidden: features of the maps and of each state.
        dropout: share of silent features in training, whole maps at a time.
    """

    def __init__(self, hidden: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.left, self.right = DiagonalLSTM(hidden), DiagonalLSTM(hidden)
        self.out = nn.Linear(hidden, hidden)  # O
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        from_right = self.right((x + e).flip(3)).flip(3)  # [B, hidden, H, W]
        h = self.dropout(self.left(x) + second(down(last(from_right))))
        return x + second(self.out(last(h)))  # eq. (3)
