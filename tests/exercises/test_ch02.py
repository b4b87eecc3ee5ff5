"""Exercise 2: the questions and the wrong answers that their checks must reject, each with a hint of its own."""

import re
from pathlib import Path

import pytest

import genedu.checks.collapsed_fits
from genedu.checks import outcomes
from genedu.handle import LocalHandle
from tests.exercises.common import Wrong, exercise, lost, run

NAME = "02_density_and_mixtures"
QUESTIONS = {
    "02.1": ("responsibilities", 2),
    "02.2": ("m_step", 3),
    "02.3": ("log_likelihood", 2),
    "02.4": ("collapsed", 3),
}
EXP = "p = log_joint.exp()\n"
ROWS = """
eye = torch.eye(x.shape[1], dtype=x.dtype)
rows = r.sum(0)
pi = rows / len(x)
mean = (r.T @ x) / rows[:, None]
away = x[:, None] - mean
scatter = torch.einsum("nk,nki,nkj->kij", r, away, away)
covariance = scatter / rows[:, None, None] + ridge * eye
"""
DENSITY = """
D = x.shape[1]
distance = (x[:, None] - mean).square().sum(2)
constant = 0.5 * math.log(2 * math.pi)
log_normal = -0.5 * distance / sigma**2 - D * (sigma.log() + constant)
joint = pi.log() + log_normal
"""
STATE = """
n, D = x.shape
eigenvalues = torch.linalg.eigvalsh(covariance)
volume = torch.linalg.det(covariance)
"""
WRONG = {
    "02.1": {
        "exp before normalising": Wrong(EXP + "return p / p.sum(1, keepdim=True)", "in what else", "underflow"),
        "largest of the whole table subtracted": Wrong(
            "p = (log_joint - log_joint.max()).exp()\nreturn p / p.sum(1, keepdim=True)", "the others", "one shift for all rows"
        ),
        "mean of the row subtracted": Wrong(
            "p = (log_joint - log_joint.mean(1, keepdim=True)).exp()\nreturn p / p.sum(1, keepdim=True)",
            "thousands of nats apart",
            "shift too small",
        ),
        "small number added": Wrong(
            EXP + "return (p + 1e-12) / (p + 1e-12).sum(1, keepdim=True)", "only what you put in place", "small number added"
        ),
        "sum clamped": Wrong(
            EXP + "return p / p.sum(1, keepdim=True).clamp(min=1e-30)", "only what you put in place", "small number added"
        ),
        "nan replaced": Wrong(
            EXP + "return (p / p.sum(1, keepdim=True)).nan_to_num()", "only what you put in place", "small number added"
        ),
        "in double precision": Wrong(
            "p = log_joint.double().exp()\nreturn p / p.sum(1, keepdim=True)", "in what else", "underflow"
        ),
        "normalised over rows": Wrong("return log_joint.softmax(0)", "which axis", "wrong axis"),
        "normalised over the table": Wrong(
            "return log_joint.flatten().softmax(0).reshape(log_joint.shape)", "question of its own", "whole table"
        ),
        "logarithms": Wrong("return log_joint.log_softmax(1)", "logarithms of the answer", "logarithm returned"),
        "not normalised": Wrong(EXP + "return p", "what is below it", "not normalised"),
        "softmax twice": Wrong("return log_joint.softmax(1).softmax(1)", "done twice", "normalised twice"),
        "hard": Wrong(
            "return torch.nn.functional.one_hot(log_joint.argmax(1), log_joint.shape[1]).to(log_joint)",
            "likeliest component alone",
            "hard decision",
        ),
        "sigmoid": Wrong("return log_joint.sigmoid()", "by hand", ""),
        "negative log joint": Wrong("return (-log_joint).softmax(1)", "by hand", ""),
        "uniform": Wrong("return torch.full_like(log_joint, 1 / log_joint.shape[1])", "not used", "uniform"),
        "inputs spoiled": Wrong("return log_joint.zero_().softmax(1)", "not used", "uniform"),
        "axes exchanged": Wrong("return log_joint.softmax(1).T", "shape [5, 4]", "wrong shape"),
        "sum of the row": Wrong("return log_joint.logsumexp(1)", "shape [5, 4]", "wrong shape"),
        "one axis lost where K = 1": Wrong("return log_joint.softmax(1).squeeze()", "shape [4, 1]", "wrong shape"),
        "rounded": Wrong("return (10 * log_joint.softmax(1)).round() / 10", "by hand", ""),
        "infinite": Wrong("return log_joint / 0", "nan or infinite somewhere", "not finite"),
        "nothing returned": Wrong(EXP, "returns NoneType", "wrong type"),
        "name unknown": Wrong("return softmax(log_joint)", "raises NameError", "raises"),
    },
    "02.2": {
        "counts": Wrong(ROWS + "return rows, mean, covariance", "shares are wanted", "counts for shares"),
        "n - 1 in pi": Wrong(ROWS + "return rows / (len(x) - 1), mean, covariance", "one column of r", ""),
        "equal weights": Wrong(ROWS + "return torch.full_like(rows, 1 / len(rows)), mean, covariance", "one column of r", ""),
        "r summed over components": Wrong(ROWS + "return r.mean(1), mean, covariance", "pi must be", "wrong shape"),
        "hard": Wrong(
            "r = torch.nn.functional.one_hot(r.argmax(1), r.shape[1]).to(x)\n" + ROWS + "return pi, mean, covariance",
            "likeliest component alone",
            "hard decision",
        ),
        "hard means": Wrong(
            ROWS + "h = torch.nn.functional.one_hot(r.argmax(1), r.shape[1]).to(x)\n"
            "return pi, (h.T @ x) / h.sum(0)[:, None], covariance",
            "likeliest component alone",
            "hard decision",
        ),
        "one mean for all": Wrong(
            ROWS + "return pi, x.mean(0).expand(len(rows), -1), covariance", "r plays no part", "r not used"
        ),
        "mean over n": Wrong(ROWS + "return pi, (r.T @ x) / len(x), covariance", "toward 0", "divided by n"),
        "weighted sums": Wrong(ROWS + "return pi, r.T @ x, covariance", "must add up to 1", "sums for means"),
        "weights normalised over components": Wrong(
            ROWS + "w = r / r.sum(1, keepdim=True)\nreturn pi, w.T @ x, covariance", "must add up to 1", "sums for means"
        ),
        "r squared": Wrong(ROWS + "return pi, ((r * r).T @ x) / (r * r).sum(0)[:, None], covariance", "come in twice", "r twice"),
        "r transposed": Wrong(ROWS + "return pi, r @ x / rows, covariance", "raises RuntimeError", "raises"),
        "median": Wrong(
            ROWS + "return pi, x.median(0).values.expand(len(rows), -1), covariance", "responsibilities of 0 and 1", ""
        ),
        "means transposed": Wrong(ROWS + "return pi, mean.T, covariance", "mean must be a tensor of shape [2, 3]", "wrong shape"),
        "no ridge": Wrong(ROWS + "return pi, mean, covariance - ridge * eye", "the ridge is missing", "ridge forgotten"),
        "ridge on all elements": Wrong(
            ROWS + "return pi, mean, scatter / rows[:, None, None] + ridge", "off the diagonal", "ridge everywhere"
        ),
        "ridge of the library": Wrong(
            ROWS + "return pi, mean, (scatter / len(x) + ridge * eye) / pi[:, None, None]",
            "ridge of the library",
            "ridge over pi",
        ),
        "ridge of the deviation": Wrong(ROWS + "return pi, mean, covariance + (ridge**2 - ridge) * eye", "write out eq. (4)", ""),
        "second moment": Wrong(
            ROWS + "s = torch.einsum('nk,ni,nj->kij', r, x, x)\nreturn pi, mean, s / rows[:, None, None] + ridge * eye",
            "must not count",
            "second moment",
        ),
        "about the mean of all": Wrong(
            ROWS + "a = x - x.mean(0)\ns = torch.einsum('nk,ni,nj->kij', r, a, a)\n"
            "return pi, mean, s / rows[:, None, None] + ridge * eye",
            "each has its own",
            "common centre",
        ),
        "scatter over n": Wrong(
            ROWS + "return pi, mean, scatter / len(x) + ridge * eye", "whose rows are they", "scatter over n"
        ),
        "Bessel": Wrong(
            ROWS + "return pi, mean, scatter / (rows - 1)[:, None, None] + ridge * eye", "one too small", "one row less"
        ),
        "not divided": Wrong(ROWS + "return pi, mean, scatter + ridge * eye", "a sum still", "scatter not divided"),
        "r left out": Wrong(
            ROWS + "s = torch.einsum('nki,nkj->kij', away, away)\nreturn pi, mean, s / len(x) + ridge * eye",
            "counts the same in the scatter",
            "r left out",
        ),
        "variances only": Wrong(ROWS + "return pi, mean, covariance * eye", "vary together", "diagonal only"),
        "variances as vectors": Wrong(
            ROWS + "return pi, mean, covariance.diagonal(dim1=1, dim2=2)", "covariance must be", "wrong shape"
        ),
        "root": Wrong(ROWS + "return pi, mean, torch.linalg.cholesky(covariance)", "write out eq. (4)", ""),
        "standard deviations": Wrong(ROWS + "return pi, mean, covariance.sqrt()", "nan or infinite", "not finite"),
        "only two components": Wrong(
            ROWS + "return pi[:2], mean[:2], covariance[:2]", "pi must be a tensor of shape [4]", "wrong shape"
        ),
        "other order": Wrong(ROWS + "return mean, pi, covariance", "pi must be", "wrong shape"),
        "no covariance": Wrong(ROWS + "return pi, mean", "must return (pi, mean, covariance)", "wrong type"),
        "list of words": Wrong("return ['pi', 'mean', 'covariance']", "pi must be", "wrong shape"),
    },
    "02.3": {
        "log of the sum of densities": Wrong(
            DENSITY + "return (pi * log_normal.exp()).sum(1).log().mean()", "its logarithm infinite", "underflow"
        ),
        "log of the product": Wrong(
            DENSITY + "return (pi * log_normal.exp()).sum(1).prod().log() / len(x)", "its logarithm infinite", "underflow"
        ),
        "density clamped": Wrong(
            DENSITY + "return (pi * log_normal.exp()).sum(1).clamp(min=1e-300).log().mean()",
            "added or clamped",
            "density clamped",
        ),
        "small number in the logarithm": Wrong(
            DENSITY + "return ((pi * log_normal.exp()).sum(1) + 1e-12).log().mean()", "added or clamped", "density clamped"
        ),
        "cut below": Wrong(DENSITY + "return joint.logsumexp(1).clamp(min=-1500.0).mean()", "right near the data", ""),
        "touching bound": Wrong(
            DENSITY + "r = joint.softmax(1)\nreturn (r * (joint - r.log())).sum(1).mean()", "multiply 0 by", "0 log 0"
        ),
        "touching bound, rows whose r is 0 mended": Wrong(
            DENSITY + "r = joint.softmax(1)\nreturn (r * (joint - r.clamp(min=1e-300).log())).sum(1).mean()",
            "in no step",
            "weight 0",
        ),
        "shift by a component of weight 0": Wrong(
            DENSITY + "m = log_normal.amax(1, keepdim=True)\n"
            "return (m[:, 0] + (pi * (log_normal - m).exp()).sum(1).log()).mean()",
            "in no step",
            "weight 0",
        ),
        "weight clamped": Wrong(
            DENSITY + "return (pi.clamp(min=1e-12).log() + log_normal).logsumexp(1).mean()", "rounded up", "weight not 0"
        ),
        "torch's Categorical": Wrong(
            "from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal\n"
            "parts = Independent(Normal(mean, sigma[:, None].expand_as(mean)), 1)\n"
            "return MixtureSameFamily(Categorical(pi), parts).log_prob(x).mean()",
            "rounded up",
            "weight not 0",
        ),
        "empty component punished": Wrong(
            DENSITY + "return joint.logsumexp(1).mean() - (pi == 0).sum()", "leave a component of weight 0 out", ""
        ),
        "sum": Wrong(DENSITY + "return joint.logsumexp(1).sum()", "nats a row", "sum for mean"),
        "loss": Wrong(DENSITY + "return -joint.logsumexp(1).mean()", "this is a loss", "sign turned"),
        "bits": Wrong(DENSITY + "return joint.logsumexp(1).mean() / math.log(2)", "these are bits", "bits"),
        "mean density": Wrong(DENSITY + "return joint.logsumexp(1).exp().mean()", "average density, no", "no logarithm"),
        "log of the mean density": Wrong(
            DENSITY + "return joint.logsumexp(1).exp().mean().log()", "logarithm of the average density", "logarithm last"
        ),
        "per dimension": Wrong(DENSITY + "return joint.logsumexp(1).mean() / D", "number of features", "per dimension"),
        "largest": Wrong(DENSITY + "return joint.amax(1).mean()", "the others add density", "largest only"),
        "mean of logarithms": Wrong(DENSITY + "return (pi * log_normal).sum(1).mean()", "densities that add up", "bound"),
        "weights dropped": Wrong(DENSITY + "return log_normal.logsumexp(1).mean()", "integrates to K", "weights dropped"),
        "equal weights": Wrong(
            DENSITY + "return log_normal.logsumexp(1).mean() - math.log(len(pi))", "every component counts", "equal weights"
        ),
        "constant of one dimension": Wrong(
            DENSITY + "return (joint + (D - 1) * (sigma.log() + constant)).logsumexp(1).mean()",
            "one feature; there are D",
            "one dimension",
        ),
        "sigma once before the exponential": Wrong(
            DENSITY + "return (joint + (D - 1) * sigma.log()).logsumexp(1).mean()", "sigma stands once", "sigma of one dimension"
        ),
        "2 pi once": Wrong(
            DENSITY + "return (joint + (D - 1) * constant).logsumexp(1).mean()", "2 pi counts for", "2 pi of one dimension"
        ),
        "no 2 pi": Wrong(DENSITY + "return (joint + D * constant).logsumexp(1).mean()", "integrate to 1", "2 pi dropped"),
        "no sigma": Wrong(DENSITY + "return (joint + D * sigma.log()).logsumexp(1).mean()", "must be higher", "sigma dropped"),
        "exponent only": Wrong(
            DENSITY + "return (pi.log() - distance / sigma**2 / 2).logsumexp(1).mean()", "is missing", "not normalised"
        ),
        "sigma as variance": Wrong(
            "sigma = sigma.sqrt()\n" + DENSITY + "return joint.logsumexp(1).mean()", "is no variance", "sigma as variance"
        ),
        "sigma not squared": Wrong(
            DENSITY + "return (joint + distance / sigma**2 / 2 - distance / sigma / 2).logsumexp(1).mean()",
            "power of sigma in the exponent",
            "sigma once",
        ),
        "no half": Wrong(
            DENSITY + "return (joint - distance / sigma**2 / 2).logsumexp(1).mean()", "twice what it should be", "half forgotten"
        ),
        "first component": Wrong(DENSITY + "return joint[:, 0].mean()", "one Gaussian, and D = 1", ""),
        "a number a row": Wrong(DENSITY + "return joint.logsumexp(1)", "must be one number", "wrong shape"),
        "a pair": Wrong(DENSITY + "return joint.logsumexp(1).mean(), 0.0", "must be one number", "wrong shape"),
    },
    "02.4": {
        "none": Wrong("return torch.zeros(len(pi), dtype=torch.bool)", "same for all components", "constant answer"),
        "all": Wrong("return torch.ones(len(pi), dtype=torch.bool)", "same for all components", "constant answer"),
        "not invertible": Wrong(
            STATE + "return torch.linalg.matrix_rank(covariance, rtol=1e-15) < D", "same for all components", "constant answer"
        ),
        "reversed": Wrong(STATE + "return n * pi > D + 1", "true is for the collapsed", "reversed"),
        "smallest weight": Wrong("return pi == pi.min()", "smallest weight of each fit", "smallest weight"),
        "smallest volume": Wrong(STATE + "return volume == volume.min()", "one component in each fit", "one in each fit"),
        "fewer than two rows": Wrong(STATE + "return n * pi < 1.5", "others are missed", "one row only"),
        "fewer than fifty rows": Wrong(STATE + "return n * pi < 50", "look at the right thing", "rows"),
        "weight below 0.05": Wrong("return pi < 0.05", "weights alone", "weight"),
        "weight below 0.005": Wrong("return pi < 0.005", "weights alone", "weight"),
        "far below an equal share": Wrong("return pi * len(pi) < 0.05", "weights alone", "weight"),
        "far below the largest": Wrong("return pi < 0.02 * pi.max()", "weights alone", "weight"),
        "small determinant": Wrong(STATE + "return volume < 1e-9", "different units", "spread"),
        "small variance": Wrong(STATE + "return eigenvalues[:, 0] < 1e-3", "different units", "spread"),
        "small trace": Wrong(STATE + "return eigenvalues.sum(1) < 1e-2", "different units", "spread"),
        "determinant against the others": Wrong(
            STATE + "return volume < 1e-4 * volume.median()", "a narrow cluster may be healthy", "relative spread"
        ),
        "least width against all data": Wrong(
            STATE + "return eigenvalues[:, 0] < 1e-6 * torch.linalg.eigvalsh(torch.cov(x.T))[0]",
            "a narrow cluster may be healthy",
            "relative spread",
        ),
        "flat": Wrong(STATE + "return eigenvalues[:, 0] < 1e-3 * eigenvalues[:, -1]", "a flat cluster", "shape"),
        "round": Wrong(STATE + "return eigenvalues[:, -1] < 1.01 * eigenvalues[:, 0]", "others are missed", "one row only"),
        "by chance": Wrong("return torch.rand(len(pi)) < 0.2", "fits of 12", ""),
        "by place": Wrong("return torch.arange(len(pi)) >= 4", "fits of 12", ""),
        "places": Wrong(STATE + "return (n * pi < D + 1).nonzero()", "must be a tensor of shape", "wrong shape"),
        "numbers": Wrong(STATE + "return (n * pi < D + 1).double()", "truth values", "no truth values"),
        "a list": Wrong(STATE + "return (n * pi < D + 1).tolist()", "must be a tensor of shape", "wrong shape"),
        "how many": Wrong(STATE + "return (n * pi < D + 1).sum()", "must be a tensor of shape", "wrong shape"),
    },
}

TestExercise = exercise(NAME, QUESTIONS, WRONG)

GOOD = {
    "02.1": {
        "torch": "return log_joint.softmax(1)",
        "largest of the row": "p = (log_joint - log_joint.amax(1, keepdim=True)).exp()\nreturn p / p.sum(1, keepdim=True)",
        "one component at a time": "return torch.stack([1 / (log_joint - c[:, None]).exp().sum(1) for c in log_joint.T], 1)",
    },
    "02.2": {
        "one component at a time": "a = [torch.cov(x.T, aweights=w, correction=0) + ridge * torch.eye(x.shape[1]) for w in r.T]\n"
        "return r.mean(0), torch.stack([w @ x / w.sum() for w in r.T]), torch.stack(a)",
    },
    "02.3": {
        "components that are there": "there = pi > 0\npi, mean, sigma = pi[there], mean[there], sigma[there]\n"
        + DENSITY
        + "return joint.logsumexp(1).mean().item()",
    },
    "02.4": {
        "one row more than 2": STATE + "return n * pi < 3",
        "parameters of a Gaussian": STATE + "return n * pi < D * (D + 3) / 2",
        "likeliest component of each row": STATE
        + "from torch.distributions import MultivariateNormal\n"
        + "best = (pi.log() + MultivariateNormal(mean, covariance).log_prob(x[:, None])).argmax(1)\n"
        + "return torch.bincount(best, minlength=len(pi)) <= D",
    },
}


@pytest.mark.parametrize(("question", "answer"), [pytest.param(q, a, id=f"{q} {a}") for q in GOOD for a in GOOD[q]])
def test_another_right_answer_passes(question, answer):
    student = run(NAME, QUESTIONS[question][0], GOOD[question][answer])
    for seed in range(4):
        assert not lost(outcomes(question, LocalHandle(student, seed=seed)))


def test_every_mistake_that_the_last_check_knows_is_tried():
    text = Path(genedu.checks.collapsed_fits.__file__).read_text()
    known = set(re.findall(r'Mistake\(\s*"([^"]+)"', text)) | set(re.findall(r'^ +"([a-z ]+)": "so does', text, re.M)) | {"rows"}
    assert len(known) == 10
    assert known <= {case.mistake for case in WRONG["02.4"].values()}


def test_each_fit_is_asked_about_once_and_ten_right_ones_are_not_enough():
    asked = []

    def student(wrong, x, pi, mean, covariance):
        asked.append(x)
        said = len(x) * pi < x.shape[1] + 1
        return ~said if len(asked) <= wrong else said

    for wrong, points in {0: 3, 1: 3, 2: 0}.items():
        asked.clear()
        found = outcomes("02.4", LocalHandle(lambda *a, w=wrong: student(w, *a), seed=3))
        assert sum(o.points for o in found if o.holds) == points
        assert len(asked) == 12
