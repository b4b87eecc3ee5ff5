"""Exercise 6: the questions and the wrong answers that their checks must reject, each with a hint of its own."""

import re
from pathlib import Path

import pytest
import torch

import genedu.checks.code_sizes
from genedu.checks import outcomes
from genedu.checks.code_sizes import runs
from genedu.handle import LocalHandle
from tests.exercises.common import Wrong, exercise, lost, run

NAME = "06_autoencoders"
QUESTIONS = {"06.1": ("linear_autoencoder", 3), "06.2": ("best_denoiser", 3), "06.3": ("code_size", 4)}
PCA = """
mean = x.mean(0)
away = x - mean
values, vectors = torch.linalg.eigh(away.T @ away / len(x))
axes = vectors[:, -q:]
"""
GAUSS = """
away = y - mean
eye = torch.eye(len(mean), dtype=y.dtype)
blurred = covariance + sigma**2 * eye
score = -away @ torch.linalg.inv(blurred)
"""
SIZES = """
n, D = back.shape
away = (back - back.mean(0)).double()
s = torch.linalg.svdvals(away)
"""
WRONG = {
    "06.1": {
        "first columns of eigh": Wrong(
            PCA + "return vectors[:, :q].T, vectors[:, :q], mean", "in which order do eigenvalues come", "least axes"
        ),
        "svd of the rows as they stand": Wrong(
            "v = torch.linalg.svd(x, full_matrices=False).Vh[:q]\nreturn v, v.T, x.mean(0)", "is about x - m", "not centred"
        ),
        "mean zero": Wrong(PCA + "return axes.T, axes, 0 * mean", "what is m for", "about the origin"),
        "never centred": Wrong(
            "v = torch.linalg.eigh(x.T @ x)[1][:, -q:]\nreturn v.T, v, torch.zeros(x.shape[1])",
            "were never shifted",
            "mean left at zero",
        ),
        "rows of the eigenvectors": Wrong(PCA + "a = vectors[-q:]\nreturn a, a.T, mean", "a row or a column", "rows for columns"),
        "stretched once": Wrong(
            PCA + "r = values[-q:].clamp(min=0).sqrt()\nreturn r[:, None] * axes.T, axes, mean", "not shrunk again", "stretched"
        ),
        "stretched on both sides": Wrong(
            PCA + "r = values[-q:].clamp(min=0).sqrt()\nreturn r[:, None] * axes.T, axes * r, mean",
            "multiplied by its variance",
            "stretched twice",
        ),
        "whitened": Wrong(
            PCA + "r = values[-q:].clamp(min=0).sqrt()\nreturn axes.T / r[:, None], axes, mean", "has variance 1", "whitened"
        ),
        "one axis left out": Wrong(
            PCA + "a = axes.clone()\na[:, 0] = 0\nreturn a.T, a, mean", "one dimension less", "one axis less"
        ),
        "correlations": Wrong(
            PCA + "a = torch.linalg.eigh(torch.corrcoef(x.T))[1][:, -q:]\nreturn a.T, a, mean",
            "features scaled to variance 1",
            "features scaled",
        ),
        "first pixels": Wrong(
            "a = torch.eye(x.shape[1], dtype=x.dtype)[:, :q]\nreturn a.T, a, x.mean(0)", "drops the rest", "pixels picked"
        ),
        "random directions": Wrong(
            "a = torch.linalg.qr(torch.randn(x.shape[1], q).to(x))[0]\nreturn a.T, a, x.mean(0)", "rows on a line", ""
        ),
        "another sign for the decoder": Wrong(PCA + "return axes.T, -axes, mean", "rows on a line", ""),
        "axes exchanged": Wrong(PCA + "return axes, axes.T, mean", "A must be a tensor of shape [2, 5]", "wrong shape"),
        "no more axes than rows": Wrong(
            PCA + "v = torch.linalg.svd(away, full_matrices=False).Vh[:q]\nreturn v, v.T, mean",
            "A must be a tensor of shape [5, 6]",
            "wrong shape",
        ),
        "one for both": Wrong(PCA + "return axes, mean", "it must return (A, B, m)", "wrong type"),
        "the mean of each row": Wrong(PCA + "return axes.T, axes, x.mean(1)", "m must be a tensor of shape [5]", "wrong shape"),
        "by cholesky": Wrong(PCA + "return torch.linalg.cholesky(x), axes, mean", "raises", "raises"),
    },
    "06.2": {
        "sigma for its square": Wrong(
            GAUSS + "b = covariance + sigma * eye\nreturn mean + away @ (covariance @ torch.linalg.inv(b)).T",
            "which power of it is a variance",
            "sigma not squared",
        ),
        "step of sigma": Wrong(GAUSS + "return y + sigma * score", "with which power of sigma", "sigma only once"),
        "step of one": Wrong(GAUSS + "return y + score", "has a factor before it", "full step"),
        "wrong sign": Wrong(GAUSS + "return y - sigma**2 * score", "look at the sign", "downhill"),
        "the score": Wrong(GAUSS + "return score", "says what to do with it", "score returned"),
        "mean forgotten": Wrong(GAUSS + "return y @ torch.linalg.inv(blurred) @ covariance", "toward zero", "toward zero"),
        "mean not added": Wrong(GAUSS + "return away + sigma**2 * score", "from where does it start", "mean not put back"),
        "the noise": Wrong(GAUSS + "return mean - sigma**2 * score", "drops the image", "noise kept"),
        "score of the clean density": Wrong(
            GAUSS + "return y - sigma**2 * away @ torch.linalg.pinv(covariance)", "sees y, not x", "blur forgotten"
        ),
        "variances alone": Wrong(
            GAUSS + "v = covariance.diagonal()\nreturn mean + away * v / (v + sigma**2)", "its neighbours", "pixels apart"
        ),
        "nothing done": Wrong("return y", "as they are", "nothing done"),
        "always the mean": Wrong("return mean.expand_as(y)", "whatever is seen", "always the mean"),
        "covariance inverted": Wrong(
            GAUSS + "p = torch.linalg.inv(covariance)\n"
            "return torch.linalg.solve(p + eye / sigma**2, (mean @ p + y / sigma**2).T).T",
            "raises",
            "raises",
        ),
        "small number on the diagonal": Wrong(
            GAUSS + "p = torch.linalg.inv(covariance + 1e-2 * eye)\n"
            "return torch.linalg.solve(p + eye / sigma**2, (mean @ p + y / sigma**2).T).T",
            "by hand",
            "",
        ),
        "pseudo-inverse": Wrong(
            GAUSS + "p = torch.linalg.pinv(covariance)\n"
            "return torch.linalg.solve(p + eye / sigma**2, (mean @ p + y / sigma**2).T).T",
            "which matrix need be inverted",
            "S inverted",
        ),
        "always three pixels": Wrong(
            "blurred = covariance + sigma**2 * torch.eye(3)\nreturn y - sigma**2 * (y - mean) @ torch.linalg.inv(blurred)",
            "raises RuntimeError",
            "raises",
        ),
        "half way": Wrong(GAUSS + "return y + 0.5 * sigma**2 * score", "by hand", ""),
        "columns": Wrong(GAUSS + "return (y + sigma**2 * score).T", "shape [6, 3]", "wrong shape"),
        "infinite": Wrong("return y / 0", "nan or infinite somewhere", "not finite"),
    },
    "06.3": {
        "not centred": Wrong(
            "s = torch.linalg.svdvals(back)\nreturn int((s > 1e-4 * s[0]).sum())", "what does the decoder add", "bias counted"
        ),
        "not centred, less strict": Wrong(
            "s = torch.linalg.svdvals(back)\nreturn int((s > 1e-2 * s[0]).sum())", "what does the decoder add", "bias counted"
        ),
        "above zero": Wrong(SIZES + "return int((s > 0).sum())", "seldom exactly 0", "all directions"),
        "rank in double precision": Wrong(
            SIZES + "return int(torch.linalg.matrix_rank(away))", "seldom exactly 0", "all directions"
        ),
        "rank of the images": Wrong(
            SIZES + "return int(torch.linalg.matrix_rank(x - x.mean(0)))", "seldom exactly 0", "all directions"
        ),
        "one less": Wrong(SIZES + "return int((s[1:] > 1e-4 * s[0]).sum())", "where does your counting begin", "one less"),
        "a tenth of the largest": Wrong(SIZES + "return int((s > 0.1 * s[0]).sum())", "used little", "weak ones lost"),
        "a fixed size": Wrong(SIZES + "return int((s > 1e-3).sum())", "different units", "fixed size"),
        "a fixed deviation": Wrong(SIZES + "return int((s / n**0.5 > 0.1).sum())", "different units", "fixed size"),
        "95 % of the variance": Wrong(
            SIZES + "return int((s.square().cumsum(0) / s.square().sum() < 0.95).sum()) + 1", "used little", "weak ones lost"
        ),
        "error of PCA": Wrong(
            "error = (back.double() - x.double()).square().sum()\n"
            "s = torch.linalg.svdvals(x.double() - x.double().mean(0)).square()\n"
            "return int((s.flip(0).cumsum(0).flip(0) > error).sum())",
            "stopped early",
            "as good as PCA",
        ),
        "always 8": Wrong("return 8", "same for all runs", "constant answer"),
        "half the pixels": Wrong("return back.shape[1] // 2", "how many directions", ""),
        "effective number": Wrong(
            SIZES + "return round(float(s.sum() ** 2 / s.square().sum()))", "used little", "weak ones lost"
        ),
        "by chance": Wrong("return int(torch.randint(2, 14, ()))", "how many directions", ""),
        "not whole": Wrong(SIZES + "return float(s.sum() / s[0])", "whole number", "no whole number"),
        "a list": Wrong(SIZES + "return s > 1e-4 * s[0]", "must be one number", "wrong shape"),
    },
}

TestExercise = exercise(NAME, QUESTIONS, WRONG)

GOOD = {
    "06.1": {
        "svd": "mean = x.mean(0)\nv = torch.linalg.svd(x - mean).Vh[:q]\nreturn v, v.T, mean",
        "another basis of the code": PCA + "t = torch.randn(q, q).to(x) + 3 * torch.eye(q).to(x)\n"
        "return t @ axes.T, axes @ t.inverse(), mean",
        "another point of the plane": PCA + "return axes.T, axes, mean + axes.sum(1)",
    },
    "06.2": {
        "gain": GAUSS + "return mean + away @ torch.linalg.inv(blurred) @ covariance",
        "row by row": "k = covariance @ torch.linalg.pinv(covariance + sigma**2 * torch.eye(len(mean)))\n"
        "return torch.stack([mean + k @ (row - mean) for row in y])",
        "eigenvectors": "w, u = torch.linalg.eigh(covariance)\nreturn mean + (y - mean) @ u * (w / (w + sigma**2)) @ u.T",
    },
    "06.3": {
        "rank in single precision": "return torch.linalg.matrix_rank(back - back.mean(0))",
        "the largest gap": SIZES + "return int((s[:-1] / s[1:].clamp(min=1e-9 * s[0])).argmax()) + 1",
        "differences of rows": "s = torch.linalg.svdvals(back[1:] - back[0])\nreturn int((s > 1e-4 * s[0]).sum())",
    },
}


@pytest.mark.parametrize(("question", "answer"), [pytest.param(q, a, id=f"{q} {a}") for q in GOOD for a in GOOD[q]])
def test_another_right_answer_passes(question, answer):
    student = run(NAME, QUESTIONS[question][0], GOOD[question][answer])
    for seed in range(4):
        assert not lost(outcomes(question, LocalHandle(student, seed=seed)))


def test_every_mistake_that_the_last_check_knows_is_tried():
    text = Path(genedu.checks.code_sizes.__file__).read_text()
    known = set(re.findall(r'Mistake\(\s*"([^"]+)"', text)) | {"no whole number"}
    assert len(known) == 8
    assert known <= {case.mistake for case in WRONG["06.3"].values()}


def test_the_runs_have_the_code_size_that_is_asked_for():
    for seed in range(6):
        found = runs(seed)
        assert sorted(r.size for r in found) == list(range(2, 14))
        for one in found:
            s = torch.linalg.svdvals((one.back - one.back.mean(0)).double())
            assert s[one.size - 1] > s[0] / 30 and s[one.size] < 1e-5 * s[0]
            assert one.size < min(one.x.shape) and one.x.dtype == torch.float32


def test_each_run_is_asked_about_once_and_ten_right_ones_are_not_enough():
    asked = []

    def student(wrong, x, back):
        asked.append(x)
        s = torch.linalg.svdvals(back - back.mean(0))
        size = int((s > 1e-4 * s[0]).sum())
        return size + 1 if len(asked) <= wrong else size

    for wrong, points in {0: 4, 1: 4, 2: 0}.items():
        asked.clear()
        found = outcomes("06.3", LocalHandle(lambda *a, w=wrong: student(w, *a), seed=3))
        assert sum(o.points for o in found if o.holds) == points
        assert len(asked) == 12
