r"""PixelRNN: the pixels of an image one by one, each from a recurrent net that has run over those before it.

    p(x) = prod_i p(x_i | x_<i),   p(x_i = l | x_<i) = softmax_l f_i(x_<i),   i in raster order             (1)

f starts with a masked convolution, which sees a few pixels of the past, and goes on with layers that carry a state over the whole
image. A Row LSTM (genedu.nn.row_lstm) runs down the rows and sees a triangle; a Diagonal BiLSTM (genedu.nn.diagonal_lstm) runs
along the diagonals from both sides and sees the whole past. All pixels are scored in one pass, but within it the rows, or the
diagonals, come one after the other: that is what PixelCNN does away with.

Source:   A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, "Pixel Recurrent Neural Networks", ICML 2016, eq. 1 and table 1.
Lecture:  "PixelRNN" (the slide's 256-way softmax is `levels=256`; digits have 17); "RNNs for Autoregressive Modeling".
Differs:  grey images only; what is around the recurrent layers is as in genedu.nn.pixel_net; sampling computes all anew at
          each step.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from genedu.core import Batch, Player, levels_of
from genedu.nn.draw import without_dropout
from genedu.nn.pixel_net import PixelNet
from genedu.nn.raster import fill


class PixelRNN(nn.Module):
    """p(x) of grey images x [B, 1, H, W] of levels 0 .. levels - 1; trained by `fit(model, x)`.

    Args:
        levels: values of a pixel, L.
        cell: "row" or "diagonal".
        size: H = W, or (H, W).
        hidden, layers: features of a pixel in each layer; recurrent layers.
        kernel, first: k of the Row LSTM and of the masked convolution before, odd.
        embedding: numbers that stand for a level at the input.
        dropout: share of silent features in training.

    Raises:
        ValueError: a count that is no whole number >= 1, an even kernel, an unknown cell, a dropout outside [0, 1).
    """

    def __init__(
        self,
        levels: int,
        *,
        cell: str = "row",
        size: int | tuple[int, int] = 8,
        hidden: int = 24,
        layers: int = 1,
        kernel: int = 3,
        first: int = 3,
        embedding: int = 8,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        height, width = size if isinstance(size, (tuple, list)) else (size, size)
        counts = {"levels": levels, "height": height, "width": width, "hidden": hidden, "layers": layers}
        for name, n in {**counts, "embedding": embedding}.items():
            if type(n) is not int or n < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {n!r}")
        if cell not in ("row", "diagonal"):
            raise ValueError(f"cell must be 'row' or 'diagonal', got {cell!r}")
        self.levels, self.shape = levels, (1, height, width)
        sizes = {"hidden": hidden, "layers": layers, "kernel": kernel, "first": first, "embedding": embedding}
        self.net = PixelNet(levels, torch.zeros(levels), self.shape, stack=cell, dropout=dropout, **sizes)

    def logits(self, x: Tensor) -> Tensor:
        """f in (1): levels [B, 1, H, W] -> [B, 1, H, W, L].

        Raises:
            ValueError: x is not levels [B, 1, H, W] of the model's size.
        """
        return self.net(levels_of(x, self.levels, self.shape))[:, None]

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats: levels [B, 1, H, W] -> [B]. Raises as `logits`."""
        each = -cross_entropy(self.logits(x).flatten(0, 3), x.flatten().long(), reduction="none")
        return each.view(len(x), -1).sum(1)  # eq. (1)

    def loss(self, x: Batch) -> Tensor:
        """Mean of -log p over rows, in nats. Raises as `logits`."""
        return -self.log_prob(x).mean()  # type: ignore[arg-type]

    def players(self) -> list[Player]:
        return [Player("pixel_rnn", list(self.parameters()), self.loss)]

    @torch.no_grad()
    def sample(self, n: int, *, temperature: float = 1.0) -> Tensor:
        """Draw n images, a pass of the net for each pixel: [n, 1, H, W], long.

        Raises:
            ValueError: n below 1, a temperature that is not above 0.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        x = torch.zeros(n, *self.shape, dtype=torch.long, device=self.net.bias.device)
        with without_dropout(self):
            return fill(x, 0, lambda g, r, c: self.net(x)[:, r, c], temperature)
