"""Exercise 7: the questions and the wrong answers that their checks must reject, each with a hint of its own."""

import math
import re
from pathlib import Path

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from genedu.checks import grey_runs, importance_bounds, outcomes, posterior_draws
from genedu.handle import LocalHandle
from tests.exercises.common import Wrong, exercise, lost, namespace, run

NAME = "07_variational_autoencoders"
QUESTIONS = {
    "07.1": ("gaussian_kl", 2),
    "07.2": ("sample_posterior", 2),
    "07.3": ("elbo_and_loss", 2),
    "07.4": ("importance_bound", 2),
    "07.5": ("why_grey", 2),
}
KL = """
away = mu_q - mu_p
def terms(m=mu_q, v=log_var_q, n=mu_p, w=log_var_p, distance=None):
    distance = (m - n) ** 2 * (-w).exp() if distance is None else distance
    return 0.5 * ((v - w).exp() + distance - (v - w) - 1)
right = terms().sum(1)
"""
DRAW = """
eps = torch.randn_like(mu)
sigma = log_sigma.exp()
z = mu + sigma * eps
"""
ELBO = """
from torch.nn.functional import logsigmoid
p = logits.sigmoid()
each = logsigmoid((2 * x - 1) * logits).flatten(1)
fit, price = each.sum(1), kl.sum(1)
bound = fit - price
loss = -bound.mean()
"""
IWAE = """
K = len(log_joint)
w = log_joint - log_q
right = w.logsumexp(0) - math.log(K)
"""
GREY = """
B, D = x.shape
def kind_of(x=x, kl=kl, logits=logits, loss=loss, shown=shown, price=None):
    if ((shown != 0) & (shown != 1)).any():
        return "means shown"
    if logits.min() >= 0:
        return "squashed twice"
    price = kl.sum(1) if price is None else price
    should = binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1) + price
    excess = (loss - should).sum() / should.sum()
    if excess.abs() < 1e-3:
        return "sound"
    return "KL too heavy" if excess > 0 else "pixels averaged"
kind = kind_of()
"""


def calling(name: str, instead: str) -> Wrong:
    """Right but for one kind, which is called something else."""
    hint, mistake = HINTS[name, instead]
    return Wrong(GREY + f"return {instead!r} if kind == {name!r} else kind", hint, mistake)


HINTS = {
    ("means shown", "sound"): ("no draw from p(x) can look like", "pictures not looked at"),
    ("KL too heavy", "sound"): ("larger than it should be", "weight missed"),
    ("pixels averaged", "sound"): ("tiny for so many pixels", "average missed"),
    ("squashed twice", "sound"): ("never says that a pixel", "decoder missed"),
    ("sound", "KL too heavy"): ("a KL of 0 is right", "sound run blamed"),
    ("sound", "pixels averaged"): ("easy images", "small loss blamed"),
    ("sound", "means shown"): ("any single pixel grey", "noise taken for grey"),
    ("sound", "squashed twice"): ("1 more often than 0", "likely ones blamed"),
    ("KL too heavy", "pixels averaged"): ("has a large loss", "weight taken for average"),
    ("pixels averaged", "KL too heavy"): ("has a small loss", "average taken for weight"),
    ("squashed twice", "KL too heavy"): ("a loss may be high", "loss blamed for the decoder"),
    ("means shown", "KL too heavy"): ("not from what was learnt", "learning blamed"),
    ("KL too heavy", "squashed twice"): ("you blame the decoder", "loss not looked at"),
}
WRONG = {
    "07.1": {
        "sign": Wrong(KL + "return -right", "never negative", "sign turned"),
        "average over units": Wrong(KL + "return terms().mean(1)", "you average over the units", "averaged"),
        "terms": Wrong(KL + "return terms()", "have still to be put together", "not added up"),
        "sum over rows, too": Wrong(KL + "return terms().sum()", "the rows are added up", "rows added"),
        "average over rows": Wrong(KL + "return right.mean()", "business of the loss", "rows averaged"),
        "half forgotten": Wrong(KL + "return 2 * right", "twice as large", "half forgotten"),
        "bits": Wrong(KL + "return right / math.log(2)", "nats are wanted", "bits"),
        "reverse": Wrong(
            KL + "return terms(mu_p, log_var_p, mu_q, log_var_q).sum(1)", "under which of the two", "other direction"
        ),
        "to the standard normal": Wrong(
            KL + "return terms(n=0 * mu_p, w=0 * log_var_p).sum(1)", "need not be 0", "standard normal"
        ),
        "variances": Wrong(
            KL + "return terms(v=log_var_q.log(), w=log_var_p.log()).sum(1)",
            "take what is given for variances",
            "variance taken for its logarithm",
        ),
        "log sigma": Wrong(KL + "return terms(v=2 * log_var_q, w=2 * log_var_p).sum(1)", "those of its square", "log sigma"),
        "distance over the variance of q": Wrong(
            KL + "return terms(distance=away**2 / log_var_q.exp()).sum(1)", "which of the two widths", "distance in units of q"
        ),
        "distance not scaled": Wrong(KL + "return terms(distance=away**2).sum(1)", "in other units of z", "distance not scaled"),
        "distance not squared": Wrong(
            KL + "return terms(distance=away.abs() / (log_var_p / 2).exp()).sum(1)", "the wrong power", "distance not squared"
        ),
        "no distance": Wrong(KL + "return terms(distance=0).sum(1)", "put two equal Gaussians apart", "means ignored"),
        "1 forgotten": Wrong(KL + "return (terms() + 0.5).sum(1)", "for q = p it is not 0", "1 forgotten"),
        "no logarithm": Wrong(KL + "return (terms() + 0.5 * (log_var_q - log_var_p)).sum(1)", "ever narrower", "no logarithms"),
        "logarithm turned": Wrong(
            KL + "return (terms() + log_var_q - log_var_p).sum(1)", "which sign has the logarithm", "logarithms turned"
        ),
        "ratio turned": Wrong(
            KL + "r = log_var_q - log_var_p\nreturn (terms() - 0.5 * r.exp() + 0.5 * (-r).exp()).sum(1)",
            "which variance stands below",
            "ratio turned",
        ),
        "one draw": Wrong(
            KL + "q = torch.distributions.Normal(mu_q, (log_var_q / 2).exp())\n"
            "p = torch.distributions.Normal(mu_p, (log_var_p / 2).exp())\n"
            "z = q.sample()\nreturn (q.log_prob(z) - p.log_prob(z)).sum(1)",
            "solve (2) term by term",
            "",
        ),
        "logarithm of exp": Wrong(
            KL + "v, w = log_var_q.exp(), log_var_p.exp()\nreturn 0.5 * (v / w + away**2 / w - v.log() + w.log() - 1).sum(1)",
            "just exponentiated",
            "logarithm of 0",
        ),
        "clamped": Wrong(KL + "return terms(v=log_var_q.clamp(-30, 20)).sum(1)", "tiny or huge", ""),
        "small number added": Wrong(
            KL + "v, w = log_var_q.exp() + 1e-8, log_var_p.exp() + 1e-8\n"
            "return 0.5 * (v / w + away**2 / w - v.log() + w.log() - 1).sum(1)",
            "tiny or huge",
            "",
        ),
        "nothing returned": Wrong(KL, "returns NoneType", "wrong type"),
    },
    "07.2": {
        "centre": Wrong(DRAW + "return mu + 0 * log_sigma", "where is the noise", "no noise"),
        "sigma for log sigma": Wrong(
            DRAW + "return mu + log_sigma * eps", "logarithm of sigma for sigma", "sigma taken for its logarithm"
        ),
        "log variance": Wrong(
            DRAW + "return mu + (log_sigma / 2).exp() * eps", "for that of its square", "logarithm of the variance"
        ),
        "variance": Wrong(DRAW + "return mu + sigma**2 * eps", "scaled with the variance", "variance for sigma"),
        "sigma left out": Wrong(DRAW + "return mu + eps", "does not depend on log_sigma", "sigma ignored"),
        "divided by sigma": Wrong(DRAW + "return mu + eps / sigma", "the wider is yours", "inverse"),
        "half the noise": Wrong(DRAW + "return mu + sigma * eps / 2", "draw many z", ""),
        "mu left out": Wrong(DRAW + "return sigma * eps + 0 * mu", "lies around 0", "mu ignored"),
        "uniform, 0 to 1": Wrong(
            DRAW + "return mu + sigma * 12**0.5 * torch.rand_like(mu)", "of many draws is not mu", "centre moved"
        ),
        "uniform, centred": Wrong(
            DRAW + "return mu + sigma * 12**0.5 * (torch.rand_like(mu) - 0.5)", "the shape is not", "not Gaussian"
        ),
        "one noise for all rows": Wrong(
            "return mu + log_sigma.exp() * (torch.tensor([0.4, -1.1, 0.7]) + torch.randn(mu.shape[1]))",
            "all rows get the same noise",
            "one noise for all rows",
        ),
        "one noise for all units": Wrong(
            DRAW + "return mu + sigma * torch.randn(len(mu), 1)", "units of a row move together", "units share noise"
        ),
        "noise in pairs": Wrong(
            DRAW + "return mu + sigma * (eps + eps.roll(1, 0)) / 2**0.5", "a row and the next", "rows share noise"
        ),
        "seed inside": Wrong(
            "g = torch.Generator().manual_seed(3)\nreturn mu + log_sigma.exp() * torch.randn(mu.shape, generator=g)",
            "is a seed fixed inside",
            "fixed seed",
        ),
        "own chance": Wrong(
            "g = torch.Generator()\ng.seed()\nreturn mu + log_sigma.exp() * torch.randn(mu.shape, generator=g)",
            "torch's global generator",
            "own generator",
        ),
        "mu of the batch": Wrong(DRAW + "return mu.mean(0) + sigma * eps", "z does not follow each", "rows mixed"),
        "cut off": Wrong(DRAW + "return z.detach()", "is cut off from mu and from log_sigma", "cut off"),
        "sample for rsample": Wrong(
            "return torch.distributions.Normal(mu, log_sigma.exp()).sample()", "is cut off from mu and from", "cut off"
        ),
        "without gradient": Wrong(
            "with torch.no_grad():\n    return mu + log_sigma.exp() * torch.randn_like(mu)", "is cut off from mu and", "cut off"
        ),
        "sigma cut off": Wrong(DRAW + "return mu + sigma.detach() * eps", "reaches log_sigma", "sigma cut off"),
        "mu cut off": Wrong(DRAW + "return mu.detach() + sigma * eps", "reaches mu", "mu cut off"),
        "attached by 0": Wrong(DRAW + "return z.detach() + 0 * (mu + log_sigma)", "the gradients are 0", "gradient 0"),
        "straight through": Wrong(
            DRAW + "return z.detach() + mu - mu.detach() + sigma - sigma.detach()", "and how with log_sigma", "wrong gradient"
        ),
        "spoiled": Wrong(DRAW + "sigma.zero_()\nreturn z", "the gradient cannot be computed", "no gradient"),
        "rows lost": Wrong(DRAW + "return z.mean(0)", "z must be a tensor of shape", "wrong shape"),
        "infinite": Wrong(DRAW + "return z / 0", "nan or infinite", "not finite"),
        "whole numbers": Wrong(DRAW + "return z.long()", "rounded to whole ones", "whole numbers"),
    },
    "07.3": {
        "loss": Wrong(ELBO + "return -bound, loss", "a cost for each image", "loss for ELBO"),
        "average over pixels": Wrong(
            ELBO + "b = each.mean(1) - price\nreturn b, -b.mean()", "counts far too much", "pixels averaged"
        ),
        "average over units": Wrong(
            ELBO + "b = fit - kl.mean(1)\nreturn b, -b.mean()", "you average over latent units", "units averaged"
        ),
        "average over both": Wrong(
            ELBO + "b = each.mean(1) - kl.mean(1)\nreturn b, -b.mean()", "then it bounds nothing", "all averaged"
        ),
        "KL for each pixel": Wrong(
            ELBO + "b = (each - price[:, None]).sum(1)\nreturn b, -b.mean()", "once for each pixel", "KL for each pixel"
        ),
        "KL added": Wrong(ELBO + "b = fit + price\nreturn b, -b.mean()", "the KL is a price", "KL added"),
        "cross-entropy added": Wrong(ELBO + "b = -fit - price\nreturn b, -b.mean()", "explained worse", "reconstruction turned"),
        "KL forgotten": Wrong(ELBO + "return fit, -fit.mean()", "the KL plays no part", "KL forgotten"),
        "image forgotten": Wrong(ELBO + "return -price, price.mean()", "the image plays no part", "reconstruction forgotten"),
        "sigma twice": Wrong(
            ELBO + "cost = binary_cross_entropy_with_logits(p, x.float(), reduction='none')\n"
            "b = -cost.flatten(1).sum(1) - price\nreturn b, -b.mean()",
            "sigma is applied twice",
            "squashed twice",
        ),
        "logits added up": Wrong(
            ELBO + "b = (x * logits).flatten(1).sum(1) - price\nreturn b, -b.mean()", "you add up logits", "not normalised"
        ),
        "ones only": Wrong(
            ELBO + "b = (x.flatten(1) * each).sum(1) - price\nreturn b, -b.mean()", "only the ones count", "zeros ignored"
        ),
        "x turned": Wrong(
            ELBO + "b = logsigmoid((1 - 2 * x) * logits).flatten(1).sum(1) - price\nreturn b, -b.mean()",
            "ones get what zeros should",
            "x turned",
        ),
        "squared error": Wrong(
            ELBO + "b = -(x - p).square().flatten(1).sum(1) - price\nreturn b, -b.mean()",
            "this is a squared error",
            "squared error",
        ),
        "probabilities": Wrong(
            ELBO + "b = each.exp().sum(1) - price\nreturn b, -b.mean()", "you add up probabilities", "no logarithm"
        ),
        "bits": Wrong(ELBO + "b = bound / math.log(2)\nreturn b, -b.mean()", "nats are wanted", "bits"),
        "images added": Wrong(ELBO + "return bound.sum(), loss", "the images are added up", "images added"),
        "images averaged": Wrong(ELBO + "return bound.mean(), loss", "only the loss averages", "images averaged"),
        "pixels kept": Wrong(ELBO + "return each.view(x.shape), loss", "what are independent pixels together", "not added up"),
        "torch's average": Wrong(
            ELBO + "cost = binary_cross_entropy_with_logits(logits, x.float())\nreturn -cost - kl.mean(), cost + kl.mean()",
            "elbo must be a tensor of shape",
            "wrong shape",
        ),
        "loss turned": Wrong(ELBO + "return bound, bound.mean()", "minimising this loss", "loss turned"),
        "loss added up": Wrong(ELBO + "return bound, -bound.sum()", "a larger batch", "loss added up"),
        "loss for each image": Wrong(ELBO + "return bound, -bound", "one number is wanted", "loss for each image"),
        "loss for each pixel": Wrong(ELBO + "return bound, loss / each.shape[1]", "divided by the pixels", "loss for each pixel"),
        "loss without KL": Wrong(ELBO + "return bound, -fit.mean()", "in the loss the KL", "loss without KL"),
        "loss of one image": Wrong(ELBO + "return bound, -bound[0]", "what does the batch make", ""),
        "rounded": Wrong(ELBO + "return bound.round(), loss", "one pixel with logit 0", ""),
        "cross-entropy by hand": Wrong(
            ELBO + "b = (x * p.log() + (1 - x) * (1 - p).log()).flatten(1).sum(1) - price\nreturn b, -b.mean()",
            "it is nan for logits",
            "0 times infinity",
        ),
        "log of sigma": Wrong(
            ELBO + "b = ((2 * x - 1) * logits).sigmoid().log().flatten(1).sum(1) - price\nreturn b, -b.mean()",
            "do without its value",
            "logarithm of 0",
        ),
        "small number added": Wrong(
            ELBO + "b = (((2 * x - 1) * logits).sigmoid() + 1e-12).log().flatten(1).sum(1) - price\nreturn b, -b.mean()",
            "cost too little",
            "clamped",
        ),
        "torch's cross-entropy of probabilities": Wrong(
            ELBO + "cost = torch.nn.functional.binary_cross_entropy(p, x.float(), reduction='none')\n"
            "b = -cost.flatten(1).sum(1) - price\nreturn b, -b.mean()",
            "cost too little",
            "clamped",
        ),
        "too dear": Wrong(
            ELBO + "each = torch.where(each < -500, 2 * each, each)\nb = each.sum(1) - price\nreturn b, -b.mean()",
            "wrong for large ones",
            "",
        ),
        "one number only": Wrong(ELBO + "return loss", "must return (elbo, loss)", "wrong type"),
        "exchanged": Wrong(ELBO + "return loss, bound", "elbo must be a tensor of shape", "wrong shape"),
    },
    "07.4": {
        "average of logarithms": Wrong(IWAE + "return w.mean(0)", "more draws do not", "average of logarithms"),
        "sum": Wrong(IWAE + "return w.logsumexp(0)", "with every draw this grows", "not divided by K"),
        "K twice": Wrong(IWAE + "return right - math.log(K)", "counts twice", "K twice"),
        "log K added": Wrong(IWAE + "return w.logsumexp(0) + math.log(K)", "counts the wrong way", "K the wrong way"),
        "divided outside": Wrong(IWAE + "return w.logsumexp(0) / K", "inside of the logarithm", "divided outside"),
        "weights turned": Wrong(IWAE + "return (-w).logsumexp(0) - math.log(K)", "below the line?", "weights turned"),
        "q forgotten": Wrong(IWAE + "return log_joint.logsumexp(0) - math.log(K)", "q plays no part", "q forgotten"),
        "p forgotten": Wrong(IWAE + "return (-log_q).logsumexp(0) - math.log(K)", "the model plays no part", "p forgotten"),
        "q multiplied": Wrong(
            IWAE + "return (log_joint + log_q).logsumexp(0) - math.log(K)", "becomes of its logarithm", "q multiplied"
        ),
        "ratio of averages": Wrong(
            IWAE + "return log_joint.logsumexp(0) - log_q.logsumexp(0)", "no average of ratios", "ratio of averages"
        ),
        "largest": Wrong(IWAE + "return w.amax(0)", "only the best draw", "largest only"),
        "product": Wrong(IWAE + "return w.sum(0)", "logarithm of a product", "all added up"),
        "shares": Wrong(IWAE + "return (w.softmax(0) * w).sum(0)", "with the weights' own shares", "weighted by themselves"),
        "loss": Wrong(IWAE + "return -right", "this is a loss", "sign turned"),
        "no logarithm": Wrong(IWAE + "return w.exp().mean(0)", "its logarithm is wanted", "no logarithm"),
        "bits": Wrong(IWAE + "return right / math.log(2)", "nats are wanted", "bits"),
        "wrong axis": Wrong(IWAE + "return w.logsumexp(1) - math.log(w.shape[1])", "which of the two axes", "images for draws"),
        "images added": Wrong(IWAE + "return right.sum()", "the images are added up", "images added"),
        "images averaged": Wrong(IWAE + "return right.mean()", "the images are averaged", "images averaged"),
        "all thrown together": Wrong(
            IWAE + "return w.flatten().logsumexp(0) - math.log(w.numel())", "K of its own", "images thrown together"
        ),
        "best of two": Wrong(IWAE + "return torch.maximum(right, w[0])", "let all K weights be equal", ""),
        "nothing for one draw": Wrong(IWAE + "return right if K > 1 else 0 * right", "with one draw", "one draw"),
        "log of exp": Wrong(IWAE + "return w.exp().mean(0).log()", "in what else can one add up", "underflow"),
        "log of exp, in double precision": Wrong(
            IWAE + "return w.double().exp().mean(0).log()", "in what else can one add up", "underflow"
        ),
        "densities apart": Wrong(
            IWAE + "return (log_joint.exp() / log_q.exp()).mean(0).log()", "in what else can one add up", "underflow"
        ),
        "largest of the whole batch": Wrong(
            IWAE + "top = w.max()\nreturn (w - top).exp().mean(0).log() + top",
            "lost where images lie far apart",
            "one shift for all",
        ),
        "largest joint density taken out": Wrong(
            IWAE + "top = log_joint.amax(0)\nreturn (w - top).exp().mean(0).log() + top", "the largest log weight", "overflow"
        ),
        "small number added": Wrong(IWAE + "return (w.exp().mean(0) + 1e-12).log()", "too good a bound", "clamped"),
        "clamped": Wrong(IWAE + "w = w.clamp(min=-80)\nreturn w.logsumexp(0) - math.log(K)", "too good a bound", "clamped"),
        "few draws": Wrong(IWAE + "w = w[:50]\nreturn w.logsumexp(0) - math.log(len(w))", "wrong for large ones", ""),
        "nothing": Wrong(IWAE, "returns NoneType", "wrong type"),
    },
    "07.5": {
        "always sound": Wrong("return 'sound'", "the same for all runs", "constant answer"),
        "always the KL": Wrong("return 'KL too heavy'", "the same for all runs", "constant answer"),
        "other words": Wrong(GREY + "return kind.upper()", "none of the five answers", "unknown answer"),
        **{f"{name} called {instead}": calling(name, instead) for name, instead in HINTS},
        "units averaged": Wrong(GREY + "return kind_of(price=kl.mean(1))", "how do several count", "units averaged"),
        "middle grey": Wrong(
            GREY + "middle = ((shown > 0.2) & (shown < 0.8)).double().mean() > 0.3\n"
            "return 'means shown' if middle else kind_of(shown=shown.round())",
            "may be nearly black and white",
            "only half grey",
        ),
        "small KL is collapse": Wrong(
            GREY + "return 'KL too heavy' if kind == 'sound' and kl.sum(1).mean() < 1.5 else kind",
            "a KL of 0 is right",
            "sound run blamed",
        ),
        "KL alone": Wrong(
            GREY + "heavy = 'KL too heavy' if kl.sum(1).mean() < 0.2 else 'sound'\n"
            "return kind if kind in ('means shown', 'squashed twice') else heavy",
            "larger than it should be",
            "weight missed",
        ),
        "small loss is averaged": Wrong(
            GREY + "return 'pixels averaged' if kind == 'sound' and loss.mean() < 10 else kind",
            "easy images",
            "small loss blamed",
        ),
        "spelling of some": Wrong(
            GREY + "return kind.replace('KL too heavy', 'squashed twice').replace('pixels averaged', 'means shown')",
            "you blame the decoder",
            "loss not looked at",
        ),
        "other confusions": Wrong(
            GREY + "return {'means shown': 'squashed twice', 'squashed twice': 'means shown'}.get(kind, kind)",
            "runs of 15",
            "",
        ),
        "a number": Wrong("return loss.mean()", "one of the five texts", "wrong type"),
        "a truth": Wrong("return bool(shown.mean() > 0.5)", "one of the five texts", "wrong type"),
    },
}
TestExercise = exercise(NAME, QUESTIONS, WRONG)

GOOD = {
    "07.1": {
        "by torch": "from torch.distributions import Normal, kl_divergence\n"
        "q = Normal(mu_q.double(), (log_var_q.double() / 2).exp())\n"
        "p = Normal(mu_p.double(), (log_var_p.double() / 2).exp())\n"
        "return kl_divergence(q, p).sum(-1)",
        "squares divided": "v = log_var_q - log_var_p\n"
        "return 0.5 * (torch.expm1(v) - v + (mu_q - mu_p) ** 2 / log_var_p.exp()).sum(-1)",
    },
    "07.2": {
        "rsample": "return torch.distributions.Normal(mu, log_sigma.exp()).rsample()",
        "row by row": "return torch.stack([m + s.exp() * torch.randn(len(m)) for m, s in zip(mu, log_sigma)])",
        "in double precision": "return mu.double() + log_sigma.double().exp() * torch.randn(mu.shape).double()",
        "noise turned": "return mu - torch.randn(mu.shape) * log_sigma.exp()",
    },
    "07.3": {
        "by torch": "p = torch.distributions.Bernoulli(logits=logits)\n"
        "elbo = p.log_prob(x.float()).sum((1, 2, 3)) - kl.sum(1)\n"
        "return elbo, -elbo.mean().item()",
        "softplus": "fit = (x * logits - torch.nn.functional.softplus(logits)).sum((1, 2, 3))\n"
        "return [fit - kl.sum(-1), kl.sum() / len(x) - fit.mean()]",
    },
    "07.4": {
        "largest taken out": "w = log_joint - log_q\ntop = w.max(0).values\nreturn top + (w - top).exp().mean(0).log()",
        "torch's softmax": "w = log_joint - log_q\nreturn (w - w.log_softmax(0))[0] - math.log(len(w))",
    },
    "07.5": {
        "weights by least squares": "if not torch.equal(shown, shown.round()):\n"
        "    return 'means shown'\n"
        "if logits.min() > -0.01 and logits.max() < 1.01:\n"
        "    return 'squashed twice'\n"
        "fit = torch.nn.functional.softplus(logits) - x * logits\n"
        "both = torch.stack([fit.sum(1), kl.sum(1)], 1)\n"
        "a, b = torch.linalg.lstsq(both, loss[:, None]).solution[:, 0]\n"
        "return 'pixels averaged' if a < 0.5 else 'KL too heavy' if b > 1.5 else 'sound'",
    },
}


@pytest.mark.parametrize(("question", "answer"), [pytest.param(q, a, id=f"{q} {a}") for q in GOOD for a in GOOD[q]])
def test_another_right_answer_passes(question, answer):
    student = run(NAME, QUESTIONS[question][0], GOOD[question][answer])
    for seed in range(4):
        assert not lost(outcomes(question, LocalHandle(student, seed=seed)))


@pytest.mark.parametrize(
    ("question", "module", "many"), [("07.2", posterior_draws, 21), ("07.4", importance_bounds, 25), ("07.5", grey_runs, 17)]
)
def test_every_mistake_that_the_checks_of_a_question_know_is_tried(question, module, many):
    known = set(re.findall(r'Mistake\(\s*"([^"]+)"', Path(module.__file__).read_text())) - {"not yet"}
    known |= {name for name, _ in grey_runs.CONFUSED.values()} if question == "07.5" else set()
    assert len(known) == many
    assert known <= {case.mistake for case in WRONG[question].values()}


@pytest.mark.parametrize("seed", range(20))
def test_a_recording_says_what_was_built_into_the_run(seed):
    """Three of each kind; each kind shows by the definition of its bug and by a wide margin, whatever training came to."""
    runs = grey_runs.runs(seed)
    assert sorted(r.kind for r in runs) == sorted(3 * grey_runs.KINDS)
    for r in runs:
        cost = binary_cross_entropy_with_logits(r.logits, r.x, reduction="none").sum(1)  # [B]
        price, pixels = r.kl.sum(1), r.x.shape[1]
        assert r.kl.min() > -1e-5 and 30 <= pixels < 50
        assert set(r.x.unique().tolist()) == {0.0, 1.0}
        if r.kind == "KL too heavy":
            weight = (r.loss - cost).sum() / price.sum()
            assert min(abs(weight - w) for w in grey_runs.WEIGHTS) < 1e-3
            assert (r.loss - cost - price).sum() > 0.05 * (cost + price).sum()
        else:
            assert torch.allclose(r.loss, (cost / pixels if r.kind == "pixels averaged" else cost) + price, rtol=1e-5)
        assert (r.kind == "means shown") == bool(((r.shown > 0) & (r.shown < 1)).any())
        assert (r.kind == "squashed twice") == bool((r.logits >= 0).all())
        assert r.kind == "squashed twice" or r.logits.min() < -3  # some pixels are sure to be 0


def test_no_single_figure_tells_sound_runs_from_broken_ones():
    """Sound runs have a KL and a loss such as broken ones have, too."""
    runs = [r for seed in range(8) for r in grey_runs.runs(seed)]

    def span(kind, figure):
        values = [figure(r) for r in runs if r.kind == kind]
        return min(values), max(values)

    for figure in (lambda r: r.kl.sum(1).mean().item(), lambda r: r.loss.mean().item()):
        low, high = span("sound", figure)
        for kind in grey_runs.KINDS[1:]:
            least, most = span(kind, figure)
            assert least < high and low < most, kind


def test_thirteen_right_runs_are_not_enough():
    solution = namespace(NAME, solved=True)["why_grey"]
    for wrong, points in {0: 2, 1: 2, 2: 0}.items():
        asked = []

        def student(x, kl, logits, loss, shown, wrong=wrong, asked=asked):
            asked.append(x)
            kind = solution(x, kl, logits, loss, shown)
            return kind if len(asked) > wrong else grey_runs.KINDS[grey_runs.KINDS.index(kind) - 1]

        found = outcomes("07.5", LocalHandle(student, seed=3))
        assert sum(o.points for o in found if o.holds) == points
        assert len(asked) == 15 or not points


def test_the_bound_of_the_check_agrees_with_torch():
    w = 5 * torch.randn(7, 4).double() - 30
    assert torch.allclose(importance_bounds.mean_of_exp(w), w.logsumexp(0) - math.log(7), atol=1e-12)
