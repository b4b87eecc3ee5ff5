"""Exercise 04.2: the two stacks of a gated PixelCNN, computed weight by weight."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from genedu.checks import Mistake, Outcome, close, diagnose, judge
from genedu.core import seeded
from genedu.handle import Handle

SPAN = 8  # farther than any weight looks


def moved(x: Tensor, down: int, right: int, *, wrap: bool = False) -> Tensor:
    """At row r and column c what x [B, C, H, W] has at (r + down, c + right), and 0 outside."""
    if wrap:
        return x.roll((-down, -right), (2, 3))
    padded = pad(x, (SPAN, SPAN, SPAN, SPAN))
    height, width = x.shape[2:]
    return padded[:, :, SPAN + down : SPAN + down + height, SPAN + right : SPAN + right + width]


def taps(x: Tensor, weights: Tensor, rows: Sequence[int], columns: Sequence[int], *, wrap: bool = False) -> Tensor:
    """Sum over the weights [C, 1, I, J] of what they look at, `rows` down and `columns` to the right: [B, C, H, W]."""
    found = torch.zeros(len(x), len(weights), *x.shape[2:], dtype=x.dtype)
    for i, r in enumerate(rows):
        for j, c in enumerate(columns):
            found += weights[:, 0, i, j, None, None] * moved(x, r, c, wrap=wrap)
    return found


def two_stacks(handle: Handle) -> list[Outcome]:
    """04.2: (x [B, 1, H, W], vertical [C, 1, m, 2n + 1], horizontal [C, 1, 1, q]) -> h [B, C, H, W]."""
    shapes = ((2, 3, 6, 7, 3, 1, 3), (1, 2, 7, 4, 2, 2, 2), (1, 2, 2, 3, 3, 2, 4))  # B, C, H, W, m, n, q

    def ask(place: int) -> Mistake | None:
        for rows, channels, height, width, m, n, q in shapes:
            with seeded(handle.seed):
                x = torch.randn(rows, 1, height, width).double()
                v, u = torch.randn(channels, 1, m, 2 * n + 1).double(), torch.randn(channels, 1, 1, q).double()
            if place == 0:
                got, right, mistakes = handle.call({"x": x, "vertical": 0 * v, "horizontal": u}), *horizontal(x, u, q)
            else:
                got, right, mistakes = handle.call({"x": x, "vertical": v, "horizontal": 0 * u}), *vertical(x, v, m, n)
            if mistake := diagnose(got, right, mistakes, "let x be 1 at one pixel and 0 elsewhere: which pixels hear of it?"):
                return mistake
            both = taps(x, u, [0], range(-q, 0)) + moved(taps(x, v, range(-m + 1, 1), range(-n, n + 1)), -1, 0)  # (3)
            if place and not close(handle.call({"x": x, "vertical": v, "horizontal": u}), both):
                return Mistake("stacks mixed", "each stack is right alone, both together are not: what is added to what in (3)?")
        return None

    def horizontal(x: Tensor, u: Tensor, q: int) -> tuple[Tensor, dict[Mistake, Tensor]]:
        left = range(-q, 0)
        right = taps(x, u, [0], left)
        return right, {
            Mistake("horizontal missing", "the pixels to the left play no part"): 0 * right,
            Mistake("own pixel", "h sees the pixel that it is to predict"): taps(x, u, [0], range(-q + 1, 1)),
            Mistake("right side", "h sees pixels to its right: on which side are the zeros added?"): taps(
                x, u, [0], range(1, q + 1)
            ),
            Mistake("both sides", "the row is seen on both sides: zeros belong on one side only"): (
                taps(x, u, [0], range(-(q // 2), q - q // 2))
            ),
            Mistake("one too far", "the pixel just to the left is not seen: count how often the row is moved"): (
                taps(x, u, [0], range(-q - 1, -1))
            ),
            Mistake("row wraps", "the first columns see the last ones: outside of the image x is 0"): taps(
                x, u, [0], left, wrap=True
            ),
            Mistake("column for row", "this looks up the own column: (3) looks along the row"): taps(x, u.mT, left, [0]),
            Mistake("kernel turned", "the weights are taken from right to left"): taps(x, u.flip(3), [0], left),
            Mistake("all moved down", "both stacks are moved down: the horizontal one stays in its row"): moved(right, -1, 0),
        }

    def vertical(x: Tensor, v: Tensor, m: int, n: int) -> tuple[Tensor, dict[Mistake, Tensor]]:
        rows, columns = range(-m + 1, 1), range(-n, n + 1)
        plain = taps(x, v, rows, columns)  # (2)
        around = taps(x, v, range(-(m // 2), m - m // 2), columns)
        return moved(plain, -1, 0), {
            Mistake("vertical missing", "the vertical stack plays no part"): 0 * plain,
            Mistake(
                "no shift", "h sees its own row through v, to the right as well: what has v_rc seen, and which v enters?"
            ): plain,
            Mistake("shift upward", "h sees the row below: into which direction is v moved?"): moved(plain, 1, 0),
            Mistake("shift twice", "the row just above is not seen: count how often v is moved"): moved(plain, -2, 0),
            Mistake("shift to the right", "v is moved to the right: it must be moved down"): moved(plain, 0, -1),
            Mistake("rows around", "v sees rows below its own: zeros belong above the image only"): moved(around, -1, 0),
            Mistake("rows around, no shift", "v sees rows below its own, and is not moved"): around,
            Mistake("last row wraps", "the first row sees the last one: above the first row v is 0"): moved(
                plain, -1, 0, wrap=True
            ),
            Mistake("kernel upside down", "the rows of the kernel are taken from bottom to top"): (
                moved(taps(x, v.flip(2), rows, columns), -1, 0)
            ),
            Mistake("kernel mirrored", "the kernel is turned round, as mathematicians convolve"): (
                moved(taps(x, v.flip(2, 3), rows, columns), -1, 0)
            ),
        }

    return [
        judge("the horizontal stack sees q pixels to the left, in its own row", 1, lambda: ask(0)),
        judge("the vertical stack, moved down, sees m rows above, and neither its own nor a later one", 1, lambda: ask(1)),
    ]
