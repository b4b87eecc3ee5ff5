"""Runs of autoencoders with hidden layers before the code and one linear layer after it, of which the code size is asked.

The code comes from a random network. The decoder is the best linear one for it, then taken part of the way to zero as if training
had stopped early: the error is that of PCA with fewer numbers. Some of the code's numbers are used much less than others, by a
factor of up to 30; the bias is large against what varies; units differ from run to run by six orders of magnitude.
"""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from genedu.checks import Mistake, Outcome, judge, tensor
from genedu.core import seeded
from genedu.handle import CallFailed, Handle


class Run(NamedTuple):
    """Images and reconstructions [n, D], both in single precision, and the code size."""

    x: Tensor
    back: Tensor
    size: int


def run(n: int, dim: int, size: int, unit: float) -> Run:
    """A run in which the reconstructions fill exactly `size` directions about their mean."""
    spread = torch.logspace(0, -1.5, dim).double()  # no direction of the images is empty
    x = torch.randn(n, dim).double() * spread @ torch.linalg.qr(torch.randn(dim, dim).double()).Q
    hidden = torch.tanh(x @ torch.randn(dim, 64).double() / dim**0.5)  # [n, 64]
    code = hidden @ torch.randn(64, size).double()  # [n, Q]
    bias = 5 * torch.randn(dim).double()
    x, code = x - x.mean(0), torch.linalg.qr(code - code.mean(0)).Q  # [n, Q] with columns of length 1
    u, s, v = torch.linalg.svd(code @ (code.T @ x), full_matrices=False)  # of the best reconstruction, which has rank Q
    s = 0.9 * s[:size].clamp(min=float(s[0]) / 28)  # [Q]
    weak = 1 if size % 2 == 0 or size < 4 else 2  # numbers that are used little
    s[-weak:] = s[0] / torch.empty(weak).double().uniform_(12, 28).sort().values
    back = u[:, :size] * s @ v[:size]  # [n, D]
    return Run((unit * (x + bias)).float(), (unit * (back + bias)).float(), size)


@lru_cache(maxsize=4)  # a class has hundreds of seeds
def runs(seed: int) -> list[Run]:
    """Twelve runs, with code sizes from 2 to 13; four have fewer images than pixels."""
    with seeded(seed):
        units = (10 ** torch.linspace(-3, 3, 12))[torch.randperm(12)].tolist()
        sizes = (torch.randperm(12) + 2).tolist()
        found = []
        for i, (unit, size) in enumerate(zip(units, sizes, strict=True)):
            dim = int(torch.randint(20, 30, ()))
            found.append(run(18 if i % 3 == 0 else int(torch.randint(80, 300, ())), dim, size, unit))
        return found


def sizes_of(rows: Tensor, *, centred: bool = True) -> Tensor:
    """Singular values of rows [n, D], falling."""
    rows = rows.double()
    return torch.linalg.svdvals(rows - rows.mean(0) if centred else rows)


def one_threshold(values: list[Tensor], said: list[int]) -> bool:
    """Is there a number of which `said` counts, run by run, the values above?"""
    below = max(float(v[k]) if k < len(v) else 0.0 for v, k in zip(values, said, strict=True))
    above = min(
        float(v[k - 1]) if 0 < k <= len(v) else (float("inf") if k == 0 else 0.0) for v, k in zip(values, said, strict=True)
    )
    return below < above


def as_pca(one: Run) -> int:
    """The number of principal axes of the images that would have this error, or less."""
    error = (one.back.double() - one.x.double()).square().sum()
    left = sizes_of(one.x).square().flip(0).cumsum(0).flip(0)  # [D]: without the first k axes
    return int((left > error).sum())


def code_size(handle: Handle) -> list[Outcome]:
    """06.3: (x [n, D], back [n, D]) -> Q."""

    def found() -> Mistake | None:
        cases, said = runs(handle.seed), []
        for i, case in enumerate(cases):
            got = float(tensor(handle.call({"x": case.x, "back": case.back}, seed=i), ()))
            if got != got or got != round(got):
                raise CallFailed(f"it must return a whole number, it returns {got:g}", "no whole number")
            said.append(int(got))
        right = [case.size for case in cases]
        hits = sum(s == r for s, r in zip(said, right, strict=True))
        if hits >= 11:
            return None
        spectra, raw = [sizes_of(c.back) for c in cases], [sizes_of(c.back, centred=False) for c in cases]
        if len(set(said)) == 1:
            return Mistake("constant answer", "the answer is the same for all runs: look at the numbers")
        if said in (
            [min(c.x.shape) for c in cases],
            [c.x.shape[1] for c in cases],
            [min(len(c.x) - 1, c.x.shape[1]) for c in cases],
        ):
            return Mistake("all directions", "all directions are counted: numbers in single precision are seldom exactly 0")
        if said == [r + 1 for r in right] or one_threshold([s / s[0] for s in raw], said):
            return Mistake(
                "bias counted", "one direction too many, or weak ones lost beside a strong one: what does the decoder add to all?"
            )
        if said == [r - 1 for r in right]:
            return Mistake("one less", "one too few in each run: where does your counting begin?")
        if said == [as_pca(c) for c in cases]:
            return Mistake("as good as PCA", "you compare the error with that of PCA: these runs were stopped early")
        single = [torch.linalg.svdvals((c.back - c.back.mean(0)).double()) for c in cases]  # centred in single precision
        deviations = [[s / len(c.x) ** 0.5 for s, c in zip(v, cases, strict=True)] for v in (spectra, single)]
        if any(one_threshold(v, said) for v in (spectra, single, *deviations)):
            return Mistake("fixed size", "so does a fixed size answer: the runs come in different units")
        if all(s <= r for s, r in zip(said, right, strict=True)):
            return Mistake(
                "weak ones lost", "never too many, often too few: a number that is used little is a number of the code"
            )
        return Mistake("", f"right in {hits} runs of 12: in how many directions can a linear layer send Q numbers?")

    return [judge("it finds the code size in at least 11 of 12 unseen runs", 4, found)]
