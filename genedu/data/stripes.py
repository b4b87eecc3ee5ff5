"""Stripes: parallel clusters, longer than the gap between them is wide, so that rows without a label show the border.

    y evenly from 0 .. K - 1,   x_1 ~ N((y - (K - 1)/2) gap, sigma^2),   x_2 ~ U(-length/2, length/2)       (1)
    no classifier errs less than  (2 - 2/K) Phi(-gap / (2 sigma))                                           (2)

With one labelled row a class, what the labels alone suggest is the middle line between the two rows, which stands as aslant as
the rows happen to lie. The gap tells where the border is, but only the rows without a label show the gap. The narrower it is for
the length, and the fewer labels there are, the oftener a method that uses those rows is led astray as well.

Source:   ours, after the cluster assumption of O. Chapelle, B. Schölkopf, A. Zien (eds.), "Semi-Supervised Learning", MIT Press
          2006, section 1.2. (2): a row is taken for a neighbour's beyond a middle line; inner stripes have two of them.
Lecture:  "Semi-Supervised GAN".
Differs:  nothing: no set of this kind is in the lecture.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genedu.core import seeded


@dataclass(frozen=True, eq=False)
class Stripes:
    """Rows `[N, 2]` (float) and labels `[N]` (long) in three independent parts; `least_error` is (2)."""

    train: Tensor
    validation: Tensor
    test: Tensor
    train_labels: Tensor
    validation_labels: Tensor
    test_labels: Tensor
    least_error: float


def stripes(
    classes: int = 2,
    *,
    gap: float = 1.5,
    sigma: float = 0.1,
    length: float = 5.0,
    sizes: Sequence[int] = (1000, 500, 1000),
    seed: int = 0,
) -> Stripes:
    """Rows of (1); `gap` is the distance of two neighbours' middle lines.

    Raises:
        ValueError: classes below 1; gap, sigma or length not positive and finite; sizes not three numbers of at least 1.
    """
    if classes < 1:
        raise ValueError(f"classes must be at least 1, got {classes}")
    if not all(0 < v < math.inf for v in (gap, sigma, length)):
        raise ValueError(f"gap, sigma and length must be positive and finite, got {gap}, {sigma} and {length}")
    if len(sizes) != 3 or min(sizes) < 1:
        raise ValueError(f"sizes must be three numbers of rows (train, validation, test), got {sizes!r}")
    x, y = [], []
    with seeded(seed):
        for n in sizes:
            label = torch.randint(classes, (n,))  # [n]
            across = (label - (classes - 1) / 2) * gap + sigma * torch.randn(n)
            x.append(torch.stack([across, length * (torch.rand(n) - 0.5)], 1))  # [n, 2], eq. (1)
            y.append(label)
    beyond = 0.5 * math.erfc(gap / (2 * sigma) / math.sqrt(2))  # Phi(-gap / (2 sigma))
    return Stripes(x[0], x[1], x[2], y[0], y[1], y[2], (2 - 2 / classes) * beyond)  # eq. (2)
