r"""Shapes: small colour pictures of one shape each, whose five factors are known and independent.

What a code has learned can only be measured where the truth behind the pictures is known. Here a picture is a function of five
levels, each drawn evenly and independent of the others:

    shape (disc, square, triangle), colour (6), size (3), column (3), row (3):  486 pictures               (1)
    coverage of a pixel = clamp(1/2 - d / width of a pixel, 0, 1),   d the signed distance to the edge     (2)
    picture = coverage colour + (1 - coverage) background                                                  (3)

The three shapes of one size have one area, so that brightness tells the size and not the shape. By (2) edges are smooth, and the
same picture can be drawn at 8, 16 or 32 pixels. No two of the 486 are alike, so each picture tells its five levels: those of a
made-up picture are the levels of the nearest of the 486 (`read`).

Source:   the idea of pictures with known, independent factors: L. Matthey et al., "dSprites", 2017. The drawing is ours.
Lecture:  "Representation learning", "Why Images are difficult?".
Differs:  one colour picture a combination, with few levels; dSprites are 737 280 black and white pictures of 64 x 64 pixels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from genedu.core import check_values, seeded

FACTORS = {
    "shape": ("disc", "square", "triangle"),
    "colour": ("red", "green", "blue", "yellow", "magenta", "cyan"),
    "size": ("small", "medium", "large"),
    "column": ("left", "centre", "right"),
    "row": ("top", "middle", "bottom"),
}
COLOURS = ((0.9, 0.2, 0.2), (0.2, 0.7, 0.2), (0.25, 0.35, 1.0), (0.95, 0.85, 0.1), (0.9, 0.2, 0.9), (0.1, 0.85, 0.9))
BACKGROUND = 0.05
HALF_SIDES = (0.12, 0.155, 0.19)  # of the square; the width of the picture is 1
PLACES = (0.3, 0.5, 0.7)


def _is_level(n: int, levels: Tensor) -> Tensor:
    return (levels >= 0) & (levels < n)


def render(labels: Tensor, size: int = 16) -> Tensor:
    """The pictures of rows of five levels, in the order of `FACTORS`: [N, 5] (long) -> [N, 3, size, size] in [0, 1].

    Raises:
        ValueError: size below 8; labels are not whole numbers [N, 5], or one is no level of its factor.
    """
    if type(size) is not int or size < 8:
        raise ValueError(f"size must be a whole number of at least 8 pixels, got {size!r}")
    if labels.dim() != 2 or labels.shape[1] != len(FACTORS) or labels.dtype != torch.long:
        raise ValueError(f"labels must be whole numbers [N, {len(FACTORS)}], got {list(labels.shape)} of {labels.dtype}")
    for (name, values), levels in zip(FACTORS.items(), labels.T, strict=True):
        good = partial(_is_level, len(values))
        check_values(levels, good, f"{name} must be a level 0 to {len(values) - 1}")
    shape, colour, half, column, row = labels.T
    a = torch.tensor(HALF_SIDES, device=labels.device)[half].view(-1, 1, 1)  # [N, 1, 1]
    place = torch.tensor(PLACES, device=labels.device)
    at = (torch.arange(size, device=labels.device) + 0.5) / size  # [S]: centres of the pixels
    x = at.view(1, 1, -1) - place[column].view(-1, 1, 1)  # [N, 1, S]
    y = at.view(1, -1, 1) - place[row].view(-1, 1, 1)  # [N, S, 1], downwards

    disc = (x**2 + y**2).sqrt() - a * (2 / math.sqrt(math.pi))  # [N, S, S]
    square = torch.maximum(x.abs(), y.abs()) - a
    side = 4 / 3**0.25 * a  # an equilateral triangle of area 4 a^2, its box in the middle
    height = side * math.sqrt(3) / 2
    slope = math.sqrt(3) / 2 * x.abs() - 0.5 * (y + height / 2)
    triangle = torch.maximum(slope, y - height / 2)
    d = torch.stack([disc, square, triangle], 1)[torch.arange(len(labels), device=labels.device), shape]  # [N, S, S]

    cover = (0.5 - d * size).clamp(0, 1).unsqueeze(1)  # [N, 1, S, S], eq. (2)
    paint = torch.tensor(COLOURS, device=labels.device)[colour].view(-1, 3, 1, 1)
    return cover * paint + (1 - cover) * BACKGROUND  # [N, 3, S, S], eq. (3)


def combinations() -> Tensor:
    """All rows of levels, the last factor fastest: [486, 5]."""
    return torch.cartesian_prod(*[torch.arange(len(values)) for values in FACTORS.values()])


@dataclass(frozen=True, eq=False)
class Shapes:
    """Pictures `[N, 3, S, S]` in [0, 1] and levels `[N, 5]` (long), in three parts drawn independently; the factors' names."""

    train: Tensor
    validation: Tensor
    test: Tensor
    train_labels: Tensor
    validation_labels: Tensor
    test_labels: Tensor
    size: int
    factors: dict[str, tuple[str, ...]]

    def render(self, labels: Tensor) -> Tensor:
        """The pictures of rows of levels, in the size of this set: [N, 5] -> [N, 3, S, S]."""
        return render(labels, self.size)

    def read(self, images: Tensor) -> Tensor:
        """The levels of the nearest of the 486 pictures: [N, 3, S, S] -> [N, 5]. Exact for pictures of the set.

        Raises:
            ValueError: images are not finite [N, 3, S, S].
        """
        if images.shape[1:] != (3, self.size, self.size):
            raise ValueError(f"images must be [N, 3, {self.size}, {self.size}], got {list(images.shape)}")
        check_values(images, torch.isfinite, "images must be finite")
        every = combinations().to(images.device)
        return every[torch.cdist(images.flatten(1), render(every, self.size).to(images).flatten(1)).argmin(1)]


def shapes(size: int = 16, *, sizes: Sequence[int] = (3000, 500, 500), seed: int = 0) -> Shapes:
    """Pictures of `size` x `size` pixels with evenly drawn, independent factors (1); `sizes` rows in the three parts.

    Raises:
        ValueError: size below 8; not three numbers of rows, each at least 1.
    """
    if len(sizes) != 3 or not all(type(n) is int and n >= 1 for n in sizes):
        raise ValueError(f"sizes must be three numbers of rows, each at least 1, got {sizes!r}")
    with seeded(seed):
        labels = torch.stack([torch.randint(len(values), (sum(sizes),)) for values in FACTORS.values()], 1)  # [N, 5]
    a, b, c = labels.split(list(sizes))
    return Shapes(render(a, size), render(b, size), render(c, size), a, b, c, size, dict(FACTORS))
