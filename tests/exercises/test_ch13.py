"""Exercise 13: the questions and the wrong answers that their checks must reject, each with a hint of its own."""

import pytest

from genedu.handle import LocalHandle
from tests.exercises.common import Wrong, exercise, lost, outcomes, run

NAME = "13_representation_learning"
QUESTIONS = {"13.1": ("information_bound", 4), "13.2": ("matched", 3), "13.3": ("ceiling", 3)}
READ = """
n, K = logits.shape
log_q = logits.log_softmax(1)
told = log_q[torch.arange(n), c]
H = math.log(K)
"""
TABLE = """
n = len(codes)
table = torch.bincount(codes * B + labels, minlength=A * B).view(A, B)
rows, columns = linear_sum_assignment(table.numpy(), maximize=True)
share = table[rows, columns].sum().item() / n
"""
GAUSS = """
H = math.log(2 * r)
peak = -math.log(sigma * math.sqrt(2 * math.pi))
cost = r**2 / 3 / (2 * sigma**2)
most = H + peak
"""
WRONG = {
    "13.1": {
        "no entropy": Wrong(READ + "return told.mean()", "never above 0", "entropy forgotten"),
        "minus log Q": Wrong(READ + "return -told.mean() + H", "a better Q", "sign"),
        "as a loss": Wrong(READ + "return -told.mean() - H", "a loss to descend", "a loss"),
        "minus H": Wrong(READ + "return told.mean() - H", "sign before H(c)", "entropy subtracted"),
        "raw logits": Wrong(READ + "return logits[torch.arange(n), c].mean() + H", "must add up to 1", "not normalised"),
        "softmax before cross_entropy": Wrong(
            READ + "return H - torch.nn.functional.cross_entropy(logits.softmax(1), c)", "normalised that is so", "softmax twice"
        ),
        "probabilities": Wrong(READ + "return told.exp().mean() + H", "averages nats", "no logarithm"),
        "log of the mean": Wrong(READ + "return told.exp().mean().log() + H", "average of logarithms", "logarithm outside"),
        "sum": Wrong(READ + "return told.sum() + H", "twice as many pictures", "sum over pictures"),
        "bits": Wrong(READ + "return (told.mean() + H) / math.log(2)", "this is in bits", "bits"),
        "half bits": Wrong(READ + "return told.mean() + math.log2(K)", "one part is in bits", "entropy in bits"),
        "log n": Wrong(READ + "return told.mean() + math.log(n)", "not on that of pictures", "number of pictures"),
        "other axis": Wrong(
            READ + "return logits.log_softmax(0)[torch.arange(n), c].mean() + H",
            "which of the two axes",
            "normalised over pictures",
        ),
        "entropy of Q": Wrong(
            READ + "return (log_q.exp() * log_q).sum(1).mean() + H", "which category was the generator given", "entropy of Q"
        ),
        "argmax": Wrong(READ + "return log_q.max(1).values.mean() + H", "which one did the generator get", "best guess"),
        "H by counting": Wrong(
            READ + "p = torch.bincount(c, minlength=K).double() / n\nreturn told.mean() - torch.xlogy(p, p).sum()",
            "need not be counted",
            "entropy counted",
        ),
        "as many categories as came": Wrong(
            READ + "return told.mean() + math.log(int(c.max()) + 1)", "not how many came", "categories counted"
        ),
        "log of softmax": Wrong(
            READ + "return logits.exp().div(logits.exp().sum(1, keepdim=True))[torch.arange(n), c].log().mean() + H",
            "at logits of +-10000",
            "overflow",
        ),
        "cut off": Wrong(
            READ + "return told.exp().clamp(max=0.995).log().mean() + H",
            "must give H(c) exactly",
            "small number added",
        ),
        "a small number": Wrong(
            READ + "return (logits.softmax(1)[torch.arange(n), c] + 1e-9).log().mean() + H", "must pay for it in full", "clamped"
        ),
        "half of it": Wrong(READ + "return (told.mean() + H) / 2", "sure and right", ""),
        "all of them": Wrong(READ + "return told + H", "must be one number", "wrong shape"),
        "nan": Wrong(READ + "return told.mean() / 0 * 0", "nan or infinite somewhere", "not finite"),
    },
    "13.2": {
        "no matching": Wrong(TABLE + "return (codes == labels).double().mean().item()", "code 0 need not", "numbering trusted"),
        "majority": Wrong(
            TABLE + "return table.amax(1).sum().item() / n", "several codes are given the same", "one class, several codes"
        ),
        "majority of codes": Wrong(
            TABLE + "return table.amax(0).sum().item() / n", "stands for several classes", "one code, several classes"
        ),
        "greedy": Wrong(
            TABLE + "total = 0\nfor _ in range(min(A, B)):\n    i, j = divmod(int(table.argmax()), B)\n"
            "    total += table[i, j].item()\n    table[i], table[:, j] = -1, -1\nreturn total / n",
            "then the next",
            "greedy",
        ),
        "in turn": Wrong(
            TABLE + "total, free = 0, set(range(B))\nfor i in range(A):\n    if free:\n"
            "        j = max(sorted(free), key=lambda j: table[i, j].item())\n        total += table[i, j].item()\n"
            "        free.remove(j)\nreturn total / n",
            "another order",
            "greedy in turn",
        ),
        "the least": Wrong(
            TABLE + "rows, columns = linear_sum_assignment(table.numpy())\nreturn table[rows, columns].sum().item() / n",
            "fits least",
            "worst matching",
        ),
        "count": Wrong(TABLE + "return share * n", "how many rows", "a count"),
        "rest": Wrong(TABLE + "return 1 - share", "do not fit", "mistakes counted"),
        "percent": Wrong(TABLE + "return 100 * share", "in percent", "percent"),
        "divided by classes": Wrong(TABLE + "return share / min(A, B)", "each class counts", "share of classes"),
        "doubled": Wrong(TABLE + "return share / 2", "match by hand", ""),
        "nan": Wrong(TABLE + "return share / 0.0 if n < 0 else float('nan')", "nan or infinite somewhere", "not finite"),
        "a pair": Wrong(TABLE + "return torch.tensor([share, n])", "must be one number", "wrong shape"),
    },
    "13.3": {
        "no entropy": Wrong(GAUSS + "return peak, most - cost, float(most > H)", "where is H(u)", "entropy forgotten"),
        "H is the most": Wrong(GAUSS + "return H, most - cost, float(most > H)", "a discrete code", "entropy as ceiling"),
        "log r": Wrong(GAUSS + "return math.log(r) + peak, most - cost, float(most > H)", "how long is that", "code of length 1"),
        "log 2": Wrong(GAUSS + "return math.log(2) + peak, most - cost, float(most > H)", "r is not 1", "code of the chapter"),
        "variance": Wrong(
            GAUSS + "return H - math.log(sigma**2 * math.sqrt(2 * math.pi)), most - cost, float(most > H)",
            "beside the root",
            "variance for sigma",
        ),
        "2 pi": Wrong(
            GAUSS + "return H - math.log(sigma * 2 * math.pi), most - cost, float(most > H)", "how does 2 pi stand", "two pi"
        ),
        "Gaussian's entropy": Wrong(
            GAUSS + "return most - 0.5, most - cost, float(most > H)", "reads u exactly", "entropy of the Gaussian"
        ),
        "sign": Wrong(GAUSS + "return H - peak, most - cost, float(most > H)", "high at its middle", "sign of the peak"),
        "density": Wrong(GAUSS + "return math.exp(peak), most - cost, float(most > H)", "this is a density", "density"),
        "zero": Wrong(GAUSS + "return most, 0.0, float(most > H)", "knows the law of u", "blind is zero"),
        "same": Wrong(GAUSS + "return most, most, float(most > H)", "knows the prior only", "blind reads"),
        "length": Wrong(
            GAUSS + "return most, most - cost / 4, float(most > H)", "u squared on average", "variance of the wrong length"
        ),
        "no half": Wrong(GAUSS + "return most, most - 2 * cost * (1 + 1e-12), float(most > H)", "the exponent", "half forgotten"),
        "end": Wrong(GAUSS + "return most, most - 3 * cost, float(most > H)", "an average is wanted", "at the end"),
        "half of r": Wrong(
            GAUSS + "return most, most - (r / 2) ** 2 / (2 * sigma**2), float(most > H)", "square of an average", "half of r"
        ),
        "blind, no entropy": Wrong(
            GAUSS + "return most, peak - cost, float(most > H)", "belongs to both", "blind without entropy"
        ),
        "swapped": Wrong(GAUSS + "return most, most - cost, float(most <= H)", "0 and 1 are swapped", "the other way round"),
        "above zero": Wrong(GAUSS + "return most, most - cost, float(most > 0)", "not with 0", "compared with zero"),
        "yes": Wrong(GAUSS + "return most, most - cost, 1.0", "what does a wide one do", "always"),
        "no": Wrong(GAUSS + "return most, most - cost, 0.0", "a narrow one can", "never"),
        "in the middle": Wrong(GAUSS + "return most - cost / 2, most - cost, float(most > H)", "how high", ""),
        "only one": Wrong(GAUSS + "return most", "it returns a float", "wrong type"),
    },
}

TestExercise = exercise(NAME, QUESTIONS, WRONG)

GOOD = {
    "13.1": {
        "cross_entropy": "return math.log(logits.shape[1]) - torch.nn.functional.cross_entropy(logits, c)",
        "by hand": "top = logits.max(1, keepdim=True).values\nlow = logits - top\n"
        "log_q = low - low.exp().sum(1, keepdim=True).log()\n"
        "return log_q.gather(1, c[:, None]).mean() + math.log(logits.shape[1])",
    },
    "13.2": {
        "costs": TABLE + "i, j = linear_sum_assignment(-table.numpy())\nreturn table[i, j].sum() / n",
        "the other way": TABLE
        + "i, j = linear_sum_assignment(table.T.numpy(), maximize=True)\nreturn table.T[i, j].sum().item() / n",
    },
    "13.3": {
        "torch": "N = torch.distributions.Normal(0.0, sigma)\nH = math.log(2 * r)\n"
        "most = H + N.log_prob(torch.tensor(0.0)).item()\nreturn most, most - r**2 / (6 * sigma**2), 1.0 if most > H else 0.0",
        "a condition": GAUSS + "return most, most - cost, 1.0 if sigma < 1 / math.sqrt(2 * math.pi) else 0.0",
        "a truth": GAUSS + "return most, most - cost, most > H",
    },
}


@pytest.mark.parametrize(("question", "answer"), [pytest.param(q, a, id=f"{q} {a}") for q in GOOD for a in GOOD[q]])
def test_another_right_answer_passes(question, answer):
    student = run(NAME, QUESTIONS[question][0], GOOD[question][answer])
    for seed in range(4):
        assert not lost(outcomes(question, LocalHandle(student, seed=seed)))
