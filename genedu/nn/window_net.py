r"""Window net: numbers for each pixel of an image that depend on the k rows and columns before it, and on a map, on nothing else.

    seen(i) = {j before i in raster order: at most k rows above, at most k columns to either side}           (1)
    h_i = W shown_{seen(i)} + place_i,   h = layer(h, c) for each layer,   f_i = P relu(Q relu(h_i)) + bias_i  (2)

The first layer is one masked convolution as wide as the window; the layers after it mix the features of one pixel only, so the
window stays what it is, however many there are. (In genedu.nn.pixel_net each layer sees farther.) c is a map: it may tell each
pixel something of its own. With k = 0 nothing is seen, and f depends on c alone; with k as large as the image on all earlier
pixels.

Source:   masks: A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, "Pixel Recurrent Neural Networks", ICML 2016; a window that is
          too small for what is global: X. Chen et al., "Variational Lossy Autoencoder", ICLR 2017.
Lecture:  "Problems with VAEs" (use autoregressive networks in encoder and decoder).
Differs:  the net is ours, of the parts of PixelNet.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.functional import one_hot

from genedu.nn.masked_block import MaskedBlock


class WindowNet(nn.Module):
    """(2): levels x [B, 1, H, W], a map c [B, C', H, W] -> f [B, H, W, L].

    Args:
        levels: values of a pixel, L.
        shape: (1, H, W).
        window: k.
        condition: features of c.
        hidden, layers, embedding, dropout: as of `PixelNet`.

    Raises:
        ValueError: a window below 0, or images of several channels.
    """

    taps: Tensor  # the mask of the first layer, [rows, columns]

    def __init__(
        self,
        levels: int,
        shape: tuple[int, int, int],
        *,
        window: int,
        condition: int,
        hidden: int = 24,
        layers: int = 2,
        embedding: int = 8,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if window < 0 or shape[0] != 1:
            raise ValueError(f"window must be at least 0 and shape (1, H, W), got {window} and {tuple(shape)}")
        _, height, width = shape
        self.levels, self.up, self.side = levels, min(window, height - 1), min(window, width - 1)
        self.place = nn.Parameter(torch.zeros(hidden, height, width))
        self.embedding: nn.Parameter | None = None
        self.first: nn.Conv2d | None = None
        if window:
            self.embedding = nn.Parameter(0.5 * torch.randn(levels, embedding))
            with torch.no_grad():
                self.embedding[:, 0] = torch.linspace(-1, 1, levels)
            self.first = nn.Conv2d(embedding, hidden, (self.up + 1, 2 * self.side + 1), bias=False)
            taps = torch.ones(self.up + 1, 2 * self.side + 1)
            taps[-1, self.side :] = 0  # the pixel itself, and what is to its right; eq. (1)
            self.register_buffer("taps", taps, persistent=False)
        kinds = [MaskedBlock(hidden, kernel=1, condition=condition, dropout=dropout) for _ in range(layers)]
        self.layers = nn.ModuleList(kinds)
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, levels, bias=False))  # Q, P
        self.bias = nn.Parameter(torch.zeros(height, width, levels))

    def shown(self, x: Tensor) -> Tensor | None:
        """The vector of each level: [B, 1, H, W] -> [B, E, H, W]; None where nothing is seen."""
        if self.embedding is None:
            return None
        return (one_hot(x[:, 0], self.levels).to(self.embedding.dtype) @ self.embedding).permute(0, 3, 1, 2)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        return self.see(self.shown(x), c)

    def see(self, shown: Tensor | None, c: Tensor, top: int = 0) -> Tensor:
        """f from what is shown, real numbers: [B, E, H, W], [B, C', H, W] -> [B, H, W, L]. Its gradient tells what is seen.

        Args:
            top: the image's row that is the first one of shown and c; the rows above it are taken as empty.
        """
        rows = slice(top, top + c.shape[2])
        h = self.place[:, rows].expand(len(c), -1, -1, -1)  # [B, hidden, H, W]
        if self.first is not None and shown is not None:
            padded = F.pad(shown, (self.side, self.side, self.up, 0))  # zeros around, none below
            h = h + F.conv2d(padded, self.first.weight * self.taps)  # eq. (2)
        for layer in self.layers:
            h = layer(h, c)
        return self.head(h.permute(0, 2, 3, 1)) + self.bias[rows]  # [B, H, W, L], eq. (2)

    def walk(self, x: Tensor, c: Tensor) -> Callable[[int, int], Tensor]:
        """A function (row, column) -> f of that pixel, [B, L], from what x holds before it when it is called.

        It looks at the rows of the window only.
        """

        def at(r: int, column: int) -> Tensor:
            top = max(0, r - self.up)
            return self.see(self.shown(x[:, :, top : r + 1]), c[:, :, top : r + 1], top)[:, -1, column]

        return at
