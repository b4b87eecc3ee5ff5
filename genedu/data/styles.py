"""Styles: five kinds of abstract pictures, drawn by rule. The paint does not tell which kind it is: each comes in all three.

Real paintings of a style have no formula; here each style is a rule with a few random numbers, so that a new picture of it can
always be drawn, and whether a sample is one can be asked. For a pixel at (u, v) in [0, 1]^2, paper a and paint b:

    stripes     b where sin(2 pi f (u cos t + v sin t) + s) > 0, else a; upright but for a slant t          (1)
    dots        b within r of a point of a square lattice with distance 1/2 that lies anywhere, else a      (2)
    rectangles  two upright and two level black lines; of the nine fields between them some are b, the others a           (3)
    gradient    from a to b along any direction                                                             (4)
    rings       b where cos(2 pi f |(u, v) - c|) > 0, else a; c near the middle                             (5)

Edges are a pixel wide, not steps. The paper is nearly white, the paint is one of three, a little lighter or darker; both are
drawn in the same way for all styles.

Source:   ours. (3) is after the compositions that P. Mondrian painted in the 1920s.
Lecture:  "GANs for art: GANgogh", which learned fourteen genres of paintings; these stand in for them.
Differs:  nothing.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from genedu.core import seeded

NAMES = ("stripes", "dots", "rectangles", "gradient", "rings")
PAINTS = ((0.85, 0.15, 0.10), (0.10, 0.25, 0.70), (0.95, 0.70, 0.10))  # red, blue, yellow


@dataclass(frozen=True, eq=False)
class Styles:
    """Pictures `[N, 3, size, size]` in [0, 1] and labels `[N]`, in three parts drawn apart; `names[label]` is the style."""

    train: Tensor
    validation: Tensor
    test: Tensor
    train_labels: Tensor
    validation_labels: Tensor
    test_labels: Tensor
    names: tuple[str, ...]


def styles(size: int = 16, *, sizes: tuple[int, int, int] = (2000, 500, 500), seed: int = 0) -> Styles:
    """Five styles, as many pictures of each in every part (as near as it goes), in a random order.

    Args:
        size: height and width in pixels, at least 8.
        sizes: pictures in training, validation and test part.
        seed: of all that is random; another one draws other pictures.

    Raises:
        ValueError: size below 8; a part without pictures.
    """
    if size < 8:
        raise ValueError(f"size must be at least 8 pixels, got {size}: stripes and dots would vanish")
    if len(sizes) != 3 or min(sizes) < 1:
        raise ValueError(f"sizes must be three numbers of pictures, at least 1 each, got {sizes}")
    with seeded(seed):
        of_train, of_validation, of_test = (torch.randperm(n) % len(NAMES) for n in sizes)  # [n] each
        train, validation, test = (paint(y, size) for y in (of_train, of_validation, of_test))
    return Styles(train, validation, test, of_train, of_validation, of_test, NAMES)


def paint(y: Tensor, size: int = 16) -> Tensor:
    """Draw a picture of style y from torch's global randomness: labels [n] -> [n, 3, size, size].

    Raises:
        ValueError: a label is no style.
    """
    if y.dim() != 1 or len(y) == 0 or y.is_floating_point() or not bool(((y >= 0) & (y < len(NAMES))).all()):
        raise ValueError(f"y must be [n] whole numbers 0 to {len(NAMES) - 1}, n >= 1: {', '.join(NAMES)}; got {y.tolist()}")
    n, pixel = len(y), (torch.arange(size) + 0.5) / size  # [S]
    v, u = torch.meshgrid(pixel, pixel, indexing="ij")  # [S, S] each, v runs down
    random = torch.rand(n, 6, 1, 1)
    a = 0.9 + 0.1 * torch.rand(n, 3, 1, 1)  # paper
    b = (torch.tensor(PAINTS)[torch.randint(len(PAINTS), (n,))] + 0.1 * torch.rand(n, 3) - 0.05)[..., None, None]  # [n, 3, 1, 1]
    slant, phase, turn = random[:, 0] - 0.5, 2 * math.pi * random[:, 1], 2 * math.pi * random[:, 2]

    def side(distance: Tensor) -> Tensor:
        """1 where a distance in units of the picture is positive, 0 where negative; between them an edge one pixel wide."""
        return (0.5 + distance * size).clamp(0, 1)

    def wave(periods: float, along: Tensor, phase: Tensor | float) -> Tensor:
        return (2 * math.pi * periods * along + phase).sin() / (2 * math.pi * periods)  # slope 1 where it crosses 0

    from_middle = torch.stack([u - 0.4 - 0.2 * random[:, 3], v - 0.4 - 0.2 * random[:, 4]]).norm(dim=0)  # [n, S, S]
    off_lattice = torch.stack([(w - random[:, i]) % 0.5 - 0.25 for w, i in ((u, 3), (v, 4))]).norm(dim=0)
    share = torch.stack(  # of b in each pixel, by style: [5, n, S, S]
        [
            side(wave(2.0, u * slant.cos() + v * slant.sin(), phase)),  # eq. (1)
            side(0.13 + 0.04 * random[:, 5] - off_lattice),  # eq. (2)
            torch.zeros(n, size, size),
            (0.5 + (u - 0.5) * turn.cos() + (v - 0.5) * turn.sin()).clamp(0, 1),  # eq. (4)
            side(wave(1.8, from_middle, math.pi / 2)),  # eq. (5)
        ]
    )
    share = share[y, torch.arange(n)][:, None]  # [n, 1, S, S]
    mixed = (1 - share) * a + share * b  # [n, 3, S, S]
    return torch.where((y == NAMES.index("rectangles"))[:, None, None, None], rectangles(u, v, a, b, size), mixed).clamp(0, 1)


def rectangles(u: Tensor, v: Tensor, a: Tensor, b: Tensor, size: int) -> Tensor:
    """(3) for each pair of colours [n, 3, 1, 1]: pixels [S, S] -> [n, 3, S, S]."""
    n = len(a)
    first, gap = 0.2 + 0.2 * torch.rand(2, n, 1, 1), 0.3 + 0.15 * torch.rand(2, n, 1, 1)  # of the lines, across and down
    field = torch.zeros(n, size, size, dtype=torch.long)
    line = torch.zeros(n, size, size)
    for w, place, step in ((u, (first[0], first[0] + gap[0]), 1), (v, (first[1], first[1] + gap[1]), 3)):
        for at in place:
            field = field + step * (w > at)  # 0 .. 8
            line = torch.maximum(line, (1 - (w - at).abs() * size).clamp(0, 1))  # a pixel wide
    painted = torch.rand(n, 9, 1) < 1 / 3
    colour = torch.where(painted, b[:, None, :, 0, 0], a[:, None, :, 0, 0])  # [n, 9, 3]
    flat = colour.gather(1, field.flatten(1)[..., None].expand(-1, -1, 3))  # [n, S S, 3], eq. (3)
    return flat.transpose(1, 2).view(n, 3, size, size) * (1 - line[:, None])
