"""Exercise 8: the questions and the wrong answers that their checks must reject, each with a hint of its own."""

import pytest

from genedu.handle import LocalHandle
from tests.exercises.common import Wrong, exercise, lost, outcomes, run

NAME = "08_infinite_vae"
QUESTIONS = {"08.1": ("gibbs_weights", 4), "08.2": ("expected_tables", 3), "08.3": ("outliers", 3)}
LOGS = """
n = torch.cat([counts, torch.tensor([alpha]).to(counts)])
L = torch.cat([scores, score_new.reshape(1)])
log_w = n.log() + L
"""
CHANCES = "p = [alpha / (alpha + i) for i in range(n)]\n"
JOINT = """
S = log_w.shape[2]
share = (counts / counts.sum()).log()
bound = log_w.logsumexp(2) - math.log(S)
joint = share + bound
r, score = joint.softmax(1), -joint.logsumexp(1)
"""
WRONG = {
    "08.1": {
        "counts in nats": Wrong(LOGS + "return (n + L).softmax(0)", "added to nats", "counts as logarithms"),
        "no alpha": Wrong(
            LOGS + "return torch.cat([counts.log() + scores, L[-1:]]).softmax(0)", "alpha plays no part", "alpha forgotten"
        ),
        "no counts": Wrong(
            LOGS + "return torch.cat([scores, log_w[-1:]]).softmax(0)", "attracts no more than one with few", "counts ignored"
        ),
        "likelihood only": Wrong(LOGS + "return L.softmax(0)", "where are the numbers of rows", "prior ignored"),
        "prior only": Wrong(LOGS + "return n / n.sum()", "who explains the row", "scores ignored"),
        "sum": Wrong(LOGS + "w = n + L.exp()\nreturn w / w.sum()", "eq. (1) multiplies", "sum for product"),
        "scores as losses": Wrong(LOGS + "return (n.log() - L).softmax(0)", "sign of the score", "likelihood divided"),
        "logarithms": Wrong(LOGS + "return log_w.log_softmax(0)", "these are logarithms", "logarithm returned"),
        "weights": Wrong(LOGS + "return log_w.exp()", "do not add up to 1", "not normalised"),
        "weights against the best": Wrong(LOGS + "return n * (L - L.max()).exp()", "still do not add up", "not normalised"),
        "twice": Wrong(LOGS + "return log_w.softmax(0).softmax(0)", "too even", "normalised twice"),
        "new one first": Wrong(LOGS + "return log_w.softmax(0).roll(1)", "comes last", "new one first"),
        "out twice": Wrong(
            LOGS + "return torch.cat([(counts - 1).log() + scores, log_w[-1:]]).softmax(0)",
            "no longer among the counts",
            "taken out twice",
        ),
        "alpha at each": Wrong(
            LOGS + "return torch.cat([(counts + alpha).log() + scores, log_w[-1:]]).softmax(0)",
            "the new component alone",
            "alpha everywhere",
        ),
        "argmax": Wrong(
            LOGS + "return torch.nn.functional.one_hot(log_w.argmax(), len(log_w)).double()", "for sure", "hard decision"
        ),
        "even": Wrong(LOGS + "return torch.full_like(log_w, 1 / len(log_w))", "inputs are not used", "uniform"),
        "old ones only": Wrong(LOGS + "return log_w[:-1].softmax(0)", "must be a tensor of shape [5]", "wrong shape"),
        "half the score": Wrong(LOGS + "return (n.log() + L / 2).softmax(0)", "take K = 1", ""),
        "nan": Wrong(LOGS + "return log_w / 0", "nan or infinite somewhere", "not finite"),
        "products": Wrong(LOGS + "w = n * L.exp()\nreturn w / w.sum()", "exp of them is 0", "underflow"),
        "products in double precision": Wrong(
            LOGS + "w = n.double() * L.double().exp()\nreturn w / w.sum()", "exp of them is 0", "underflow"
        ),
        "best of the old ones taken out": Wrong(
            LOGS + "w = n * (L - scores.max()).exp()\nreturn w / w.sum()", "nan or infinite somewhere", "not finite"
        ),
        "clamped": Wrong(LOGS + "return (n.log() + L.clamp(-500, 500)).softmax(0)", "have they been cut off", "clamped"),
        "small number": Wrong(
            LOGS + "w = n * L.clamp(max=500).exp() + 1e-300\nreturn w / w.sum()",
            "only what you put in place",
            "small number added",
        ),
    },
    "08.2": {
        "from one": Wrong("return sum(alpha / (alpha + i) for i in range(1, n + 1))", "before the first one", "starts too late"),
        "not the first": Wrong(
            "return sum(alpha / (alpha + i) for i in range(1, n))", "n = 1 must give one", "first guest forgotten"
        ),
        "n + 1": Wrong("return sum(alpha / (alpha + i) for i in range(n + 1))", "count the terms", "one guest too many"),
        "n - 1": Wrong("return sum(alpha / (alpha + i) for i in range(n - 1))", "is the last one seated", "one guest too few"),
        "last chance": Wrong(CHANCES + "return p[-1]", "the last guest alone", "last guest only"),
        "old ones": Wrong(CHANCES + "return sum(1 - q for q in p)", "a table that was there", "old tables"),
        "one above": Wrong("return sum(1 / (alpha + i) for i in range(n))", "above the line", "alpha below only"),
        "harmonic": Wrong("return sum(1 / (1 + i) for i in range(n))", "does not depend on alpha", "alpha ignored"),
        "alpha times": Wrong(
            "return alpha * sum(1 / (1 + i) for i in range(n))", "alpha stands below the line", "alpha times harmonic"
        ),
        "logarithm": Wrong("return alpha * math.log(1 + n / alpha)", "calls it an approximation", "approximation"),
        "rough logarithm": Wrong("return alpha * math.log(n)", "not even near", "approximation"),
        "mean": Wrong(CHANCES + "return sum(p) / n", "how many are they", "share"),
        "product": Wrong(CHANCES + "return math.prod(p)", "means add up", "chance of one table"),
        "all chances": Wrong(CHANCES + "return torch.tensor(p)", "must be one number", "wrong shape"),
        "rounded": Wrong(CHANCES + "return round(sum(p))", "three guests", ""),
        "simulated": Wrong(CHANCES + "return sum((torch.rand(1000) < q).double().mean() for q in p)", "three guests", ""),
        "first thousand": Wrong(CHANCES + "return sum(p[:1000])", "where are digits lost", "inexact"),
        "digamma in float32": Wrong(
            "a = torch.tensor(float(alpha))\nreturn a * (torch.digamma(a + n) - torch.digamma(a))",
            "where are digits lost",
            "inexact",
        ),
        "one by one": Wrong(
            "rest = lambda m: 0 if m == 0 else alpha / (alpha + m - 1) + rest(m - 1)\nreturn rest(n)",
            "raises RecursionError",
            "raises",
        ),
    },
    "08.3": {
        "mean of logarithms": Wrong(
            JOINT + "j = share + log_w.mean(2)\nreturn j.softmax(1), score", "eq. (3) averages w", "logarithms averaged"
        ),
        "best draw": Wrong(JOINT + "return (share + log_w.amax(2)).softmax(1), score", "eq. (3) has all S", "best draw"),
        "no weights": Wrong(JOINT + "return bound.softmax(1), score", "no likelier than one with few", "weights dropped"),
        "counts in nats": Wrong(
            JOINT + "return (counts + bound).softmax(1), score", "counts are added to nats", "counts as logarithms"
        ),
        "shares in nats": Wrong(
            JOINT + "return (counts / counts.sum() + bound).softmax(1), score", "shares are added to nats", "shares as logarithms"
        ),
        "over rows": Wrong(JOINT + "return joint.softmax(0), score", "it is the columns", "wrong axis"),
        "argmax": Wrong(
            JOINT + "return torch.nn.functional.one_hot(joint.argmax(1), joint.shape[1]).double(), score",
            "eq. (4) shares it out",
            "hard decision",
        ),
        "logarithm": Wrong(JOINT + "return joint.log_softmax(1), score", "r is the logarithm", "logarithm returned"),
        "joint": Wrong(JOINT + "return joint.exp(), score", "does not add up to 1", "not normalised"),
        "squared": Wrong(JOINT + "return (2 * joint).softmax(1), score", "K = 2 and S = 1", ""),
        "log p": Wrong(JOINT + "return r, -score", "must have a high score", "sign turned"),
        "sum over draws": Wrong(JOINT + "return r, score - math.log(S)", "has a mean over draws", "draws added up"),
        "counts as they are": Wrong(JOINT + "return r, score - counts.sum().log()", "pi adds up to 1", "counts for shares"),
        "score of mean logarithms": Wrong(
            JOINT + "return r, -(share + log_w.mean(2)).logsumexp(1)", "eq. (3) averages w", "logarithms averaged"
        ),
        "best component": Wrong(JOINT + "return r, -joint.amax(1)", "eq. (4) adds them up", "best component only"),
        "score of the best draw": Wrong(
            JOINT + "return r, -(share + log_w.amax(2)).logsumexp(1)", "eq. (3) has all S", "best draw"
        ),
        "without pi": Wrong(JOINT + "return r, -bound.logsumexp(1)", "without pi", "weights dropped"),
        "entropy": Wrong(JOINT + "return r, torch.special.entr(r).sum(1)", "an outlier need not cause", "entropy"),
        "mean bound": Wrong(JOINT + "return r, -(share.exp() * bound).sum(1)", "densities that add up", "weighted bounds"),
        "likelihood": Wrong(JOINT + "return r, joint.exp().sum(1)", "the score is in nats", "no logarithm"),
        "always four draws": Wrong(
            JOINT + "return r, -(share + log_w.logsumexp(2) - math.log(4)).logsumexp(1)", "what is left of eq. (4)", ""
        ),
        "half": Wrong(JOINT + "return r, score / 2", "what is left of eq. (4)", ""),
        "mean score": Wrong(JOINT + "return r, score.mean()", "score must be a tensor of shape [5]", "wrong shape"),
        "r only": Wrong(JOINT + "return r", "it must return (r, score)", "wrong type"),
        "products": Wrong(
            "w = counts / counts.sum() * log_w.exp().mean(2)\nreturn w / w.sum(1, keepdim=True), -w.sum(1).log()",
            "log w is a number",
            "underflow",
        ),
        "small number": Wrong(
            "w = counts / counts.sum() * log_w.exp().mean(2) + 1e-300\nreturn w / w.sum(1, keepdim=True), -w.sum(1).log()",
            "stops growing",
            "small number added",
        ),
        "r clamped": Wrong(JOINT + "return joint.clamp(-5000).softmax(1), score", "r is wrong far away", ""),
        "score in float32": Wrong(
            JOINT + "return r, torch.where(score > 5000, score.round(), score)", "the score is wrong far away", ""
        ),
    },
}

TestExercise = exercise(NAME, QUESTIONS, WRONG)

GOOD = {
    "08.1": {
        "by hand": LOGS + "w = (log_w - log_w.max()).exp()\nreturn w / w.sum()",
        "a list": LOGS + "return (log_w - log_w.logsumexp(0)).exp()",
    },
    "08.2": {
        "a loop": "total = 0.0\nfor i in range(n):\n    total += alpha / (alpha + i)\nreturn total",
        "a tensor": "return (alpha / (alpha + torch.arange(n, dtype=torch.float64))).sum()",
    },
    "08.3": {
        "log-mean-exp by hand": "top = log_w.amax(2, keepdim=True)\nbound = (log_w - top).exp().mean(2).log() + top[..., 0]\n"
        "joint = counts.log() - counts.sum().log() + bound\nlog_p = joint.logsumexp(1)\n"
        "return (joint - log_p[:, None]).exp(), -log_p",
    },
}


@pytest.mark.parametrize(("question", "answer"), [pytest.param(q, a, id=f"{q} {a}") for q in GOOD for a in GOOD[q]])
def test_another_right_answer_passes(question, answer):
    student = run(NAME, QUESTIONS[question][0], GOOD[question][answer])
    for seed in range(4):
        assert not lost(outcomes(question, LocalHandle(student, seed=seed)))
