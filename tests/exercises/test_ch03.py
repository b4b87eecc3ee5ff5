"""Exercise 3: the questions and the wrong answers that their checks must reject, each with a hint of its own."""

import re
from pathlib import Path

import pytest
import torch

import genedu.checks.nade_and_made
from genedu.checks import outcomes
from genedu.handle import LocalHandle
from tests.exercises.common import Wrong, exercise, lost, run

NAME = "03_autoregressive_models"
QUESTIONS = {
    "03.1": ("log_likelihood", 2),
    "03.2": ("nade_step", 3),
    "03.3": ("made_masks", 3),
    "03.4": ("bits_per_dim", 2),
}
BITS = """
from torch.nn.functional import logsigmoid
bits = x[:, order]
signed = (2 * bits - 1) * logits
terms = logsigmoid(signed)
p = logits.sigmoid()
"""
STEP = """
h = a.sigmoid()
logit = b_i + h @ v_i
a_next = a + x_i[:, None] * w_i
"""
MASKS = """
D = len(order)
step = order.argsort() + 1
def masks(step, first=torch.ge, hidden=torch.ge, out=torch.gt):
    found, below, how = [], step, first
    for degree in degrees:
        found.append(how(degree[:, None], below))
        below, how = degree, hidden
    return (*found, out(step[:, None], below))
"""
BOX = """
nats = nll.mean()
right = (nats - dim * math.log(width)) / (dim * math.log(2))
"""
WRONG = {
    "03.1": {
        "order ignored": Wrong(
            "return torch.distributions.Bernoulli(logits=logits).log_prob(x.float()).sum(1)", "to which bit", "order ignored"
        ),
        "order inverted": Wrong("order = order.argsort()" + BITS + "return terms.sum(1)", "read backwards", "order inverted"),
        "logits sorted": Wrong(
            "x, logits = x, logits[:, order]\nreturn torch.distributions.Bernoulli(logits=logits).log_prob(x.float()).sum(1)",
            "read backwards",
            "order inverted",
        ),
        "loss": Wrong(BITS + "return -terms.sum(1)", "this is a loss", "sign turned"),
        "base 2": Wrong(BITS + "return terms.sum(1) / math.log(2)", "to base 2", "not base e"),
        "probability": Wrong(BITS + "return signed.sigmoid().prod(1)", "this is p(x)", "no logarithm"),
        "mean over places": Wrong(BITS + "return terms.mean(1)", "number of places", "per place"),
        "terms": Wrong(BITS + "return terms", "chain rule do with them", "not added up"),
        "sum over all": Wrong(BITS + "return terms.sum()", "of its own", "rows added"),
        "mean over rows": Wrong(BITS + "return terms.sum(1).mean()", "one a row", "rows averaged"),
        "sum of probabilities": Wrong(BITS + "return signed.sigmoid().sum(1)", "chain rule multiplies", "probabilities added"),
        "half of the cross-entropy": Wrong(
            BITS + "return (bits * logsigmoid(logits)).sum(1)", "only the ones count", "zeros ignored"
        ),
        "x unused": Wrong(BITS + "return logsigmoid(logits).sum(1)", "which bits came", "x ignored"),
        "signs exchanged": Wrong(BITS + "return logsigmoid(-signed).sum(1)", "of which bit", "bits exchanged"),
        "likeliest": Wrong(BITS + "return logsigmoid(logits.abs()).sum(1)", "likeliest bit", "likeliest bits"),
        "double sigmoid": Wrong(
            BITS + "return torch.distributions.Bernoulli(logits=p).log_prob(bits.float()).sum(1)",
            "applied twice",
            "squashed twice",
        ),
        "sum of logits": Wrong(BITS + "return (bits * logits).sum(1)", "add up logits", "not normalised"),
        "softmax over places": Wrong(BITS + "return (bits * logits.log_softmax(1)).sum(1)", "take D = 1", ""),
        "rounded": Wrong(BITS + "return terms.sum(1).round()", "take D = 1", ""),
        "log of the product": Wrong(
            BITS + "return signed.sigmoid().prod(1).log()", "what else can one add up", "product underflows"
        ),
        "log of the product, in double precision": Wrong(
            BITS + "return signed.double().sigmoid().prod(1).log()", "what else can one add up", "product underflows"
        ),
        "first thousand places": Wrong(BITS + "return terms[:, :1000].sum(1)", "wrong for 3000", ""),
        "cross-entropy by hand": Wrong(
            BITS + "return (bits * p.log() + (1 - bits) * (1 - p).log()).sum(1)", "not even as 0 times", "0 times infinity"
        ),
        "log of sigma": Wrong(BITS + "return signed.sigmoid().log().sum(1)", "without its value", "logarithm of 0"),
        "log of sigma, in double precision": Wrong(
            BITS + "return signed.double().sigmoid().log().sum(1)", "without its value", "logarithm of 0"
        ),
        "log of 1 + exp": Wrong(BITS + "return -(1 + (-signed).exp()).log().sum(1)", "without its value", "logarithm of 0"),
        "small number added": Wrong(BITS + "return (signed.sigmoid() + 1e-12).log().sum(1)", "cost too little", "clamped"),
        "clamped": Wrong(BITS + "return logsigmoid(signed.clamp(-50, 50)).sum(1)", "cost too little", "clamped"),
        "torch's cross-entropy of probabilities": Wrong(
            BITS + "return -torch.nn.functional.binary_cross_entropy(p, bits.float(), reduction='none').sum(1)",
            "cost too little",
            "clamped",
        ),
        "too dear": Wrong(BITS + "return torch.where(terms < -500, 2 * terms, terms).sum(1)", "wrong for large ones", ""),
        "infinite": Wrong(BITS + "return terms.sum(1) / 0", "nan or infinite somewhere", "not finite"),
        "nothing returned": Wrong(BITS, "returns NoneType", "wrong type"),
        "axes exchanged": Wrong(BITS + "return terms.sum(0)", "shape [6]", "wrong shape"),
        "name unknown": Wrong("return log_sigmoid(logits)", "raises NameError", "raises"),
    },
    "03.2": {
        "inclusive": Wrong(STEP + "return b_i + a_next.sigmoid() @ v_i, a_next", "when is it added", "sees its own bit"),
        "own row": Wrong(STEP + "return b_i + (a + w_i).sigmoid() @ v_i, a_next", "whose rows of W", "own row"),
        "linear": Wrong(STEP + "return b_i + a @ v_i, a_next", "as it is", "no sigma"),
        "tanh": Wrong(STEP + "return b_i + a.tanh() @ v_i, a_next", "not as (2) says", "another squashing"),
        "probability": Wrong(STEP + "return logit.sigmoid(), a_next", "this is sigma of the answer", "probability returned"),
        "log-probability of a one": Wrong(
            STEP + "return torch.nn.functional.logsigmoid(logit), a_next", "log-probability of a one", "logarithm returned"
        ),
        "log-likelihood": Wrong(
            STEP + "return torch.distributions.Bernoulli(logits=logit).log_prob(x_i), a_next",
            "of the bit that came",
            "likelihood returned",
        ),
        "b forgotten": Wrong(STEP + "return h @ v_i, a_next", "plays no part", "b forgotten"),
        "b inside": Wrong(STEP + "return (a + b_i).sigmoid() @ v_i, a_next", "inside of sigma: look", "b inside"),
        "tied weights": Wrong(STEP + "return b_i + h @ w_i, a_next", "leads out of it", "w for v"),
        "not summed": Wrong(STEP + "return b_i + h * v_i, a_next", "the dot", "not added up"),
        "average over units": Wrong(STEP + "return b_i + (h * v_i).mean(1), a_next", "take H = 1", ""),
        "a column": Wrong(STEP + "return logit[:, None], a_next", "logit must be a tensor of shape [5]", "wrong shape"),
        "squashed sum carried": Wrong(STEP + "return logit, a_next.sigmoid()", "nothing can be added", "sigma carried"),
        "hidden units carried": Wrong(STEP + "return logit, h + x_i[:, None] * w_i", "added to h", "hidden units carried"),
        "bit ignored": Wrong(STEP + "return logit, a + w_i", "whatever the bit is", "bit ignored"),
        "ones for zeros": Wrong(STEP + "return logit, a + (1 - x_i)[:, None] * w_i", "if it is 1", "ones for zeros"),
        "sum forgotten": Wrong(STEP + "return logit, x_i[:, None] * w_i", "is lost", "sum forgotten"),
        "nothing added": Wrong(STEP + "return logit, a", "must know of x_i", "nothing added"),
        "v for w": Wrong(STEP + "return logit, a + x_i[:, None] * v_i", "leads into it", "v for w"),
        "bits as signs": Wrong(STEP + "return logit, a + (2 * x_i - 1)[:, None] * w_i", "takes w_i away", "bits as signs"),
        "b carried": Wrong(STEP + "return logit, a_next + b_i", "belongs to this place alone", "b carried"),
        "running mean": Wrong(STEP + "return logit, (a + a_next) / 2", "then one with x_i = 1", ""),
        "the rows kept": Wrong(
            STEP + "return logit, torch.cat([a, x_i[:, None] * w_i], 1)", "a_next must be a tensor of shape [5, 4]", "wrong shape"
        ),
        "clamped": Wrong(STEP + "return logit, a_next.clamp(-30, 30)", "cut or rounded", "sum spoiled"),
        "half precision": Wrong(
            "a = a.to(torch.bfloat16).to(x_i) if a.dtype == torch.float32 else a\n" + STEP + "return logit, a_next",
            "cut or rounded",
            "sum spoiled",
        ),
        "sigma as exp / (1 + exp)": Wrong(
            STEP + "return b_i + (a.exp() / (1 + a.exp())) @ v_i, a_next", "infinite / infinite", "overflow"
        ),
        "sigma flat beyond 3": Wrong(
            STEP + "return b_i + torch.where(a.abs() < 6, h, 0.5) @ v_i, a_next", "right in one step", ""
        ),
        "exchanged": Wrong(STEP + "return a_next, logit", "logit must be a tensor of shape [5]", "wrong shape"),
        "no sum": Wrong(STEP + "return logit", "must return (logit, a_next)", "wrong type"),
        "added in place": Wrong(
            "a += x_i[:, None] * w_i\nreturn b_i + a.sigmoid() @ v_i, a", "when is it added", "sees its own bit"
        ),
        "bit times column, without axes": Wrong("return b_i + a.sigmoid() @ v_i, a + x_i * w_i", "raises RuntimeError", "raises"),
    },
    "03.3": {
        "order ignored": Wrong(MASKS + "return masks(torch.arange(D) + 1)", "plays no part", "order ignored"),
        "order not inverted": Wrong(MASKS + "return masks(order + 1)", "in which step a place comes", "order not inverted"),
        "degrees from 0": Wrong(MASKS + "return masks(step - 1)", "count from 0", "counted from 0"),
        "output not strict": Wrong(MASKS + "return masks(step, out=torch.ge)", "which of the two comparisons", "sees itself"),
        "strict everywhere": Wrong(
            MASKS + "return masks(step, first=torch.gt, hidden=torch.gt)",
            "no leak, but connections are lost",
            "strict everywhere",
        ),
        "strict between hidden layers": Wrong(
            MASKS + "return masks(step, hidden=torch.gt)", "between two hidden layers", "strict between"
        ),
        "exchanged": Wrong(
            MASKS + "return masks(step, first=torch.gt, hidden=torch.gt, out=torch.ge)", "at the wrong end", "exchanged"
        ),
        "reversed": Wrong(MASKS + "return masks(step, torch.le, torch.le, torch.lt)", "turn the comparisons round", "reversed"),
        "transposed": Wrong(MASKS + "return [m.T for m in masks(step)]", "a unit of which layer", "transposed"),
        "ones for zeros": Wrong(MASKS + "return [~m for m in masks(step)]", "a 1 keeps a weight", "ones for zeros"),
        "top first": Wrong(MASKS + "return masks(step)[::-1]", "the lowest one first", "top first"),
        "differences": Wrong(MASKS + "return masks(step, torch.sub, torch.sub, torch.sub)", "zeros and ones only", "no masks"),
        "nothing masked": Wrong(MASKS + "return [torch.ones_like(m) for m in masks(step)]", "reached from its own input", "leak"),
        "only neighbours lost": Wrong(
            MASKS + "*below, top = masks(step)\nreturn *below, torch.ones_like(top) & (step[:, None] != degrees[-1])",
            "reached from its own input",
            "leak",
        ),
        "all but itself": Wrong(
            "sizes = [len(order), *map(len, degrees)]\n"
            "return (*[torch.eye(a, b) for b, a in zip(sizes, sizes[1:])], 1 - torch.eye(sizes[0], sizes[-1]))",
            "from an input that comes later",
            "future",
        ),
        "all zeros": Wrong(MASKS + "return [torch.zeros_like(m) for m in masks(step)]", "write out one unit", "connections"),
        "one hidden layer only": Wrong(
            MASKS + "return masks(step)[0], masks(step)[-1]", "must return (M1, M2, M3)", "wrong type"
        ),
        "product of the masks": Wrong(
            MASKS + "a, *rest = [m.float() for m in masks(step)]\nfor m in rest:\n    a = m @ a\nreturn a",
            "must return (M1, M2)",
            "wrong type",
        ),
        "one layer less": Wrong(MASKS + "return masks(step)[:-1]", "must return (M1, M2)", "wrong type"),
        "hidden layers see the inputs": Wrong(
            MASKS + "return (*[d[:, None] >= step for d in degrees], step[:, None] > degrees[-1])",
            "M2 must be a tensor of shape",
            "wrong shape",
        ),
        "a list missing": Wrong("return order[:, None] > degrees", "raises TypeError", "raises"),
    },
    "03.4": {
        "nats": Wrong("return nll.mean() / dim - math.log(width)", "how many bits is a nat", "nats"),
        "times log 2": Wrong(BOX + "return right * math.log(2) ** 2", "you make it less", "wrong way"),
        "per image": Wrong(BOX + "return right * dim", "asked for one pixel", "per image"),
        "sum of images": Wrong(BOX + "return nll.sum() / (dim * math.log(2)) - math.log2(width)", "more images", "images added"),
        "one number an image": Wrong(
            "return nll / (dim * math.log(2)) - math.log2(width)", "all images together", "one number an image"
        ),
        "divided by the images, too": Wrong(
            "return nll.mean() / nll.numel() / dim / math.log(2)", "once too often", "pixels and images"
        ),
        "log-likelihood": Wrong(BOX + "return -right", "a cost already", "sign turned"),
        "logarithm of nll": Wrong("return nll.mean().log2() / dim", "no second one", "logarithm twice"),
        "base 10": Wrong(BOX + "return right * math.log10(2)", "decimal digits", "base 10"),
        "perplexity": Wrong(BOX + "return 2**right", "equally likely levels", "perplexity"),
        "likeliest image": Wrong(BOX + "return nll.min() / (dim * math.log(2)) - math.log2(width)", "8 bits a pixel", ""),
        "width ignored": Wrong("return nll.mean() / (dim * math.log(2))", "the width plays no part", "width ignored"),
        "width turned": Wrong("return nll.mean() / (dim * math.log(2)) + math.log2(width)", "the wrong way", "width turned"),
        "one side": Wrong("return (nll.mean() - math.log(width)) / (dim * math.log(2))", "has D sides", "one side"),
        "sides twice": Wrong(
            "return nll.mean() / (dim * math.log(2)) - dim * math.log2(width)", "comes in twice", "sides counted twice"
        ),
        "width in nats": Wrong("return nll.mean() / (dim * math.log(2)) - math.log(width)", "the width in nats", "width in nats"),
        "width divided": Wrong("return nll.mean() / (dim * math.log(2)) / width", "is divided by the width", "width divided"),
        "width multiplied": Wrong(
            "return width * nll.mean() / (dim * math.log(2))", "multiplied by the width", "width multiplied"
        ),
        "no cost below 0": Wrong(
            "return nll.clamp(min=0).mean() / (dim * math.log(2)) - math.log2(width)", "must not be cut off", "clipped"
        ),
        "always 256 levels": Wrong(
            "return nll.mean() / (dim * math.log(2)) + (8 if width < 1 else 0)", "always 256 levels", "one width assumed"
        ),
        "square root": Wrong(BOX + "return nll.mean() / (dim * math.log(2)) - 0.5 * math.log2(width)", "take D = 1", ""),
        "nothing": Wrong(BOX, "returns NoneType", "wrong type"),
        "a pair": Wrong(BOX + "return right, nats", "must be one number", "wrong shape"),
    },
}

TestExercise = exercise(NAME, QUESTIONS, WRONG)

GOOD = {
    "03.1": {
        "torch": "import torch.nn.functional as F\n"
        "return -F.binary_cross_entropy_with_logits(logits, x[:, order].float(), reduction='none').sum(1)",
        "a pair of logits, one step at a time": "total = torch.zeros(len(x))\n"
        "for k, place in enumerate(order.tolist()):\n"
        "    both = torch.stack([0 * logits[:, k], logits[:, k]], 1).log_softmax(1)\n"
        "    total = total + both[torch.arange(len(x)), x[:, place]]\n"
        "return total",
        "order inverted for the logits": "z = logits[:, order.argsort()]\n"
        "return (x * z - torch.nn.functional.softplus(z)).sum(1)",
    },
    "03.2": {
        "by torch": "return torch.nn.functional.linear(a.sigmoid(), v_i[None])[:, 0] + b_i, torch.addcmul(a, x_i[:, None], w_i)",
        "bit by bit": "return b_i + (v_i / (1 + (-a).exp())).sum(1), torch.where(x_i[:, None] == 1, a + w_i, a)",
    },
    "03.3": {
        "by loops": "step = {int(d): k + 1 for k, d in enumerate(order)}\n"
        "layers = [[step[d] for d in range(len(order))], *[d.tolist() for d in degrees]]\n"
        "found = [torch.tensor([[float(m >= n) for n in a] for m in b]) for a, b in zip(layers, layers[1:])]\n"
        "return (*found, torch.tensor([[float(m > n) for n in layers[-1]] for m in layers[0]]))",
        "a list": MASKS + "return [m.int() for m in masks(step)]",
    },
    "03.4": {
        "in bits throughout": "return (nll / math.log(2) / dim).mean() - math.log2(width)",
        "a number": BOX + "return right.item()",
    },
}


@pytest.mark.parametrize(("question", "answer"), [pytest.param(q, a, id=f"{q} {a}") for q in GOOD for a in GOOD[q]])
def test_another_right_answer_passes(question, answer):
    student = run(NAME, QUESTIONS[question][0], GOOD[question][answer])
    for seed in range(4):
        assert not lost(outcomes(question, LocalHandle(student, seed=seed)))


def test_every_mistake_that_the_checks_of_nade_and_made_know_is_tried():
    text = Path(genedu.checks.nade_and_made.__file__).read_text()
    known = set(re.findall(r'Mistake\(\s*"([^"]+)"', text)) - {"not yet"}
    assert len(known) == 36
    assert known <= {case.mistake for q in ("03.2", "03.3") for case in WRONG[q].values()}


@pytest.mark.parametrize("seed", range(20))
def test_orders_are_such_that_no_wrong_way_to_read_them_is_right(seed):
    torch.manual_seed(seed)
    for dim in (4, 5, 6):
        order = genedu.checks.nade_and_made.mixed_order(dim)
        assert order.sort().values.tolist() == list(range(dim))
        assert not torch.equal(order, order.argsort()) and not torch.equal(order, torch.arange(dim))
