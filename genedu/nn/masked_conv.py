r"""Masked convolution: a filter that sees the pixels above and to the left, and nothing else.

In raster order (row by row, left to right) the past of a pixel is all rows above and the left part of its own row. A mask of
zeros and ones on the k x k weights cuts the rest away, so that one convolution gives the features of all pixels at once:

    y = (W * M) conv x + b,   M[dr, dc] = 1 if dr < 0 or (dr = 0 and dc < 0), 0 if dr > 0 or (dr = 0 and dc > 0)   (1)
    M[0, 0] of an output of colour g and an input of colour g':  1 if g' < g (kind "A"),  1 if g' <= g (kind "B")   (2)

The first layer is of kind A, for its input holds the very pixel that is to be predicted; the features of later layers know of
it nothing, so they may use kind B. With one colour A closes the centre and B opens it. With three, the features are cut into
as many groups, and a pixel's green may depend on its red, its blue on both.

Source:   A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, "Pixel Recurrent Neural Networks", ICML 2016, section 3.4.
Lecture:  "PixelRNN".
Differs:  the mask is applied in each forward pass, not to the stored weights: an optimiser's step cannot undo it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the field's name for it)


def centre_mask(outputs: int, inputs: int, kind: str, channels: int) -> Tensor:
    """M[0, 0] in (2): [outputs, inputs] truth values, the features cut into `channels` groups of equal size.

    Raises:
        ValueError: a kind other than "A" and "B"; features that cannot be cut into equal groups.
    """
    if kind not in ("A", "B"):
        raise ValueError(f"kind must be 'A' (the first layer) or 'B' (all others), got {kind!r}")
    if channels < 1 or outputs % channels or inputs % channels:
        raise ValueError(f"inputs and outputs must be multiples of channels = {channels}, got {inputs} and {outputs}")
    of_output = torch.arange(outputs)[:, None] * channels // outputs  # [out, 1], the group of each feature
    of_input = torch.arange(inputs)[None] * channels // inputs  # [1, in]
    return of_input < of_output if kind == "A" else of_input <= of_output  # eq. (2)


def odd(name: str, kernel: int) -> int:
    """The size of a kernel itself.

    Raises:
        ValueError: it is not a whole odd number of at least 1: an even one has no centre.
    """
    if type(kernel) is not int or kernel < 1 or kernel % 2 == 0:
        raise ValueError(f"{name} must be an odd whole number, so that a kernel has a centre, got {kernel!r}")
    return kernel


class MaskedConv2d(nn.Conv2d):
    """(1) with k x k weights and zeros around the image: [B, in, H, W] -> [B, out, H, W].

    Args:
        inputs, outputs: features; multiples of `channels`.
        kernel: k, odd.
        kind: "A" or "B" of (2).
        channels: colours of a pixel, in their order.

    Raises:
        ValueError: an even kernel, an unknown kind, features that are no multiples of `channels`.
    """

    mask: Tensor  # M, [out, in, k, k]

    def __init__(self, inputs: int, outputs: int, kernel: int, *, kind: str = "B", channels: int = 1) -> None:
        super().__init__(inputs, outputs, odd("kernel", kernel))
        centre = centre_mask(outputs, inputs, kind, channels)
        middle = kernel // 2
        mask = torch.zeros(outputs, inputs, kernel, kernel)
        mask[:, :, :middle] = 1  # rows above, eq. (1)
        mask[:, :, middle, :middle] = 1  # left of the centre
        mask[:, :, middle, middle] = centre  # eq. (2)
        self.register_buffer("mask", mask, persistent=False)

    def seen(self) -> Tensor:
        """W * M of (1): [out, in, k, k]."""
        return self.weight * self.mask

    def forward(self, x: Tensor) -> Tensor:
        middle = self.kernel_size[0] // 2  # rows below are closed for all: cut off, not multiplied by 0
        rows = F.pad(x, (0, 0, middle, 0))  # [B, in, H + k//2, W]
        return F.conv2d(rows, self.seen()[:, :, : middle + 1], self.bias, padding=(0, middle))  # eq. (1)

    def above(self, rows: Tensor) -> Tensor:
        """What one row gets from the k//2 rows above it, and b: [B, in, k//2, W] -> [B, out, 1, W]."""
        middle = self.kernel_size[0] // 2
        return F.conv2d(rows, self.seen()[:, :, :middle], self.bias, padding=(0, middle))

    def taps(self) -> Tensor:
        """The weights of the own row up to the pixel, as a matrix: [(k//2 + 1) in, out]."""
        middle = self.kernel_size[0] // 2
        return self.seen()[:, :, middle, : middle + 1].permute(2, 1, 0).flatten(0, 1)
