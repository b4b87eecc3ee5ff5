"""Checks of the exercises of chapter 6, autoencoders: 3 + 3 + 4 = 10 points."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from genedu.checks import Mistake, Outcome, diagnose, judge, parts, tensor
from genedu.checks.code_sizes import code_size
from genedu.core import seeded
from genedu.handle import Handle

ANSWERS = ("latent/autoencoder.py", "latent/probabilistic_pca.py")  # not there while students are graded


def rows_with_a_mean(n: int, dim: int) -> Tensor:
    """Rows [n, D] away from the origin whose covariance has well separated eigenvalues."""
    spread = 2.0 ** -torch.arange(dim).double()
    turn = torch.linalg.qr(torch.randn(dim, dim).double()).Q
    return torch.randn(n, dim).double() * spread @ turn + 2.0 + torch.randn(dim).double()


def linear_autoencoder(handle: Handle) -> list[Outcome]:
    """06.1: (x [n, D], q) -> (encoder [Q, D], decoder [D, Q], mean [D])."""
    with seeded(handle.seed):
        many, few, asked = rows_with_a_mean(60, 5), rows_with_a_mean(4, 6), torch.randn(7, 6).double()

    def answer(x: Tensor, q: int) -> tuple[Tensor, ...]:
        dim, found = x.shape[1], parts(handle.call({"x": x, "q": q}), "A", "B", "m")
        shapes = (q, dim), (dim, q), (dim,)
        return tuple(tensor(v, s, what).double() for v, s, what in zip(found, shapes, "ABm", strict=True))

    def ask(x: Tensor, q: int) -> Mistake | None:
        dim = x.shape[1]
        a, b, m = answer(x, q)
        new = asked[:, :dim] + x.mean(0)  # [7, D]
        given = m + (new - m) @ a.T @ b.T

        def through(axes: Tensor, centre: Tensor, scale: Tensor | None = None) -> Tensor:
            code = (new - centre) @ axes
            return centre + (code if scale is None else code * scale) @ axes.T

        centre = x.mean(0)
        away, origin = x - centre, torch.zeros_like(centre)
        values, axes = (v.flip(-1) for v in torch.linalg.eigh(away.T @ away / len(x)))
        raw = torch.linalg.eigh(x.T @ x / len(x))[1].flip(1)[:, :q]
        correlated = torch.linalg.eigh(torch.corrcoef(x.T))[1].flip(1)[:, :q]
        root = values[:q].clamp(min=0).sqrt()
        mistakes = {
            Mistake("least axes", "these directions hold the least variance: in which order do eigenvalues come?"): through(
                axes[:, -q:], centre
            ),
            Mistake("not centred", "the axes are those of the rows as they stand: eq. (1) is about x - m"): through(raw, centre),
            Mistake("about the origin", "it goes through the origin, and the rows lie elsewhere: what is m for?"): through(
                axes[:, :q], origin
            ),
            Mistake("mean left at zero", "axes and plane both belong to rows that were never shifted by m"): through(raw, origin),
            Mistake("rows for columns", "is an eigenvector a row or a column of the matrix that comes back?"): through(
                axes.flip(1)[-q:].T, centre
            ),
            Mistake("stretched", "the code is stretched by its spread and not shrunk again by the decoder"): through(
                axes[:, :q], centre, root
            ),
            Mistake(
                "stretched twice", "the code is multiplied by its variance on the way: B A should leave its plane alone"
            ): through(axes[:, :q], centre, values[:q]),
            Mistake("whitened", "the code has variance 1, which the decoder has to undo"): through(
                axes[:, :q], centre, 1 / root.clamp(min=1e-300)
            ),
            Mistake("one axis less", "the plane has one dimension less than the code has numbers"): through(
                axes[:, : q - 1], centre
            ),
            Mistake(
                "features scaled", "the axes are those of features scaled to variance 1: the error counts them as they are"
            ): through(correlated, centre),
            Mistake("pixels picked", "it hands on the first Q features and drops the rest: any directions may be taken"): through(
                torch.eye(dim, dtype=x.dtype)[:, :q], centre
            ),
        }
        right = through(axes[:, :q], centre)
        return diagnose(given, right, mistakes, "try rows on a line, Q = 1: does each come back as it was?", what="r(x)")

    def longer() -> Mistake | None:
        a, b, m = answer(few, 5)  # more numbers than rows: only what becomes of the rows themselves is determined
        hint = "4 rows fit into a code of 5 numbers: does each come back as it was?"
        return diagnose(m + (few - m) @ a.T @ b.T, few, {}, hint, what="r(x)")

    return [
        judge("no linear autoencoder has a smaller error", 2, lambda: ask(many, 2) or ask(many, 3)),
        judge(
            "nor where the code is as long as a row, and with fewer rows than features",
            1,
            lambda: ask(many, 5) or ask(few, 2) or longer(),
        ),
    ]


def best_denoiser(handle: Handle) -> list[Outcome]:
    """06.2: (y [B, D], mean [D], covariance [D, D], sigma) -> E[x|y] [B, D]."""
    with seeded(handle.seed):
        rows, centre = 1.5 * torch.randn(6, 3).double(), torch.randn(3).double() + 1.0
        root = torch.randn(3, 3).double()
    full = root @ root.T + 0.2 * torch.eye(3)
    flat = full.clone()
    flat[1], flat[:, 1] = 0.0, 0.0  # the second pixel is the same in all images

    def ask(covariance: Tensor, sigma: float) -> Mistake | None:
        dim = len(covariance)
        y, mean, one = rows[:, :dim], centre[:dim], torch.eye(dim).double()
        got = handle.call({"y": y, "mean": mean, "covariance": covariance, "sigma": sigma})
        noise, away = sigma**2 * one, y - mean

        def by(matrix: Callable[[Tensor], Tensor], added: Tensor = noise) -> Tensor:
            return matrix(torch.linalg.inv(covariance + added))

        keep = by(lambda inverse: covariance @ inverse)  # [D, D]
        score = -away @ by(lambda inverse: inverse)
        right = mean + away @ keep.T
        variance = covariance.diagonal()
        mistakes = {
            Mistake("sigma not squared", "sigma is a standard deviation: which power of it is a variance?"): mean
            + away @ by(lambda inverse: covariance @ inverse, sigma * one).T,
            Mistake(
                "sigma only once", "the blurred covariance is right, the step is not: with which power of sigma does eq. (2) go?"
            ): y + sigma * score,
            Mistake("full step", "the step is as long as the score: eq. (2) has a factor before it"): y + score,
            Mistake("downhill", "it moves away from the data: look at the sign of the gradient of a Gaussian's logarithm"): y
            - sigma**2 * score,
            Mistake("score returned", "this is the score: eq. (2) says what to do with it"): score,
            Mistake("toward zero", "rows are pulled toward zero: where do the data lie?"): y @ keep.T,
            Mistake("mean not put back", "the shrunk difference is right: from where does it start?"): away @ keep.T,
            Mistake("noise kept", "this keeps what the noise adds, and drops the image"): mean + away - away @ keep.T,
            Mistake("blur forgotten", "the score is that of the clean density: the network sees y, not x"): y
            - sigma**2 * away @ torch.linalg.pinv(covariance),
            Mistake("pixels apart", "each pixel is treated alone: what do its neighbours say about it?"): mean
            + away * variance / (variance + sigma**2),
            Mistake("nothing done", "the noisy rows come back as they are"): y,
            Mistake("always the mean", "the answer is the mean, whatever is seen"): mean.expand(6, dim),
        }
        return diagnose(got, right, mistakes, "take one pixel, S = 1, sigma = 1, and work E[x|y] out by hand")

    def singular() -> Mistake | None:
        found = ask(flat, 0.5)
        if found and (found.name == "not finite" or found.name == "blur forgotten" or not found.name):
            return Mistake("S inverted", "it fails where S has no inverse: which matrix need be inverted, and has always one?")
        return found

    return [
        judge("it is E[x|y], for several sigma", 2, lambda: ask(full, 0.5) or ask(full, 1.7) or ask(full[:2, :2], 0.8)),
        judge("it is right where a pixel is the same in all images", 1, singular),
    ]


QUESTIONS: dict[str, Callable[[Handle], list[Outcome]]] = {
    "06.1": linear_autoencoder,
    "06.2": best_denoiser,
    "06.3": partial(code_size),
}
