r"""Two stacks: a layer of the gated PixelCNN, which sees every earlier pixel and no later one.

Masked convolutions, one upon another, leave a blind spot: pixels above and far to the right are never reached. Two stacks of
features close it. The vertical stack v at row r sees rows up to and including r, to both sides, without any mask; the
horizontal stack h sees its own row up to the pixel, and takes from v what lies above, moved down by one row:

    a = U v[r - k//2 .. r, c - k//2 .. c + k//2] + A_v z,   v' = tanh(a_1) * sigmoid(a_2)                   (1)
    b = R h[r, c - k//2 .. c] + L v'[r - 1, c] + A_h z,   h' = h + O (tanh(b_1) * sigmoid(b_2))             (2)

(1) knows the whole of row r, also what is to come. So (2) must take it from row r - 1: without this shift the model sees the
pixels that it is to predict. z is what the image is conditioned on: a vector for the whole image, or a map.

Source:   A. van den Oord, N. Kalchbrenner, O. Vinyals, L. Espeholt, A. Graves, K. Kavukcuoglu, "Conditional Image Generation
          with PixelCNN Decoders", NIPS 2016, eq. 2-4 and figure 2.
Lecture:  "PixelRNN".
Differs:  L takes v' from behind the gate, half as many features as before it; the first layer is linear (the paper's has a
          gate). Both train as well on the digits and cost less. R and L are one matrix, for one product is faster than two.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from genedu.nn.masked_conv import centre_mask, odd
from genedu.nn.masked_linear import MaskedLinear


def last(x: Tensor) -> Tensor:
    """Features to the last axis, without a copy where they lie last in memory: [B, F, H, W] -> [B, H, W, F]."""
    return x.permute(0, 2, 3, 1)


def second(x: Tensor) -> Tensor:
    """Features back to the second axis: [B, H, W, F] -> [B, F, H, W]."""
    return x.permute(0, 3, 1, 2)


def down(x: Tensor) -> Tensor:
    """Each row to the place of the one below, zeros come in at the top: [B, H, W, F]."""
    return F.pad(x, (0, 0, 0, 0, 1, -1))


def to_the_left(x: Tensor, reach: int, own: bool) -> list[Tensor]:
    """The `reach` pixels left of each, the farthest first, zeros beyond the edge, and with `own` x: [B, H, W, F] each."""
    padded = F.pad(x, (0, 0, reach, 0))  # [B, H, W + reach, F]
    return [padded[:, :, j : j + x.shape[2]] for j in range(reach + own)]


class Vertical(nn.Conv2d):
    """U of (1): each pixel sees k//2 rows above and its own, k columns wide: [B, in, H, W] -> [B, out, H, W]."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, outputs, (odd("kernel", kernel) // 2 + 1, kernel), padding=(0, kernel // 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.within(F.pad(x, (0, 0, self.padding[1], 0)))  # type: ignore[arg-type]

    def within(self, rows: Tensor) -> Tensor:
        """Without zeros above: [B, in, H + k//2, W] -> [B, out, H, W]."""
        return super().forward(rows)


class TwoStackInput(nn.Module):
    """The first layer, linear and of kind A: what the image shows -> v and h, [B, in, H, W] -> two [B, hidden, H, W].

    Args:
        inputs: features of the image, a multiple of `channels`.
        hidden: features of each stack, a multiple of `channels`.
        kernel: k, odd, at least 3.
        channels: colours of a pixel, in their order.

    Raises:
        ValueError: an even or too small kernel, features that are no multiples of `channels`.
    """

    def __init__(self, inputs: int, hidden: int, *, kernel: int = 5, channels: int = 1) -> None:
        super().__init__()
        self.inputs, self.pad, self.reach, self.own = inputs, kernel // 2, kernel // 2 + 1, channels > 1
        self.vertical = Vertical(inputs, hidden, kernel)
        if kernel < 3:
            raise ValueError(f"kernel must be at least 3, got {kernel}: nothing would be seen")
        left = torch.ones(hidden, self.pad * inputs, dtype=torch.bool)
        own = centre_mask(hidden, inputs, "A", channels)
        self.left = MaskedLinear(torch.cat([left, own] if self.own else [left], 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.vertical(x), second(self.left(torch.cat(to_the_left(last(x), self.pad, self.own), -1)))

    def taps(self) -> Tensor:
        """The horizontal part as a matrix: [T in, hidden]."""
        return (self.left.weight * self.left.mask).T

    def above(self, rows: Tensor, for_v: Tensor | float, top: bool) -> tuple[Tensor, Tensor]:
        """For one row: what h gets from above (nothing, here), and the newest row of v, from the `reach` rows of x above."""
        v = self.vertical.within(rows) + for_v  # [B, hidden, 1, W]
        return self.left.bias[:, None, None].expand_as(v), v

    def finish(self, own: Tensor, h: Tensor | None) -> Tensor:
        return own


class TwoStack(nn.Module):
    """(1) and (2): v and h of one layer -> of the next, [B, hidden, H, W] each.

    Args:
        hidden: features of each stack, a multiple of `channels`.
        kernel: k, odd.
        channels: colours of a pixel: the features of h are cut into as many groups.
        condition: features of z, 0 for none.
        dropout: share of the gated features that are silent in training, whole maps at a time.

    Raises:
        ValueError: an even kernel, features that are no multiple of `channels`.
    """

    def __init__(self, hidden: int, *, kernel: int = 3, channels: int = 1, condition: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        self.inputs, self.pad, self.reach, self.channels = hidden, kernel // 2, kernel // 2 + 1, channels
        self.vertical = Vertical(hidden, 2 * hidden, kernel)  # U
        own, within = (centre_mask(n, hidden, "B", channels) for n in (2 * hidden, hidden))
        left, above = (torch.ones(2 * hidden, n * hidden, dtype=torch.bool) for n in (self.pad, 1))
        self.horizontal = MaskedLinear(torch.cat([left, own, above], 1))  # R and L, [2 hidden, (k//2 + 2) hidden]
        self.out = MaskedLinear(within)  # O
        self.conditioned = nn.Linear(condition, 4 * hidden, bias=False) if condition else None  # A_v, A_h
        self.dropout = nn.Dropout2d(dropout)

    def conditions(self, z: Tensor | None) -> tuple[Tensor | float, Tensor | float]:
        """A_v z and A_h z, [B, 2 hidden, H, W] each (H = W = 1 for a vector): z [B, Z] or [B, Z, H, W]; None: zeros."""
        if z is None or self.conditioned is None:
            return 0.0, 0.0
        z = z[:, :, None, None] if z.dim() == 2 else z  # [B, Z, 1 or H, 1 or W]
        for_v, for_h = second(self.conditioned(last(z))).chunk(2, 1)
        return for_v, for_h

    def gate(self, x: Tensor) -> Tensor:
        """tanh(x_1) * sigmoid(x_2), halves of each colour's features: [..., 2 hidden] -> [..., hidden]."""
        one, two = x.unflatten(-1, (self.channels, -1)).chunk(2, -1)
        return ((2 * (2 * one).sigmoid() - 1) * two.sigmoid()).flatten(-2)  # tanh(t) = 2 sigmoid(2 t) - 1, but tanh is slow

    def forward(self, v: Tensor, h: Tensor, z: Tensor | None = None) -> tuple[Tensor, Tensor]:
        for_v, for_h = self.conditions(z)
        v = self.gate(last(self.vertical(v) + for_v))  # [B, H, W, hidden], eq. (1)
        seen = torch.cat([*to_the_left(last(h), self.pad, True), down(v)], -1)  # [B, H, W, (k//2 + 2) hidden]
        gated = self.gate(self.horizontal(seen) + (for_h if isinstance(for_h, float) else last(for_h)))
        return second(v), h + second(self.out(last(self.dropout(second(gated)))))  # eq. (2)

    def weights(self) -> tuple[Tensor, Tensor]:
        """R and L as matrices: [(k//2 + 1) hidden, 2 hidden], [hidden, 2 hidden]."""
        return (self.horizontal.weight * self.horizontal.mask).T.split([(self.pad + 1) * self.inputs, self.inputs])

    def taps(self) -> Tensor:
        return self.weights()[0]

    def above(self, rows: Tensor, for_v: Tensor | float, top: bool) -> tuple[Tensor, Tensor]:
        """For one row: what h gets from above with the bias, [B, 2 hidden, 1, W], and the newest row of v, [B, hidden, 1, W].

        Args:
            rows: the `reach` newest rows of the v below, [B, hidden, reach, W].
            for_v: A_v z at the newest of them.
            top: there is no row above, so that L v' is 0.
        """
        v = self.gate(last(self.vertical.within(rows) + for_v))  # [B, 1, W, hidden], eq. (1)
        return second(v @ self.weights()[1] * (not top) + self.horizontal.bias), second(v)

    def finish(self, own: Tensor, h: Tensor) -> Tensor:
        """The rest of (2) on the last axis, in use: [..., 2 hidden], [..., hidden] -> [..., hidden]."""
        return h + self.out(self.gate(own))
