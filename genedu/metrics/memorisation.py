"""Memorisation: are samples nearer to the training rows than fresh data are?

A generator that hands out its training rows has perfect samples, full coverage, and has learnt nothing. Rows held out tell how
near to the training set a fresh row comes:

    ratio = mean over samples of d(sample, train) / mean over test rows of d(row, train),
        d the distance to the nearest training row                                         (1)
    a share s of copies:  ratio = (1 - s) * ratio of the others                            (2)

About 1 for fresh draws of the truth, with a relative error of about sqrt(1/n + 1/m) at most where d varies no more than its
mean; near 0 for copies. By (2) a mean, unlike a median, shows any share of copies. But samples that are far from all data raise
it: a ratio of 1 may be half copies, half noise, so look at the distances too.

Source:   L. Theis, A. van den Oord, M. Bethge, "A note on the evaluation of generative models", ICLR 2016: why samples beside
          their nearest training rows prove little; (1) and (2) are ours.
Lecture:  "Generative modeling" (generate samples).
Differs:  distances are those of pixels, which a shift of one pixel enlarges: give features of a network if copies may be moved.
"""

import torch
from torch import Tensor

from genedu.metrics.distances import exact, nearest, rows


@torch.no_grad()
def nearest_neighbour_ratio(samples: Tensor, train: Tensor, test: Tensor) -> float:
    """(1), at least 0, without unit: samples [n, D], training rows [N, D], rows held out [m, D] -> a float.

    Raises:
        TypeError: something is no tensor.
        ValueError: they are not rows of finite numbers of one length; all test rows are copies of training rows.
    """
    dim = rows(samples, "samples").shape[1]
    data = exact(rows(train, "train", dim))
    fresh = nearest(exact(rows(test, "test", dim)), data, 1).mean().item()
    if fresh == 0:
        raise ValueError("every test row is a copy of a train row, so there is no measure of fresh: got a leak, hold rows out")
    return nearest(exact(samples), data, 1).mean().item() / fresh  # eq. (1)
