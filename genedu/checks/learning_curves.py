"""Learning curves of naive Bayes and of logistic regression on features that are independent, or copies of one another.

A. Ng and M. Jordan (NIPS 2001) compare the two: the generative model comes close to its own limit with fewer rows, the
discriminative one has the better limit unless the features are independent given the class. Everything is fitted anew
for each seed, many training sets at once.
"""

from functools import lru_cache

import torch
from torch import Tensor

from genedu.core import seeded

Pair = tuple[list[int], Tensor, Tensor]  # sizes, accuracies [T] of naive Bayes, of logistic regression
SOURCES = 6  # features that are copied


def rows(n: int, repeats: int, p: Tensor, copies: int) -> tuple[Tensor, Tensor]:
    """Binary features x [R, n, D] and labels y [R, n]. Nine times in ten the last `copies` repeat features 0, 1, .. 5, 0, .."""
    y = (torch.rand(repeats, n) < 0.5).double()
    chance = torch.where(y[..., None] == 1, p, 1 - p)  # [R, n, D]
    x = (torch.rand(repeats, n, len(p)) < chance).double()
    same = torch.rand(repeats, n, copies) < 0.9
    fresh, source = x[..., len(p) - copies :], torch.arange(copies) % SOURCES
    return torch.cat([x[..., : len(p) - copies], torch.where(same, x[..., source], fresh)], -1), y


def naive_bayes(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Weights [R, D] and bias [R] of naive Bayes with one row added to each count: x [R, n, D], y [R, n]."""
    p1, p0 = (((x * c[..., None]).sum(1) + 1) / (c.sum(-1)[:, None] + 2) for c in (y, 1 - y))
    prior = (y.sum(-1) + 1) / (y.shape[-1] + 2)
    return p1.logit() - p0.logit(), prior.logit() + (torch.log1p(-p1) - torch.log1p(-p0)).sum(-1)


def logistic_regression(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Weights [R, D] and bias [R] by Newton's method, penalty 0.005 |w|² and none on the bias: x [R, n, D], y [R, n]."""
    x = torch.cat([x - 0.5, torch.ones_like(x[..., :1])], -1)  # [R, n, D + 1], centred: the bias is soon found
    w, ridge = torch.zeros_like(x[:, 0]), 0.01 * torch.eye(x.shape[-1], dtype=x.dtype)
    ridge[-1, -1] = 1e-9
    for _ in range(10):
        p = torch.einsum("rnd,rd->rn", x, w).sigmoid()
        slope = torch.einsum("rnd,rn->rd", x, p - y) + w @ ridge
        curvature = (x * (p * (1 - p))[..., None]).mT @ x + ridge  # [R, D + 1, D + 1]
        w = w - torch.linalg.solve(curvature, slope)
    return w[:, :-1], w[:, -1] - 0.5 * w[:, :-1].sum(-1)


@lru_cache(maxsize=4)  # a class has hundreds of seeds
def learning_curves(seed: int) -> list[Pair]:
    """Nine pairs of test accuracies, means over training sets: naive Bayes ahead throughout, long, or only at first."""
    found: list[Pair] = []
    with seeded(seed):
        for kind in [0, 1, 2] * 3:
            dim, copies = [(30, 0), (42, 12), (42, 12)][kind]
            first = int(torch.randint(55, 66, ()))
            sizes = [first * k for k in [(1, 2, 3, 4, 6), (1, 2, 4, 16, 30), (1, 16, 24, 32, 40)][kind]]
            p = 0.58 + 0.04 * torch.rand(dim)
            p[dim - copies :] = p[torch.arange(copies) % SOURCES]
            test, truth = (t[0] for t in rows(3000, 1, p, copies))  # [N, D], [N]
            curve: list[list[Tensor]] = [[], []]
            for n in sizes:
                train = rows(n, 2 + 2400 // n, p, copies)  # small sets differ more from one another
                for accuracies, (w, b) in zip(curve, (naive_bayes(*train), logistic_regression(*train)), strict=True):
                    accuracies.append(((test @ w.T + b > 0) == (truth[:, None] == 1)).double().mean())
            found.append((sizes, torch.stack(curve[0]), torch.stack(curve[1])))
    return found
