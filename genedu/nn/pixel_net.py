r"""The network of PixelCNN and PixelRNN: numbers for each pixel of an image that depend on the pixels before it only.

    shown_i = E[x_i],   h = first(shown) + place,   h = layer(h, c) for each layer,   f_i = P relu(Q relu(h_i)) + bias_i   (1)

E is a table with a row for each level: levels enter as learned vectors which start as their brightness and a little noise.
`place` and `bias` are learned for each pixel, for a digit is no texture that looks alike everywhere. There are four kinds of
layers. "plain": masked convolutions with a blind spot above, farther to the right than up (genedu.nn.masked_block). "gated":
two stacks without one (genedu.nn.two_stack). "row", "diagonal": recurrent (genedu.nn.row_lstm, genedu.nn.diagonal_lstm).
Convolutions see k//2 pixels farther with each layer, recurrent layers go on to the edge.

`forward` gives f for all pixels in one pass; `walk`, for convolutions, pixel after pixel at the cost of one column each.

Source:   A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, "Pixel Recurrent Neural Networks", ICML 2016, table 1;
          A. van den Oord et al., "Conditional Image Generation with PixelCNN Decoders", NIPS 2016, figure 2.
Lecture:  "PixelRNN".
Differs:  E, `place` and `bias` are ours; dropout, which silences whole maps; no mask of zeros where a smaller kernel will do.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from genedu.nn.diagonal_lstm import DiagonalBiLSTM
from genedu.nn.masked_block import MaskedBlock, MaskedInput
from genedu.nn.masked_conv import centre_mask
from genedu.nn.masked_linear import MaskedLinear
from genedu.nn.raster import PixelCache
from genedu.nn.row_lstm import RowLSTM
from genedu.nn.two_stack import TwoStack, TwoStackInput


class PixelNet(nn.Module):
    """(1): levels x [B, C, H, W], condition c [B, C'] or [B, C', H, W] or None -> f [B, H, W, P].

    Args:
        levels: values of a pixel.
        bias: where the last bias starts, at each pixel: [P].
        shape: (C, H, W).
        groups: 1, if a pixel's colours must not see each other; C, if green may depend on red, and blue on both.
        stack: "gated", "plain", "row" or "diagonal".
        hidden, layers, kernel, first, embedding, dropout: as of `PixelCNN`.
        condition: features of c, 0 for none.

    Raises:
        ValueError: a dropout outside [0, 1); masked convolutions of kernel 1; as the layers.
    """

    def __init__(
        self,
        levels: int,
        bias: Tensor,
        shape: tuple[int, int, int],
        *,
        groups: int = 1,
        stack: str = "gated",
        hidden: int = 24,
        layers: int = 3,
        kernel: int = 3,
        first: int = 5,
        embedding: int = 8,
        dropout: float = 0.0,
        condition: int = 0,
    ) -> None:
        super().__init__()
        channels, height, width = shape
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {dropout}")
        if kernel == 1 and stack in ("gated", "plain"):
            raise ValueError("kernel must be at least 3, got 1: a layer would see no pixel but the one below it")
        self.levels, self.stack, gated = levels, stack, stack == "gated"
        self.embedding = nn.Parameter(0.5 * torch.randn(levels, embedding))  # E
        with torch.no_grad():
            self.embedding[:, 0] = torch.linspace(-1, 1, levels)
        self.first = (TwoStackInput if gated else MaskedInput)(channels * embedding, hidden, kernel=first, channels=groups)
        self.place = nn.ParameterList(torch.zeros(hidden, height, width) for _ in range(1 + gated))  # for h, for v
        kinds: dict[str, Callable[[], nn.Module]] = {
            "gated": partial(TwoStack, hidden, kernel=kernel, channels=groups, condition=condition, dropout=dropout),
            "plain": partial(MaskedBlock, hidden, kernel=kernel, channels=groups, condition=condition, dropout=dropout),
            "row": partial(RowLSTM, hidden, kernel=kernel, dropout=dropout),
            "diagonal": partial(DiagonalBiLSTM, hidden, dropout=dropout),
        }
        self.own = nn.Conv2d(channels * embedding, hidden, 1) if stack == "diagonal" else None  # what the pixel itself shows
        self.layers = nn.ModuleList(kinds[stack]() for _ in range(layers))
        within, out = (centre_mask(n, hidden, "B", groups) for n in (hidden, len(bias)))
        self.head = nn.Sequential(nn.ReLU(), MaskedLinear(within), nn.ReLU(), MaskedLinear(out, bias=False))  # Q, P
        self.bias = nn.Parameter(bias.repeat(height, width, 1))

    def shown(self, x: Tensor) -> Tensor:
        """E of the colours of each pixel: levels [B, ..., C] -> [B, ..., C E]."""
        return (one_hot(x.long(), self.levels).to(self.embedding.dtype) @ self.embedding).flatten(-2)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        return self.see(self.shown(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), c)  # features last in memory, which is faster

    def see(self, shown: Tensor, c: Tensor | None = None) -> Tensor:
        """f from what is shown, real numbers: [B, C E, H, W] -> [B, H, W, P]. Its gradient tells what a pixel depends on."""
        if self.stack == "gated":
            v, h = self.first(shown)
            v, h = v + self.place[1], h + self.place[0]
            for layer in self.layers:
                v, h = layer(v, h, c)
        else:
            h = self.first(shown) + self.place[0]
            more = {"plain": (c,), "row": (), "diagonal": (self.own(shown),) if self.own else ()}[self.stack]
            for layer in self.layers:
                h = layer(h, *more)
        return self.head(h.permute(0, 2, 3, 1)) + self.bias  # [B, H, W, P], eq. (1)

    def walk(self, x: Tensor, c: Tensor | None = None) -> Callable[[int, int], Tensor]:
        """A function (row, column) -> f of that pixel, [B, P], from what x holds before it when it is called.

        To be called in raster order; as often for one pixel as it has colours, each time after the next one is filled in.
        """
        places = (self.place[1][None] if self.stack == "gated" else 0.0), self.place[0][None]
        layers: Any = self.layers
        cache = PixelCache([self.first, *self.layers], [places, *(layer.conditions(c) for layer in layers)], x, self.shown)
        return lambda r, c: self.head(cache.features(r, c)) + self.bias[r, c]
