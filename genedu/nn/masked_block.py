r"""Layers of the plain PixelCNN: masked convolutions with a bypass, which leave a blind spot.

    h = M_A conv x   (the first layer),   h' = h + O relu(M_B conv h + A c)                                (1)

M_A and M_B are masked k x k convolutions (genedu.nn.masked_conv), O mixes the features of a pixel, c is what the image is
conditioned on. Each layer reaches k//2 pixels farther up and to the left, but to the right only as it goes up: after any number
of 3 x 3 layers a pixel u rows above is seen only if it is at most u columns to the right. The rest is the blind spot.

Source:   A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, "Pixel Recurrent Neural Networks", ICML 2016, section 3.5;
          the blind spot: A. van den Oord et al., "Conditional Image Generation with PixelCNN Decoders", NIPS 2016, figure 1.
Lecture:  "PixelRNN".
Differs:  one 1 x 1 convolution a block, where the paper narrows the features before and widens them behind.
"""

from torch import Tensor, nn

from genedu.nn.masked_conv import MaskedConv2d, centre_mask
from genedu.nn.masked_linear import MaskedLinear


class MaskedInput(nn.Module):
    """The first layer, linear and of kind A: what the image shows [B, in, H, W] -> h [B, hidden, H, W].

    Args:
        inputs, hidden: features, multiples of `channels`.
        kernel: k, odd, at least 3.
        channels: colours of a pixel, in their order.

    Raises:
        ValueError: an even or too small kernel, features that are no multiples of `channels`.
    """

    def __init__(self, inputs: int, hidden: int, *, kernel: int = 5, channels: int = 1) -> None:
        super().__init__()
        self.inputs, self.pad, self.reach = inputs, kernel // 2, kernel // 2
        self.conv = MaskedConv2d(inputs, hidden, kernel, kind="A", channels=channels)
        if self.reach == 0:
            raise ValueError("kernel must be at least 3, got 1: nothing would be seen")

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)  # eq. (1)

    def taps(self) -> Tensor:
        return self.conv.taps()

    def above(self, rows: Tensor, for_v: Tensor | float, top: bool) -> tuple[Tensor, None]:
        """What a row gets from `reach` rows above it: [B, in, reach, W] -> [B, hidden, 1, W]."""
        return self.conv.above(rows), None

    def finish(self, own: Tensor, h: Tensor | None) -> Tensor:
        return own


class MaskedBlock(nn.Module):
    """A further layer (1): [B, hidden, H, W] -> the same.

    Args:
        hidden: features, a multiple of `channels`.
        kernel: k, odd; with 1 a pixel sees itself alone, and there is no sampling pixel by pixel.
        channels: colours of a pixel.
        condition: features of c, 0 for none.
        dropout: share of the features that are silent in training, whole maps at a time.

    Raises:
        ValueError: an even kernel, features that are no multiple of `channels`.
    """

    def __init__(self, hidden: int, *, kernel: int = 3, channels: int = 1, condition: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        self.inputs, self.pad, self.reach = hidden, kernel // 2, kernel // 2
        self.conv = MaskedConv2d(hidden, hidden, kernel, channels=channels)
        self.out = MaskedLinear(centre_mask(hidden, hidden, "B", channels))  # O
        self.conditioned = nn.Linear(condition, hidden, bias=False) if condition else None  # A
        self.dropout = nn.Dropout2d(dropout)

    def conditions(self, c: Tensor | None) -> tuple[float, Tensor | float]:
        """0 and A c [B, hidden, H, W] (H = W = 1 for a vector): c [B, C'] or [B, C', H, W]; None: zeros."""
        if c is None or self.conditioned is None:
            return 0.0, 0.0
        c = c[:, :, None, None] if c.dim() == 2 else c
        return 0.0, self.conditioned(c.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def forward(self, h: Tensor, c: Tensor | None = None) -> Tensor:
        own = self.dropout(self.conv(h) + self.conditions(c)[1])
        return self.finish(own.permute(0, 2, 3, 1), h.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def taps(self) -> Tensor:
        return self.conv.taps()

    def above(self, rows: Tensor, for_v: Tensor | float, top: bool) -> tuple[Tensor, None]:
        """As that of the first layer."""
        return self.conv.above(rows), None

    def finish(self, own: Tensor, h: Tensor) -> Tensor:
        """h + O relu(own) on the last axis: [..., hidden] -> the same."""
        return h + self.out(own.relu())  # eq. (1)
