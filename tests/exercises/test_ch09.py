"""Exercise 9: the questions and the wrong answers that their checks must reject, each with a hint of its own."""

import math
import re
from pathlib import Path

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from genedu.checks import dead_units, outcomes, precision_merge
from genedu.handle import LocalHandle
from tests.exercises.common import Wrong, exercise, lost, namespace, run

NAME = "09_richer_vaes"
QUESTIONS = {"09.1": ("iaf_step", 4), "09.2": ("merge", 3), "09.3": ("which_collapse", 3)}
STEP = """
g = s.sigmoid()
z_next = g * z + (1 - g) * m
each = logsigmoid(s)
log_det = each.sum(1)
after = log_q - log_det
"""
MERGE = """
a, b, u, v = mu_up, mu_down, log_sigma_up, log_sigma_down
p, q = (-2 * u).exp(), (-2 * v).exp()
mu = (p * a + q * b) / (p + q)
log_sigma = -0.5 * (p + q).log()
share = (2 * (v - u)).sigmoid()
"""
COLLAPSE = """
B, Z = mu.shape
def kind_of(mu=mu, sigma=sigma, prior_mu=prior_mu, prior_sigma=prior_sigma, over=lambda kl: kl.mean(0), top=None, dead=None):
    width, away = sigma / prior_sigma, (mu - prior_mu) / prior_sigma
    kl = over(0.5 * (width**2 + away**2 - 1) - width.log())
    top = layer == layer.max() if top is None else top
    dead = kl < 0.01 if dead is None else dead
    if dead.all():
        return "collapsed"
    if dead[top].all():
        return "top collapsed"
    if dead.any():
        return "half collapsed"
    told = away.std(0) + width.std(0)
    return "paid for nothing" if (told[top] < 0.05).any() else "sound"
kind = kind_of()
"""


def calling(name: str, instead: str) -> Wrong:
    """Right but for one kind, which is called something else."""
    hint, mistake = HINTS[name, instead]
    return Wrong(COLLAPSE + f"return {instead!r} if kind == {name!r} else kind", hint, mistake)


HINTS = {
    ("half collapsed", "sound"): ("in which some units tell nothing", "dead units missed"),
    ("top collapsed", "sound"): ("in which a whole layer", "dead layer missed"),
    ("collapsed", "sound"): ("of which nothing is left", "dead run missed"),
    ("paid for nothing", "sound"): ("does q know the image", "payment taken for news"),
    ("sound", "paid for nothing"): ("for a unit that tells something", "moving prior taken for news"),
    ("sound", "half collapsed"): ("in which units is it measured", "live unit buried"),
    ("collapsed", "top collapsed"): ("what of those below", "only the top"),
    ("top collapsed", "collapsed"): ("whose lower layers tell", "live layers buried"),
    ("top collapsed", "half collapsed"): ("where do they stand", "layers not looked at"),
    ("half collapsed", "top collapsed"): ("a layer dead in which", "some for all"),
    ("half collapsed", "collapsed"): ("a run dead in which", "some for all the run"),
    ("paid for nothing", "half collapsed"): ("the table says so", "silent taken for dead"),
    ("half collapsed", "paid for nothing"): ("but it costs nothing", "dead taken for silent"),
}
WRONG = {
    "09.1": {
        "gate turned": Wrong(STEP + "return (1 - g) * z + g * m, log_det, after", "z must be kept", "gate turned"),
        "m in full": Wrong(STEP + "return g * z + m, log_det, after", "m is added in full", "m not gated"),
        "m taken off": Wrong(STEP + "return g * z - (1 - g) * m, log_det, after", "the wrong sign", "m taken off"),
        "m left out": Wrong(STEP + "return g * z, log_det, after", "m plays no part", "m forgotten"),
        "z left out": Wrong(STEP + "return (1 - g) * m, log_det, after", "through m only", "z forgotten"),
        "s as it is": Wrong(STEP + "return s * z + (1 - s) * m, log_det, after", "s may be any number", "s not squashed"),
        "affine step": Wrong(STEP + "return s.exp() * z + m, s.sum(1), log_q - s.sum(1)", "of another flow", "exponential"),
        "way back": Wrong(STEP + "return (z - (1 - g) * m) / g, log_det, after", "from z' to z", "way back"),
        "tanh": Wrong(
            STEP + "t = s.tanh()\nreturn t * z + (1 - t) * m, log_det, after", "which function gives yours", "squashed by tanh"
        ),
        "nothing moved": Wrong(STEP + "return z, log_det, after", "as it came", "nothing moved"),
        "hard gate": Wrong(STEP + "return torch.where(s > 0, z, m), log_det, after", "take Z = 1 and s = 0", ""),
        "sign of the logarithm": Wrong(STEP + "return z_next, -log_det, after", "what sign has its logarithm", "sign turned"),
        "determinant": Wrong(STEP + "return z_next, g.prod(1), after", "the determinant itself", "no logarithm"),
        "trace": Wrong(STEP + "return z_next, g.sum(1), after", "a determinant is a product: what", "shares added"),
        "terms": Wrong(STEP + "return z_next, each, after", "terms of the units", "not added up"),
        "average over units": Wrong(STEP + "return z_next, each.mean(1), after", "you average over units", "averaged"),
        "rows added": Wrong(STEP + "return z_next, log_det.sum(), after", "has a determinant of its own", "rows added"),
        "rows averaged": Wrong(STEP + "return z_next, log_det.mean(), after", "of its own, you average them", "rows averaged"),
        "share of m": Wrong(STEP + "return z_next, logsigmoid(-s).sum(1), after", "this is the share of m", "other share"),
        "sum of s": Wrong(STEP + "return z_next, s.sum(1), after", "not e to the s", "s taken for the logarithm"),
        "slope of sigma": Wrong(
            STEP + "return z_next, (each + logsigmoid(-s)).sum(1), after", "by which variable", "slope of sigma"
        ),
        "half": Wrong(STEP + "return z_next, log_det / 2, after", "no square root", "half"),
        "bits": Wrong(STEP + "return z_next, g.log2().sum(1), after", "to base 2", "bits"),
        "no determinant": Wrong(STEP + "return z_next, 0 * log_det, log_q", "keep every volume", "determinant left out"),
        "first unit only": Wrong(STEP + "return z_next, each[:, 0], after", "write out the matrix", ""),
        "log_det added": Wrong(STEP + "return z_next, log_det, log_q + log_det", "rise or fall", "stretch the wrong way"),
        "density passed on": Wrong(STEP + "return z_next, log_det, log_q", "as if space had kept", "density not changed"),
        "log_q left out": Wrong(STEP + "return z_next, log_det, -log_det", "that came with z", "density forgotten"),
        "log_det twice": Wrong(STEP + "return z_next, log_det, log_det", "log_det once more", "only the stretch"),
        "density for its logarithm": Wrong(
            STEP + "return z_next, log_det, log_q.exp() - log_det", "is a logarithm already", "density not a logarithm"
        ),
        "determinant for its logarithm": Wrong(
            STEP + "return z_next, log_det, log_q - g.prod(1)", "what do their logarithms do", "stretch not a logarithm"
        ),
        "divided": Wrong(STEP + "return z_next, log_det, log_q / log_det", "its logarithm is not", "divided"),
        "standard normal": Wrong(
            STEP + "normal = torch.distributions.Normal(0, 1)\nreturn z_next, log_det, normal.log_prob(z).sum(1) - log_det",
            "of a standard normal",
            "prior for q",
        ),
        "draws averaged": Wrong(STEP + "return z_next, log_det, after.mean()", "each draw has a density", "images averaged"),
        "twice": Wrong(STEP + "return z_next, log_det, log_q - 2 * log_det", "how large is the box", ""),
        "log of sigma": Wrong(
            STEP + "log_det = g.log().sum(1)\nreturn z_next, log_det, log_q - log_det",
            "without taking its logarithm",
            "logarithm of 0",
        ),
        "small number added": Wrong(
            STEP + "log_det = (g + 1e-8).log().sum(1)\nreturn z_next, log_det, log_q - log_det", "costs too little", "clamped"
        ),
        "s clamped": Wrong(
            STEP + "log_det = logsigmoid(s.clamp(-20, 20)).sum(1)\nreturn z_next, log_det, log_q - log_det",
            "costs too little",
            "clamped",
        ),
        "too dear": Wrong(
            STEP + "log_det = torch.where(s < -500, 2 * each, each).sum(1)\nreturn z_next, log_det, log_q - log_det",
            "wrong for large ones",
            "",
        ),
        "a pair": Wrong(STEP + "return z_next, after", "must return (z_next, log_det, log_q_next)", "wrong type"),
        "another order": Wrong(STEP + "return z_next, after, log_det", "write out the matrix", ""),
        "nothing returned": Wrong(STEP, "returns NoneType", "wrong type"),
    },
    "09.2": {
        "plain average": Wrong(MERGE + "return (a + b) / 2, log_sigma", "both count the same", "plain average"),
        "weights are variances": Wrong(
            MERGE + "return (a / p + b / q) / (1 / p + 1 / q), log_sigma", "the wider Gaussian counts more", "the less sure wins"
        ),
        "weights are 1/sigma": Wrong(
            MERGE + "return (p**0.5 * a + q**0.5 * b) / (p**0.5 + q**0.5), log_sigma",
            "one over the square of sigma",
            "root of the precision",
        ),
        "weights are 1/sigma^4": Wrong(
            MERGE + "return (p**2 * a + q**2 * b) / (p**2 + q**2), log_sigma", "a higher power", "square of the precision"
        ),
        "not divided": Wrong(MERGE + "return p * a + q * b, log_sigma", "do not add up to 1", "not divided"),
        "divided by one": Wrong(MERGE + "return (p * a + q * b) / p, log_sigma", "by one precision", "divided by one"),
        "from below": Wrong(MERGE + "return a, log_sigma", "what comes from above plays", "only from below"),
        "from above": Wrong(MERGE + "return b, log_sigma", "what comes from below plays", "only from above"),
        "sum": Wrong(MERGE + "return a + b, log_sigma", "between which two numbers", "added up"),
        "logarithms for sigma": Wrong(
            MERGE + "p, q = u**-2, v**-2\nreturn (p * a + q * b) / (p + q), log_sigma",
            "logarithms of sigma for sigma",
            "logarithms taken for sigma",
        ),
        "crossed": Wrong(MERGE + "return (q * a + p * b) / (p + q), log_sigma", "the wider Gaussian", "the less sure wins"),
        "largest": Wrong(MERGE + "return torch.where(u < v, a, b), log_sigma", "take both widths 1", ""),
        "sigma": Wrong(MERGE + "return mu, log_sigma.exp()", "this is sigma", "sigma returned"),
        "variance": Wrong(MERGE + "return mu, 1 / (p + q)", "this is the variance", "variance returned"),
        "log variance": Wrong(MERGE + "return mu, -(p + q).log()", "logarithm of the variance", "logarithm of the variance"),
        "log precision": Wrong(MERGE + "return mu, (p + q).log()", "logarithm of the precision", "logarithm of the precision"),
        "precision": Wrong(MERGE + "return mu, p + q", "this is the precision", "precision returned"),
        "sign": Wrong(MERGE + "return mu, -log_sigma", "look at the sign", "sign turned"),
        "variances added": Wrong(MERGE + "return mu, 0.5 * (1 / p + 1 / q).log()", "yours leave more", "variances added"),
        "precisions averaged": Wrong(
            MERGE + "return mu, -0.5 * ((p + q) / 2).log()", "what does a product of exponentials", "precisions averaged"
        ),
        "1/sigma added": Wrong(MERGE + "return mu, -(p**0.5 + q**0.5).log()", "which power stands", "roots added"),
        "the narrower": Wrong(MERGE + "return mu, torch.minimum(u, v)", "does the other add nothing", "the narrower"),
        "logarithms averaged": Wrong(MERGE + "return mu, (u + v) / 2", "of sigma are averaged", "logarithms averaged"),
        "logarithms added": Wrong(MERGE + "return mu, u + v", "that multiplies them", "logarithms added"),
        "width from below": Wrong(MERGE + "return mu, u", "the width from above plays", "width from below"),
        "width from above": Wrong(MERGE + "return mu, v", "the width from below plays", "width from above"),
        "a little wider": Wrong(MERGE + "return mu, log_sigma + 0.1", "take both Gaussians the same", ""),
        "as it stands": Wrong(MERGE + "return mu, log_sigma", "logarithms and differences", "overflow"),
        "width by logarithms only": Wrong(
            MERGE + "return mu, -0.5 * torch.logaddexp(-2 * u, -2 * v)", "logarithms and differences", "overflow"
        ),
        "clamped": Wrong(
            MERGE + "return share * a + (1 - share) * b, -0.5 * torch.logaddexp(-2 * u.clamp(-20, 20), -2 * v.clamp(-20, 20))",
            "very narrow or very wide",
            "",
        ),
        "small number added": Wrong(
            "log_sigma_up, log_sigma_down = log_sigma_up.clamp(-30, 30), log_sigma_down.clamp(-30, 30)\n"
            + MERGE
            + "return (p * a + q * b) / (p + q + 1e-20), -0.5 * (p + q + 1e-20).log()",
            "very narrow or very wide",
            "",
        ),
        "one thing only": Wrong(MERGE + "return mu", "must return (mu, log_sigma)", "wrong type"),
        "a distribution": Wrong(
            MERGE + "return torch.distributions.Normal(mu, log_sigma.exp())", "it returns Normal", "wrong type"
        ),
    },
    "09.3": {
        "always sound": Wrong("return 'sound'", "the same for all runs", "constant answer"),
        "always half": Wrong("return 'half collapsed'", "the same for all runs", "constant answer"),
        "other words": Wrong(COLLAPSE + "return kind.upper()", "none of the five answers", "unknown answer"),
        **{f"{name} called {instead}": calling(name, instead) for name, instead in HINTS},
        "KL from the standard normal": Wrong(
            COLLAPSE + "return kind_of(prior_mu=0.0, prior_sigma=1.0)", "if every prior were the same", "standard normal"
        ),
        "spread of mu": Wrong(COLLAPSE + "return kind_of(dead=mu.var(0) < 0.01)", "how far mu moves", "spread of mu"),
        "middle image": Wrong(
            COLLAPSE + "return kind_of(over=lambda kl: kl.median(0).values)", "many small and few large", "rare images"
        ),
        "largest image": Wrong(
            COLLAPSE + "return kind_of(over=lambda kl: kl.amax(0))", "many small and few large", "rare images"
        ),
        "first image": Wrong(COLLAPSE + "return kind_of(over=lambda kl: kl[0])", "many small and few large", "rare images"),
        "top units last": Wrong(
            COLLAPSE + "n = int((layer == layer.max()).sum())\nreturn kind_of(top=torch.arange(Z) >= Z - n)",
            "in the order of their layers",
            "order assumed",
        ),
        "top units first": Wrong(
            COLLAPSE + "n = int((layer == layer.max()).sum())\nreturn kind_of(top=torch.arange(Z) < n)",
            "in the order of their layers",
            "order assumed",
        ),
        "top is layer 1": Wrong(COLLAPSE + "return kind_of(top=layer == 1)", "next to the image for the top", "upside down"),
        "layers ignored": Wrong(
            COLLAPSE + "return 'half collapsed' if kind == 'top collapsed' else kind",
            "where do they stand",
            "layers not looked at",
        ),
        "whole run only": Wrong(
            COLLAPSE + "return 'sound' if kind in ('half collapsed', 'top collapsed') else kind",
            "in which some units tell nothing",
            "dead units missed",
        ),
        "exchanged": Wrong(
            COLLAPSE + "return {'collapsed': 'paid for nothing', 'paid for nothing': 'collapsed'}.get(kind, kind)",
            "layer by layer",
            "",
        ),
        "a number": Wrong("return mu.mean()", "one of the five texts", "wrong type"),
        "which units": Wrong("return mu.var(0) < 0.01", "one of the five texts", "wrong type"),
    },
}

TestExercise = exercise(NAME, QUESTIONS, WRONG)

GOOD = {
    "09.1": {
        "from m": "g = torch.sigmoid(s)\nld = -torch.nn.functional.softplus(-s).sum(-1)\nreturn m + g * (z - m), ld, log_q - ld",
        "a list": "g = 1 / (1 + (-s).exp())\nld = logsigmoid(s).sum(1)\nreturn [torch.lerp(m, z, g), ld, log_q - ld]",
    },
    "09.2": {
        "softmax of two": "w = torch.stack([-2 * log_sigma_up, -2 * log_sigma_down])\n"
        "mu = (w.softmax(0) * torch.stack([mu_up, mu_down])).sum(0)\nreturn mu, -w.logsumexp(0) / 2",
        "double precision": "a, b = mu_up.double(), mu_down.double()\n"
        "p, q = (-2 * log_sigma_up.double()).exp(), (-2 * log_sigma_down.double()).exp()\n"
        "return (p * a + q * b) / (p + q), -(p + q).log() / 2",
    },
    "09.3": {
        "by torch": "from torch.distributions import Normal, kl_divergence\n"
        "kl = kl_divergence(Normal(mu, sigma), Normal(prior_mu, prior_sigma))\n"
        "dead, top = kl.mean(0) < 0.01, layer == layer.max()\n"
        "if dead.any():\n"
        "    return 'collapsed' if dead.all() else 'top collapsed' if dead[top].all() else 'half collapsed'\n"
        "return 'paid for nothing' if (mu.std(0)[top] < 0.02).any() else 'sound'",
        "the spread of the KL": COLLAPSE
        + "w, d = sigma / prior_sigma, (mu - prior_mu) / prior_sigma\nkl = 0.5 * (w**2 + d**2 - 1) - w.log()\n"
        "if kind not in ('sound', 'paid for nothing'):\n"
        "    return kind\n"
        "return 'paid for nothing' if kl.std(0)[layer == layer.max()].min() < 0.02 else 'sound'",
    },
}


@pytest.mark.parametrize(("question", "answer"), [pytest.param(q, a, id=f"{q} {a}") for q in GOOD for a in GOOD[q]])
def test_another_right_answer_passes(question, answer):
    student = run(NAME, QUESTIONS[question][0], GOOD[question][answer])
    for seed in range(4):
        assert not lost(outcomes(question, LocalHandle(student, seed=seed)))


@pytest.mark.parametrize(("question", "module", "many"), [("09.2", precision_merge, 25), ("09.3", dead_units, 20)])
def test_every_mistake_that_the_checks_of_a_question_know_is_tried(question, module, many):
    known = set(re.findall(r'Mistake\(\s*"([^"]+)"', Path(module.__file__).read_text())) - {"not yet"}
    known |= {name for name, _ in dead_units.CONFUSED.values()} if question == "09.3" else set()
    assert len(known) == many
    assert known <= {case.mistake for case in WRONG[question].values()}


@pytest.mark.parametrize("seed", range(20))
def test_runs_are_what_they_are_called_by_a_wide_margin(seed):
    """Three of each kind. KL by torch: dead units below a half of 0.01, live ones above ten times that."""
    runs = dead_units.runs(seed)
    assert sorted(r.kind for r in runs) == sorted(3 * dead_units.KINDS)
    for r in runs:
        q = r.units
        kl = kl_divergence(Normal(q.mu, q.sigma), Normal(q.prior_mu, q.prior_sigma)).mean(0)  # [Z]
        top = r.layer == r.layer.max()
        dead = kl < 0.005
        assert kl[~dead].min() > 0.1 if not dead.all() else True
        assert {int(n) for n in r.layer} == set(range(1, int(r.layer.max()) + 1)) and 2 <= r.layer.max() <= 3
        in_layers = [dead[r.layer == n] for n in range(1, int(r.layer.max()) + 1)]
        same = ((q.mu - q.mu[0]).abs() < 0.02).all(0) & ((q.sigma - q.sigma[0]).abs() < 0.02).all(
            0
        )  # q is that of the first image
        assert (r.kind == "collapsed") == bool(dead.all())
        assert (r.kind == "top collapsed") == bool(dead[top].all() and not dead[~top].any())
        assert (r.kind == "half collapsed") == all(d.any() and not d.all() for d in in_layers)
        assert (r.kind == "paid for nothing") == bool((same & ~dead)[top].any())


def test_the_kl_of_a_unit_is_that_of_the_exact_posterior():
    """log(1 + a²) / 2 in the mean, a from the width: z given z + noise / a."""
    torch.manual_seed(0)
    for _ in range(20):
        _, _, mean, width = dead_units.unit("alive")
        kl = kl_divergence(Normal(mean.double(), width.double()), Normal(0.0, 1.0))
        want = -math.log(width[0])
        assert abs(kl.mean() - want) < 5 * kl.std() / math.sqrt(len(kl))


def test_the_changed_runs_are_the_same_runs():
    for r in dead_units.runs(0):
        q, s, o = r.units, dead_units.standardised(r).units, dead_units.in_order(r, top_first=True)
        kl = kl_divergence(Normal(q.mu, q.sigma), Normal(q.prior_mu, q.prior_sigma))
        assert torch.allclose(kl_divergence(Normal(s.mu, s.sigma), Normal(0.0, 1.0)), kl, atol=1e-9)
        assert o.layer.tolist() == sorted(r.layer.tolist(), reverse=True)
        assert torch.equal(o.units.mu.sort(1).values, q.mu.sort(1).values)


def test_thirteen_right_runs_are_not_enough():
    solution = namespace(NAME, solved=True)["which_collapse"]
    for wrong, points in {0: 3, 1: 3, 2: 0}.items():
        asked = []

        def student(mu, sigma, prior_mu, prior_sigma, layer, wrong=wrong, asked=asked):
            asked.append(layer)
            kind = solution(mu, sigma, prior_mu, prior_sigma, layer)
            return kind if len(asked) > wrong else dead_units.KINDS[dead_units.KINDS.index(kind) - 1]

        found = outcomes("09.3", LocalHandle(student, seed=3))
        assert len(asked) >= 15
        if len(asked) == 15:  # a wrong one is asked again about changed numbers, for the sake of its hint
            assert sum(o.points for o in found if o.holds) == points
