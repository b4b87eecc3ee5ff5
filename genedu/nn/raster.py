r"""Sampling in raster order, and how to make each new pixel cost its own column of work only.

    for each place i, rows from the top, in a row from the left, red before green before blue:
        x_i ~ softmax f_i(x_<i)                                                                             (1)
    f of a whole image costs N columns of work, so (1) done plainly costs N^2; with what is kept, N                  (2)

Nothing that belongs to an earlier pixel changes when a later one is drawn: features that were computed once are kept. What a
row gets from the rows above it is computed once, for the whole row, when the row begins. Then each pixel takes for each layer
one product of a matrix with the features of its left neighbours. Zeros stand around the image in every layer, as padding does.

Source:   P. Ramachandran, T. Le Paine, P. Khorrami, M. Babaeizadeh, S. Chang, Y. Zhang, M. Hasegawa-Johnson, R. Campbell,
          T. Huang, "Fast Generation for Convolutional Autoregressive Models", ICLR workshop 2017.
Lecture:  "Autoregressive models" (sequential generation can be slow); "Autoregressive Models" (sample one step at a time).
Differs:  matrix products in place of convolutions of one pixel, which a CPU does several times faster.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from genedu.nn.draw import draw_levels

Condition = tuple[Tensor | float, Tensor | float]


def fill(x: Tensor, start: int, logits_at: Callable[[int, int, int], Tensor], temperature: float = 1.0) -> Tensor:
    """(1) in place, from place number `start` on: levels x [B, C, H, W] -> x itself.

    Args:
        logits_at: (colour, row, column) -> logits [B, levels], given all earlier places of x.
    """
    _, channels, height, width = x.shape
    for place in range(start, channels * height * width):
        pixel, g = divmod(place, channels)
        r, c = divmod(pixel, width)
        x[:, g, r, c] = draw_levels(logits_at(g, r, c), temperature)  # eq. (1)
    return x


def known_prefix(known: Tensor, shape: tuple[int, int, int]) -> int:
    """How many places, in the order of (1), are known before the first that is not: truth values [C, H, W] or [H, W].

    Raises:
        ValueError: another shape or dtype; a known place behind an unknown one.
    """
    if known.dtype != torch.bool or known.shape not in (shape, shape[1:]):
        raise ValueError(f"known must be truth values {list(shape)} or {list(shape[1:])}, got {known.dtype} {list(known.shape)}")
    line = known.expand(shape).flatten(1).T.flatten()  # in the order of (1)
    start = int(line.sum())
    if not bool(line[:start].all()):
        raise ValueError(
            "known places must come before all unknown ones in raster order: the lower rows can be drawn given the upper ones, "
            f"but not the right half given the left; place {int(line.long().argmin())} is unknown, a later one is known"
        )
    return start


class PixelCache:
    """Features of the last layer, pixel by pixel: each call goes on from where the last one ended.

    Args:
        stages: the first layer and those on top of it. Each has `inputs` (features), `pad` (zeros to the left), `reach`
            (rows it takes from above), `above`, `taps` and `finish`, as the classes of genedu.nn.two_stack and masked_block.
        conditions: for each stage what is added to the vertical and to the own features, [B or 1, F, H or 1, W or 1] or 0.
        x: the levels, [B, C, H, W], as far as they are known; to be filled in by the caller.
        shown: what the first stage is shown of levels: [B, C] -> [B, F].
    """

    def __init__(
        self, stages: Sequence[Any], conditions: Sequence[Condition], x: Tensor, shown: Callable[[Tensor], Tensor]
    ) -> None:
        self.stages, self.conditions, self.x, self.shown = stages, conditions, x, shown
        self.taps = [stage.taps() for stage in stages]  # [T F, F']
        self.counts = [len(taps) // stage.inputs for stage, taps in zip(stages, self.taps, strict=True)]  # T
        n, width, empty = len(x), x.shape[3], self.taps[0].new_zeros
        self.rows = [empty(n, stage.inputs, stage.reach, width) for stage in stages]  # from above, the newest last
        self.own = [empty(n, width + stage.pad, stage.inputs) for stage in stages]  # the row that is being drawn
        self.at = -1  # the last pixel whose features were computed

    def features(self, r: int, c: int) -> Tensor:
        """The last stage's features of pixel (r, c): [B, F]; those of pixels before it are computed and kept, too."""
        width = self.x.shape[3]
        self.look(self.at)  # its last colour was filled in after its features were asked for
        for pixel in range(self.at + (r * width + c > self.at), r * width + c + 1):
            if pixel % width == 0 and pixel > self.at:
                self.begin_row(pixel // width)
            self.look(pixel)
            h = self.column(pixel % width)
        self.at = r * width + c
        return h

    def look(self, pixel: int) -> None:
        """Take in what the pixel shows now."""
        if pixel >= 0:
            r, c = divmod(pixel, self.x.shape[3])
            self.own[0][:, self.stages[0].pad + c] = self.shown(self.x[:, :, r, c])

    def column(self, c: int) -> Tensor:
        """The features of pixel c of the row in all stages, by what is above and to the left; returns the last stage's."""
        h: Any = None
        for i, stage in enumerate(self.stages):
            if h is not None:
                self.own[i][:, stage.pad + c] = h
            window = self.own[i][:, c : c + self.counts[i]].flatten(1)  # [B, T F]
            h = stage.finish(torch.addmm(self.terms[i][c], window, self.taps[i]), h)  # [B, F']
        return h

    def begin_row(self, r: int) -> None:
        """Compute what row r gets from the rows above; row r - 1 must be complete."""
        self.terms: list[Tensor] = []
        new = None
        for i, (stage, (for_v, for_own)) in enumerate(zip(self.stages, self.conditions, strict=True)):
            if r > 0:
                if new is None:  # the stage looks up at its own input, not at a stack that runs ahead
                    new = self.own[i][:, stage.pad :].permute(0, 2, 1)[:, :, None]  # [B, F, 1, W]
                self.rows[i] = torch.cat([self.rows[i][:, :, 1:], new], 2)
            term, new = stage.above(self.rows[i], row_of(for_v, r - 1), r == 0)
            term = (term + row_of(for_own, r))[:, :, 0].expand(-1, -1, self.x.shape[3])  # [B or 1, F', W]
            self.terms.append(term.permute(2, 0, 1).contiguous())  # [W, B or 1, F']


def row_of(condition: Tensor | float, r: int) -> Tensor | float:
    """Row r of a map, a vector as it is."""
    return condition if isinstance(condition, float) or condition.shape[2] == 1 else condition[:, :, max(r, 0)][:, :, None]
