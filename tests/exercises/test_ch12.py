"""Exercise 12: the questions and the wrong answers that their checks must reject, each with a hint of its own."""

import pytest

from genedu.handle import LocalHandle
from tests.exercises.common import Wrong, exercise, lost, outcomes, run

NAME = "12_conditional_gans"
QUESTIONS = {"12.1": ("verdict", 4), "12.2": ("Judge", 3), "12.3": ("feature_matching", 3)}
RIGHT = """
z = logits.logsumexp(1)
d, n, p = logsigmoid(z), logsigmoid(-z), logits.softmax(1)
zero = torch.zeros_like(logits[:, :1])
"""


def of(logit: str) -> str:
    """What a student returns who takes this for the logit of D."""
    return RIGHT + f"o = {logit}\nreturn logsigmoid(o), logsigmoid(-o), p"


def prob(d: str) -> str:
    """What a student returns who takes this for D."""
    return RIGHT + f"d = {d}\nreturn d.log(), (1 - d).log(), p"


def module(
    forward: str = "return self.head(self.body(pair).relu()).squeeze(1)",
    *,
    inputs: str = "dim + classes",
    pair: str = "torch.cat([x, hot], 1)",
    hidden: str = "hidden",
) -> str:
    """A Judge whose forward ends with these lines."""
    return f"""class Judge(torch.nn.Module):
    def __init__(self, dim, classes, hidden):
        super().__init__()
        self.classes = classes
        self.body = torch.nn.Linear({inputs}, {hidden})
        self.head = torch.nn.Linear({hidden}, 1)

    def forward(self, x, y):
        hot = one_hot(y, self.classes).to(x.dtype)
        number = y[:, None].to(x.dtype)
        pair = {pair}
        {forward}
"""


WRONG = {
    "12.1": {
        "sum of logits": Wrong(of("logits.sum(1)"), "it is their exponentials that are", "logits added up"),
        "largest": Wrong(of("logits.amax(1)"), "only the largest logit", "largest only"),
        "average class": Wrong(of("z - torch.tensor(3.0).log()"), "every class that is added", "mean of the classes"),
        "mean logit": Wrong(of("logits.mean(1)"), "the logits are averaged", "logits averaged"),
        "sigmoid of Z": Wrong(of("logits.exp().sum(1)"), "once more", "Z as a logit"),
        "a sigmoid a class": Wrong(prob("1 - (1 - logits.sigmoid()).prod(1)"), "one class out of K + 1", "independent classes"),
        "last logit one": Wrong(of("z - 1"), "what is its exponential", "last logit is 1"),
        "exchanged": Wrong(RIGHT + "return n, d, p", "are exchanged", "exchanged"),
        "probabilities": Wrong(RIGHT + "return d.exp(), n.exp(), p", "their logarithms are wanted", "no logarithm"),
        "losses": Wrong(RIGHT + "return -d, -n, p", "at most 0", "sign turned"),
        "K classes": Wrong(RIGHT + "return p.sum(1).log(), n, p", "must have K + 1 classes", "K classes only"),
        "D only": Wrong(RIGHT + "return d, n / 2, p", "log_not_d is not", ""),
        "half the logit": Wrong(of("z / 2"), "take K = 1", ""),
        "of all classes": Wrong(
            RIGHT + "return d, n, torch.cat([logits, zero], 1).softmax(1)[:, :-1]", "given that the row is data", "not given data"
        ),
        "K + 1 numbers": Wrong(
            RIGHT + "return d, n, torch.cat([logits, zero], 1).softmax(1)", "does not belong here", "class K + 1 kept"
        ),
        "log p": Wrong(RIGHT + "return d, n, p.log()", "p_class holds probabilities", "log probabilities"),
        "sigmoids": Wrong(RIGHT + "return d, n, logits.sigmoid()", "does not make them add up", "a sigmoid each"),
        "columns": Wrong(RIGHT + "return d, n, logits.softmax(0)", "it is the columns", "wrong axis"),
        "argmax": Wrong(RIGHT + "return d, n, one_hot(logits.argmax(1), logits.shape[1])", "for sure", "hard decision"),
        "exp": Wrong(RIGHT + "return d, n, logits.exp()", "divide by what they add up to", "exponentials"),
        "twice": Wrong(RIGHT + "return d, n, p.softmax(1)", "too even", "softmax twice"),
        "warm": Wrong(RIGHT + "return d, n, (logits / 2).softmax(1)", "two equal logits", ""),
        "two parts": Wrong(RIGHT + "return d, n", "it must return (log_d, log_not_d, p_class)", "wrong type"),
        "naive": Wrong(prob("logits.exp().sum(1) / (1 + logits.exp().sum(1))"), "too much for the computer", "not stable"),
        "naive in double precision": Wrong(
            "e = logits.double().exp()\nz = e.sum(1)\nreturn (z / (z + 1)).log(), (1 / (z + 1)).log(), e / z[:, None]",
            "too much for the computer",
            "not stable",
        ),
        "clamped": Wrong("logits = logits.clamp(-50, 50)" + RIGHT + "return d, n, p", "no longer follows", "cut off"),
        "a small number": Wrong(
            RIGHT + "return (z.sigmoid() + 1e-12).log(), ((-z).sigmoid() + 1e-12).log(), p", "no longer follows", "cut off"
        ),
    },
    "12.2": {
        "without label": Wrong(module(inputs="dim", pair="x"), "where does the label enter", "no label"),
        "number": Wrong(module(inputs="dim + 1", pair="torch.cat([x, number], 1)"), "twice class 1", "label as a number"),
        "number at each place": Wrong(
            module(pair="torch.cat([x, number.expand_as(hot)], 1)"), "at each of its places", "label as a number"
        ),
        "label ignored": Wrong(module(pair="torch.cat([x, 0 * hot], 1)"), "places are always 0", "label ignored"),
        "all places": Wrong(module(pair="torch.cat([x, torch.ones_like(hot)], 1)"), "places are all 1", "places of all rows"),
        "label first": Wrong(module(pair="torch.cat([hot, x], 1)"), "x stands before the label", "label first"),
        "column": Wrong(module("return self.head(self.body(pair).relu())"), "would spread to a square", "shape [B, 1]"),
        "sigmoid": Wrong(
            module("return self.head(self.body(pair).relu()).squeeze(1).sigmoid()"), "has its sigmoid inside", "probabilities"
        ),
        "log sigmoid": Wrong(
            module("return logsigmoid(self.head(self.body(pair).relu()).squeeze(1))"), "these are logarithms", "log probabilities"
        ),
        "linear": Wrong(module("return self.head(self.body(pair)).squeeze(1)"), "two layers are one", "no bend"),
        "tanh": Wrong(module("return self.head(self.body(pair).tanh()).squeeze(1)"), "do with large numbers", "another bend"),
        "leaky": Wrong(
            module("return self.head(torch.nn.functional.leaky_relu(self.body(pair), 0.2)).squeeze(1)"),
            "do with numbers below 0",
            "another bend",
        ),
        "sign": Wrong(module("return -self.head(self.body(pair).relu()).squeeze(1)"), "high for data", "sign turned"),
        "labels of others": Wrong(module(pair="torch.cat([x, hot.flip(0)], 1)"), "another row's label", "labels of others"),
        "halved": Wrong(module("return self.head(self.body(pair).relu()).squeeze(1) / 2"), "compute eq. (2) by hand", ""),
        "all axes squeezed": Wrong(
            module("return self.head(self.body(pair).relu()).squeeze()"), "the logit of a single row", "wrong shape"
        ),
        "labels compared in the batch": Wrong(
            module("return self.head(self.body(pair).relu()).squeeze(1) + (0 if len(x) > 1 else 1)"), "stand beside it", ""
        ),
        "labels of six rows": Wrong(
            module("return self.head(self.body(pair if len(x) == 6 else 0 * pair).relu()).squeeze(1)"),
            "of another class looks",
            "",
        ),
        "always sixteen": Wrong(module(hidden="16"), "other names or shapes", "wrong weights"),
        "no module": Wrong(
            "def Judge(dim, classes, hidden):\n    return lambda x, y: x[:, 0]", "it must be a torch.nn.Module", "wrong type"
        ),
        "always three classes": Wrong(
            module(pair="torch.cat([x, one_hot(y, 3).to(x.dtype)], 1)"), "raises RuntimeError", "raises"
        ),
    },
    "12.3": {
        "mean over features": Wrong(
            "return (real.detach().mean(0) - fake.mean(0)).square().mean()", "F features are added up", "mean over features"
        ),
        "distance": Wrong("return (real.detach().mean(0) - fake.mean(0)).norm()", "that is the distance", "root taken"),
        "huber": Wrong(
            "return 2 * torch.nn.functional.smooth_l1_loss(fake.mean(0), real.detach().mean(0), reduction='sum')",
            "take F = 1",
            "",
        ),
        "half": Wrong("return (real.detach().mean(0) - fake.mean(0)).square().sum() / 2", "has no 1/2", "halved"),
        "absolute": Wrong("return (real.detach().mean(0) - fake.mean(0)).abs().sum()", "absolute values", "absolute values"),
        "difference": Wrong("return (real.detach().mean(0) - fake.mean(0)).sum()", "cancels one above", "difference summed"),
        "sum first": Wrong("return (real.detach().mean(0) - fake.mean(0)).sum().square()", "added up too early", "sum squared"),
        "pairs": Wrong(
            "return (real.detach()[:, None] - fake[None]).square().sum(2).mean()", "compares means", "squares before the mean"
        ),
        "sums": Wrong("return (real.detach().sum(0) - fake.sum(0)).square().sum()", "must not count more", "sums over rows"),
        "second moments": Wrong(
            "return (real.detach().square().mean(0) - fake.square().mean(0)).sum()",
            "before they are averaged",
            "squares averaged",
        ),
        "all in one": Wrong("return (real.detach().mean() - fake.mean()).square()", "which axis holds the rows", "wrong axis"),
        "negative": Wrong("return -(real.detach().mean(0) - fake.mean(0)).square().sum()", "must be least", "sign turned"),
        "a vector": Wrong(
            "return (real.detach().mean(0) - fake.mean(0)).square()", "one number is wanted", "one number a feature"
        ),
        "twice": Wrong("return 2 * (real.detach().mean(0) - fake.mean(0)).square().sum()", "take F = 1", ""),
        "row by row": Wrong("return (real.detach() - fake).square().sum(1).mean()", "it raises", "raises"),
        "both cut off": Wrong(
            "return (real.detach().mean(0) - fake.detach().mean(0)).square().sum()", "would never move", "no gradient"
        ),
        "a number": Wrong("return (real.mean(0) - fake.mean(0)).square().sum().item()", "would never move", "no gradient"),
        "wrong side cut off": Wrong(
            "return (real.mean(0) - fake.detach().mean(0)).square().sum()", "would never move", "no gradient"
        ),
        "neither cut off": Wrong("return (real.mean(0) - fake.mean(0)).square().sum()", "are a target", "data not cut off"),
        "half the gradient": Wrong(
            "half = (fake + fake.detach()) / 2\nreturn (real.detach().mean(0) - half.mean(0)).square().sum()",
            "is not that of eq. (3)",
            "",
        ),
    },
}

TestExercise = exercise(NAME, QUESTIONS, WRONG)

GOOD = {
    "12.1": {
        "K + 1 logits": RIGHT + "all_ = torch.cat([logits, zero], 1).log_softmax(1)\n"
        "return all_[:, :-1].logsumexp(1), all_[:, -1], logits.softmax(1)",
        "softplus": RIGHT + "s = torch.nn.functional.softplus\nreturn -s(-z), -s(z), p",
    },
    "12.2": {
        "eye": module(pair="torch.cat([x, torch.eye(self.classes)[y]], 1)"),
        "an axis picked": module("return self.head(torch.nn.functional.relu(self.body(pair)))[:, 0]"),
    },
    "12.3": {
        "under no_grad": "with torch.no_grad():\n    target = real.mean(0)\nd = target - fake.mean(0)\nreturn d @ d",
        "as numbers": "d = fake.sum(0) / len(fake) - real.data.sum(0) / len(real)\nreturn (d * d).sum()",
    },
}


@pytest.mark.parametrize(("question", "answer"), [pytest.param(q, a, id=f"{q} {a}") for q in GOOD for a in GOOD[q]])
def test_another_right_answer_passes(question, answer):
    student = run(NAME, QUESTIONS[question][0], GOOD[question][answer])
    for seed in range(4):
        assert not lost(outcomes(question, LocalHandle(student, seed=seed)))
