"""Letters as pen strokes: each a few lines and elliptic arcs, cut into steps of about the same length.

A letter is drawn on a line at height 0 and is one unit high; `l` and `t` rise above it, the dot of `i` stands above it. The
letters of a word follow each other, with a step through the air between them, as between the strokes of one letter. A word is
then

    (a_t, b_t) = HEIGHT * (point_t - point_t-1),   point_0 = (0, 0),   e_t = [the pen is lifted after point_t]    (1)

Source:   the shapes are ours.
Lecture:  "Learning to generate" (Handwriting).
Differs:  13 letters in one hand; scanned pens give many more points a letter, at equal times and not at equal distances.
"""

import math
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor

LETTERS = "aceilnorstuvw"
HEIGHT = 4.0  # of a small letter


def arc(x: float, y: float, rx: float, ry: float, start: float, turn: float, steps: int) -> list[tuple[float, float]]:
    """Points on an ellipse around (x, y), from the angle `start` on, over `turn` (both in quarter turns, anticlockwise)."""
    angles = [(start + turn * i / steps) * math.pi / 2 for i in range(steps + 1)]
    return [(x + rx * math.cos(t), y + ry * math.sin(t)) for t in angles]


def line(*corners: tuple[float, float, int]) -> list[tuple[float, float]]:
    """Points on straight lines from corner to corner (x, y, steps to get there; 0 for the first)."""
    path = [corners[0][:2]]
    for (x0, y0, _), (x1, y1, steps) in pairwise(corners):
        path += [(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps) for i in range(1, steps + 1)]
    return path


@cache
def letter(name: str) -> tuple[list[list[tuple[float, float]]], float]:
    """The strokes of a letter that is one unit high above its line, and how wide it is."""
    shapes = {
        "a": ([[*arc(0.35, 0.5, 0.35, 0.5, 0.5, 3.6, 7), *line((0.7, 0.5, 0), (0.7, 0, 2))]], 0.7),
        "c": ([arc(0.4, 0.5, 0.4, 0.5, 0.6, 2.8, 6)], 0.65),
        "e": ([[*line((0.05, 0.5, 0), (0.75, 0.55, 2)), *arc(0.4, 0.5, 0.37, 0.5, 0.2, 3.2, 7)[1:]]], 0.75),
        "i": ([line((0.1, 1, 0), (0.1, 0, 3)), line((0.1, 1.4, 0), (0.12, 1.55, 1))], 0.2),
        "l": ([[*line((0.1, 1.9, 0), (0.1, 0.2, 5)), (0.25, 0.0)]], 0.25),
        "n": (
            [
                [
                    *line((0.05, 1, 0), (0.05, 0, 3), (0.05, 0.6, 2)),
                    *arc(0.35, 0.65, 0.3, 0.35, 1.8, -1.8, 3),
                    (0.65, 0.3),
                    (0.65, 0),
                ]
            ],
            0.7,
        ),
        "o": ([arc(0.4, 0.5, 0.4, 0.5, 1, 4, 8)], 0.8),
        "r": ([[*line((0.05, 1, 0), (0.05, 0, 3)), (0.05, 0.6), *arc(0.35, 0.6, 0.3, 0.4, 1.8, -1.2, 2)]], 0.55),
        "s": ([[*arc(0.35, 0.75, 0.28, 0.25, 0.4, 2.4, 4), *arc(0.35, 0.25, 0.3, 0.25, 0.8, -2.6, 4)]], 0.65),
        "t": ([[*line((0.25, 1.5, 0), (0.25, 0.1, 4)), (0.5, 0.0)], line((0, 1, 0), (0.55, 1, 2))], 0.55),
        "u": (
            [
                [
                    *line((0.05, 1, 0), (0.05, 0.4, 2)),
                    *arc(0.35, 0.35, 0.3, 0.35, 2, 2, 3),
                    (0.65, 1.0),
                    *line((0.65, 0.6, 0), (0.65, 0, 2)),
                ]
            ],
            0.7,
        ),
        "v": ([line((0, 1, 0), (0.35, 0, 3), (0.7, 1, 3))], 0.7),
        "w": ([line((0, 1, 0), (0.25, 0, 3), (0.5, 0.9, 3), (0.75, 0, 3), (1, 1, 3))], 1.0),
    }
    return shapes[name]


@cache
def ideal(word: str) -> Tensor:
    """(a_t, b_t, e_t) of (1) for a word, before size, slant and noise: [T, 3].

    Raises:
        ValueError: an empty word, or a letter that this hand cannot write.
    """
    if not word or set(word) - set(LETTERS):
        raise ValueError(f"the word must be made of the letters {LETTERS}, got {word!r}")
    points, at = [(0.0, 0.0, 1.0)], 0.0
    for name in word:
        strokes, width = letter(name)
        for stroke in strokes:
            points += [(at + x, y, 0.0) for x, y in stroke]
            points[-1] = (*points[-1][:2], 1.0)
        at += width + 0.35
    path = torch.tensor(points, dtype=torch.float64)  # [T + 1, 3]
    return torch.cat([HEIGHT * path.diff(dim=0)[:, :2], path[1:, 2:]], 1)
