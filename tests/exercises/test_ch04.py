"""Exercise 4: the questions and the wrong answers that their checks must reject, each with a hint of its own."""

import math
import re
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from genedu.checks import leaky_nets, logistic_bins, outcomes, shifted_stacks
from genedu.handle import LocalHandle
from tests.exercises.common import Wrong, exercise, lost, namespace, run

NAME = "04_pixel_models"
QUESTIONS = {
    "04.1": ("causal_mask", 2),
    "04.2": ("two_stacks", 2),
    "04.3": ("log_mass", 3),
    "04.4": ("find_leak", 3),
}
MASK = """
centre = kernel // 2
i, o = group_in, group_out[:, None]
at_centre = (i < o if kind == "A" else i <= o).float()
mask = torch.zeros(len(group_out), len(group_in), kernel, kernel)
mask[:, :, :centre] = 1
mask[:, :, centre, :centre] = 1
mask[:, :, centre, centre] = at_centre
own = torch.zeros(kernel, kernel)
own[centre, centre] = 1
"""
STACKS = """
m, n, q = vertical.shape[2], vertical.shape[3] // 2, horizontal.shape[3]
v = conv2d(pad(x, (n, n, m - 1, 0)), vertical)
down = pad(v, (0, 0, 1, 0))[:, :, :-1]
u = conv2d(pad(x, (q, 0)), horizontal)[..., :-1]
"""
LOGISTIC = """
from torch.nn.functional import logsigmoid
half = 1 / (levels - 1)
x, s = 2 * half * level - 1, log_s.exp()
b, a = (x + half - mu) / s, (x - half - mu) / s
z = (x - mu) / s
first, last = level == 0, level == levels - 1
inner = logsigmoid(b) + logsigmoid(-a) + torch.log(-torch.expm1(-2 * half / s))
outer = torch.where(first, logsigmoid(b), logsigmoid(-a))
right = torch.where(first | last, outer, inner)
mass = torch.where(last, 1.0, b.sigmoid()) - torch.where(first, 0.0, a.sigmoid())
density = -z - log_s - 2 * torch.nn.functional.softplus(-z)
"""
LEAK = """
def kind_of(J, last=""):
    H, W = J.shape[:2]
    sees = (J != 0).reshape(H * W, H * W)
    if sees.all():
        return "whole image"
    if sees.triu(1).any():
        return "no shift"
    if sees.diagonal().any():
        return "mask B first"
    if sees.sum() == H * W * (H * W - 1) // 2:
        return "fine"
    return last or ("blind spot" if J[1, 0, 0, 0] != 0 else "shift twice")
"""
KIND = "J = jacobian\n" + LEAK + "kind = kind_of(J)\n"


def calling(name: str, instead: str) -> Wrong:
    """Right but for one kind, which is called something else."""
    hint, mistake = HINTS[name, instead]
    return Wrong(KIND + f"return {instead!r} if kind == {name!r} else kind", hint, mistake)


HINTS = {
    ("mask B first", "fine"): ("in which a pixel sees itself", "own pixel missed"),
    ("no shift", "fine"): ("more of its own row", "row missed"),
    ("whole image", "fine"): ("sees everything", "leak missed"),
    ("blind spot", "fine"): ("may also fail to see", "loss missed"),
    ("shift twice", "fine"): ("which row is lost", "row above missed"),
    ("fine", "blind spot"): ("count what it may", "sound net blamed"),
    ("fine", "whole image"): ("is no leak", "past taken for leak"),
    ("no shift", "mask B first"): ("look to the right as well", "only the centre"),
    ("mask B first", "no shift"): ("need not see", "right not looked at"),
    ("whole image", "no shift"): ("can reach these", "below not looked at"),
    ("no shift", "whole image"): ("no leak from the rows below", "row for image"),
    ("shift twice", "blind spot"): ("the row just above", "losses confused"),
    ("blind spot", "shift twice"): ("or a corner", "losses exchanged"),
}
WRONG = {
    "04.1": {
        "A and B exchanged": Wrong(
            MASK + "return mask * (1 - own) + own * (kind == 'A')",
            "which one stands in the first layer",
            "A for B",
        ),
        "always A": Wrong(MASK + "return mask * (1 - own)", "what may later layers see", "always A"),
        "always B": Wrong(MASK + "return torch.maximum(mask, own)", "it is the pixel itself", "always B"),
        "row to its end": Wrong(MASK + "mask[:, :, centre, centre + 1:] = 1\nreturn mask", "to the right is later", "whole row"),
        "left forgotten": Wrong(MASK + "mask[:, :, centre, :centre] = 0\nreturn mask", "to the left is earlier", "rows only"),
        "above forgotten": Wrong(MASK + "mask[:, :, :centre] = 0\nreturn mask", "what else is earlier", "row only"),
        "quadrant": Wrong(MASK + "mask[..., centre + 1:] = 0\nreturn mask", "on the right as well", "left only"),
        "turned round": Wrong(MASK + "return mask.flip(2, 3)", "what is later is seen", "turned round"),
        "columns first": Wrong(MASK + "return mask.mT", "row by row", "columns first"),
        "right for left": Wrong(MASK + "return mask.flip(3)", "left and right", "right for left"),
        "what is masked": Wrong(MASK + "return 1 - mask", "a 1 keeps a weight", "zeros for ones"),
        "weights": Wrong(MASK + "return mask / mask.sum((2, 3), keepdim=True).clamp(min=1)", "0 and 1 only", "no mask"),
        "lower triangle": Wrong(
            MASK + "return torch.ones_like(mask).tril(-1 if kind == 'A' else 0)", "what is generated before", ""
        ),
        "small letters": Wrong(MASK + "return mask * (1 - own) + own * (kind != 'a')", "it is the pixel itself", "always B"),
        "colours ignored": Wrong(
            MASK + "return mask * (1 - own) + own * (kind == 'B')", "the groups play no part", "colours ignored"
        ),
        "colours always": Wrong(
            MASK + "return torch.maximum(mask, own) if group_out.any() else mask", "all groups are seen", "colours always"
        ),
        "colours turned": Wrong(
            MASK + "mask[:, :, centre, centre] = (i > o if kind == 'A' else i >= o).float()\nreturn mask",
            "which group is generated first",
            "colours turned",
        ),
        "colours everywhere": Wrong(
            MASK + "return mask * at_centre[..., None, None] if group_out.any() else mask",
            "there everything is known",
            "colours everywhere",
        ),
        "kinds alike": Wrong(
            MASK + "return mask * (1 - own) + own * (i < o)[..., None, None] if group_out.any() else mask",
            "look at < and <=",
            "kinds alike",
        ),
        "own group only": Wrong(
            MASK + "at = i < o if kind == 'A' else i == o\nmask[:, :, centre, centre] = at.float()\nreturn mask",
            "and those before it",
            "own group only",
        ),
        "groups by place": Wrong(
            MASK + "i, o = torch.arange(len(group_in)) % 3, torch.arange(len(group_out))[:, None] % 3\n"
            "at = i < o if kind == 'A' else i <= o\n"
            "return mask * (1 - own) + own * at[..., None, None] if group_out.any() else mask",
            "what is generated before",
            "",
        ),
        "in and out exchanged": Wrong(MASK + "return mask.transpose(0, 1)", "shape [3, 2, 3, 3]", "wrong shape"),
        "one mask for all": Wrong(MASK + "return mask[0, 0]", "shape [3, 2, 3, 3]", "wrong shape"),
        "nothing returned": Wrong(MASK, "returns NoneType", "wrong type"),
    },
    "04.2": {
        "vertical only": Wrong(STACKS + "return down", "to the left play no part", "horizontal missing"),
        "own pixel": Wrong(STACKS + "return down + conv2d(pad(x, (q - 1, 0)), horizontal)", "that it is to predict", "own pixel"),
        "zeros on the wrong side": Wrong(
            STACKS + "return down + conv2d(pad(x, (0, q)), horizontal)[..., 1:]", "on which side", "right side"
        ),
        "both sides": Wrong(
            STACKS + "return down + conv2d(pad(x, (q // 2, q - 1 - q // 2)), horizontal)", "on one side only", "both sides"
        ),
        "moved right twice": Wrong(
            STACKS + "return down + pad(u, (1, 0))[..., :-1]", "how often the row is moved", "one too far"
        ),
        "row rolled": Wrong(
            STACKS + "return down + sum(horizontal[None, :, 0, :, j, None] * x.roll(q - j, 3) for j in range(q))",
            "the first columns see the last ones",
            "row wraps",
        ),
        "column for row": Wrong(
            STACKS + "return down + conv2d(pad(x, (0, 0, q, 0)), horizontal.mT)[:, :, :-1]", "along the row", "column for row"
        ),
        "horizontal kernel flipped": Wrong(
            STACKS + "return down + conv2d(pad(x, (q, 0)), horizontal.flip(3))[..., :-1]", "from right to left", "kernel turned"
        ),
        "both moved down": Wrong(STACKS + "return pad(v + u, (0, 0, 1, 0))[:, :, :-1]", "stays in its row", "all moved down"),
        "stacks multiplied": Wrong(STACKS + "return down * u", "to the left play no part", "horizontal missing"),
        "a gate": Wrong(STACKS + "return torch.tanh(down + u)", "which pixels hear of it", ""),
        "horizontal only": Wrong(STACKS + "return u", "vertical stack plays no part", "vertical missing"),
        "no shift": Wrong(STACKS + "return v + u", "which v enters", "no shift"),
        "moved up": Wrong(STACKS + "return pad(v, (0, 0, 0, 1))[:, :, 1:] + u", "into which direction", "shift upward"),
        "moved twice": Wrong(
            STACKS + "return pad(down, (0, 0, 1, 0))[:, :, :-1] + u", "count how often v is moved", "shift twice"
        ),
        "moved to the right": Wrong(
            STACKS + "return pad(v, (1, 0))[..., :-1] + u", "it must be moved down", "shift to the right"
        ),
        "zeros above and below": Wrong(
            STACKS + "v = conv2d(pad(x, (n, n, m // 2, m - 1 - m // 2)), vertical)\nreturn pad(v, (0, 0, 1, 0))[:, :, :-1] + u",
            "above the image only",
            "rows around",
        ),
        "an ordinary convolution": Wrong(
            STACKS + "return conv2d(pad(x, (n, n, m // 2, m - 1 - m // 2)), vertical) + u",
            "and is not moved",
            "rows around, no shift",
        ),
        "rolled": Wrong(STACKS + "return v.roll(1, 2) + u", "the first row sees the last one", "last row wraps"),
        "vertical kernel upside down": Wrong(
            STACKS + "v = conv2d(pad(x, (n, n, m - 1, 0)), vertical.flip(2))\nreturn pad(v, (0, 0, 1, 0))[:, :, :-1] + u",
            "from bottom to top",
            "kernel upside down",
        ),
        "vertical kernel mirrored": Wrong(
            STACKS + "v = conv2d(pad(x, (n, n, m - 1, 0)), vertical.flip(2, 3))\nreturn pad(v, (0, 0, 1, 0))[:, :, :-1] + u",
            "as mathematicians convolve",
            "kernel mirrored",
        ),
        "horizontal stack over both": Wrong(
            STACKS + "down = pad(v, (0, 0, 1, 0))[:, :, :-1]\n"
            "return down + conv2d(pad(x + down.mean(1, keepdim=True), (q, 0)), horizontal)[..., :-1]",
            "right alone, both together",
            "stacks mixed",
        ),
        "zeros not cut off": Wrong(
            STACKS + "return pad(v, (0, 0, 1, 0)) + pad(u, (0, 0, 0, 1))", "shape [2, 3, 6, 7]", "wrong shape"
        ),
        "zeros at the sides forgotten": Wrong(
            "m, n, q = vertical.shape[2], vertical.shape[3] // 2, horizontal.shape[3]\n"
            "return conv2d(pad(x, (0, 0, m, 0)), vertical)[:, :, :-1] + conv2d(pad(x, (q, 0)), horizontal)[..., :-1]",
            "raises RuntimeError",
            "raises",
        ),
    },
    "04.3": {
        "mass": Wrong(LOGISTIC + "return mass", "its logarithm is wanted", "no logarithm"),
        "loss": Wrong(LOGISTIC + "return -right", "this is a loss", "sign turned"),
        "a bin on each side": Wrong(
            LOGISTIC.replace("half - mu", "2 * half - mu") + "return mass.log()", "the bins overlap", "double width"
        ),
        "half a bin": Wrong(LOGISTIC.replace("half - mu", "half / 2 - mu") + "return mass.log()", "gaps between", "half width"),
        "1/K": Wrong(
            LOGISTIC.replace("half - mu", "1 / levels - mu") + "return mass.log()", "have how many steps", "one level too many"
        ),
        "in [0, 1]": Wrong(
            LOGISTIC.replace("2 * half * level - 1", "half * level").replace("half - mu", "half / 2 - mu") + "return mass.log()",
            "spread them over",
            "levels in [0, 1]",
        ),
        "in [0, 1], bins as in [-1, 1]": Wrong(
            LOGISTIC.replace("2 * half * level - 1", "half * level") + "return mass.log()", "as wide as in [-1, 1]", "wrong units"
        ),
        "plus mu": Wrong(LOGISTIC.replace("half - mu", "half + mu") + "return mass.log()", "look at its sign", "centre turned"),
        "times s": Wrong(LOGISTIC.replace("mu) / s", "mu) * s") + "return mass.log()", "yours gets narrow", "scale turned"),
        "density": Wrong(LOGISTIC + "return density", "this is the density", "density"),
        "density times width": Wrong(
            LOGISTIC + "return density + torch.tensor(2 * half).log()", "no difference of sigma", "density times width"
        ),
        "normal": Wrong(
            LOGISTIC + "normal = torch.distributions.Normal(mu, s)\nreturn (normal.cdf(x + half) - normal.cdf(x - half)).log()",
            "of a normal distribution",
            "another distribution",
        ),
        "upper edge only": Wrong(LOGISTIC + "return logsigmoid(b)", "no lower one", "one edge"),
        "no scale": Wrong("log_s = 0 * log_s\n" + LOGISTIC + "return right", "plays no part", "no scale"),
        "log s for s": Wrong(
            LOGISTIC.replace("log_s.exp()", "log_s") + "return mass.log()", "nan or infinite somewhere", "not finite"
        ),
        "normalised over the rows": Wrong(LOGISTIC + "return right.log_softmax(0)", "take K = 3", ""),
        "ends closed": Wrong(LOGISTIC + "return inner", "how far do the outer bins reach", "ends cut off"),
        "top closed": Wrong(LOGISTIC + "return torch.where(first, outer, inner)", "the highest level is not", "top cut off"),
        "bottom closed": Wrong(LOGISTIC + "return torch.where(last, outer, inner)", "level 0 is not", "bottom cut off"),
        "ends at the levels": Wrong(
            LOGISTIC + "return torch.where(first, logsigmoid(z), torch.where(last, logsigmoid(-z), inner))",
            "at the level itself",
            "ends at the levels",
        ),
        "ends exchanged": Wrong(
            LOGISTIC + "return torch.where(first, logsigmoid(-a), torch.where(last, logsigmoid(b), inner))",
            "of level 0 reaches up",
            "ends exchanged",
        ),
        "ends for nothing": Wrong(
            LOGISTIC + "return torch.where(first | last, 0 * right, right)", "add up P over all levels", ""
        ),
        "log of the difference": Wrong(LOGISTIC + "return mass.log()", "into another form", "underflow"),
        "log of the difference, in double precision": Wrong(
            "mu, log_s = mu.double(), log_s.double()\n" + LOGISTIC + "return mass.log()", "into another form", "underflow"
        ),
        "mass clamped": Wrong(LOGISTIC + "return mass.clamp(min=1e-12).log()", "costs too little", "clamped"),
        "small number added": Wrong(LOGISTIC + "return (mass + 1e-9).log()", "costs too little", "clamped"),
        "mu clamped": Wrong("mu = mu.clamp(-3, 3)\n" + LOGISTIC + "return right", "costs too little", "clamped"),
        "too dear": Wrong(LOGISTIC + "return torch.where(right < -100, 2 * right, right)", "wrong for mu = 1000", ""),
        "branch with log 0": Wrong(
            LOGISTIC + "near = density + torch.tensor(2 * half).log()\n"
            "tail = torch.where(first, logsigmoid(b), torch.where(last, logsigmoid(-a), near))\n"
            "return torch.where(mass > 1e-5, mass.log(), tail)",
            "a branch not taken",
            "gradient not finite",
        ),
        "cut from the graph": Wrong(LOGISTIC + "return right.detach()", "what cuts the path", "gradient lost"),
        "scale cut from the graph": Wrong(
            "log_s = log_s.detach()\n" + LOGISTIC + "return right", "what cuts the path", "gradient lost"
        ),
        "gradient clipped": Wrong(
            LOGISTIC + "return torch.where(right < -100, right.detach() + 0 * (mu + log_s), right)",
            "the gradient by mu is not",
            "",
        ),
        "one row": Wrong(LOGISTIC + "return right.sum()", "shape [5]", "wrong shape"),
        "name unknown": Wrong("return F.logsigmoid(level)", "raises NameError", "raises"),
    },
    "04.4": {
        "always fine": Wrong("return 'fine'", "the same for all nets", "constant answer"),
        "always a blind spot": Wrong("return 'blind spot'", "the same for all nets", "constant answer"),
        "other words": Wrong(KIND + "return kind.upper()", "none of the six answers", "unknown answer"),
        "other words for one": Wrong(
            KIND + "return kind.replace('whole image', 'layer norm')", "none of the six answers", "unknown answer"
        ),
        "positive derivatives": Wrong("J = jacobian.clamp(min=0)\n" + LEAK + "return kind_of(J)", "negative derivatives", "sign"),
        "fixed threshold": Wrong(
            "J = jacobian * (jacobian.abs() > 1e-8)\n" + LEAK + "return kind_of(J)", "come in different units", "threshold"
        ),
        "fixed threshold, larger": Wrong(
            "J = jacobian * (jacobian.abs() > 1e-5)\n" + LEAK + "return kind_of(J)", "come in different units", "threshold"
        ),
        "in and out exchanged": Wrong(
            "J = jacobian.permute(2, 3, 0, 1)\n" + LEAK + "return kind_of(J)", "which of the four axes", "transposed"
        ),
        "columns first": Wrong(
            "J = jacobian.permute(1, 0, 3, 2)\n" + LEAK + "return kind_of(J)", "in which order are the pixels", "columns first"
        ),
        **{f"{name} called {instead}": calling(name, instead) for name, instead in HINTS},
        "leaks only": Wrong(
            KIND + "return 'fine' if kind in ('blind spot', 'shift twice') else kind", "may also fail to see", "loss missed"
        ),
        "wrong about some": Wrong(
            KIND + "other = {'fine': 'whole image', 'whole image': 'fine'}\n"
            "return other.get(kind, kind) if J.abs().max() >= 1 else kind",
            "nets of 12",
            "",
        ),
        "a number": Wrong("return (jacobian != 0).sum()", "one of the six texts", "wrong type"),
        "a truth": Wrong("return bool((jacobian != 0).all())", "one of the six texts", "wrong type"),
    },
}

TestExercise = exercise(NAME, QUESTIONS, WRONG)

GOOD = {
    "04.1": {
        "by raster numbers": "at = torch.arange(kernel * kernel).view(kernel, kernel)\n"
        "mid = kernel * kernel // 2\n"
        "i, o = group_in, group_out[:, None]\n"
        "own = (i < o) | ((i == o) & (kind == 'B'))\n"
        "return ((at < mid) | ((at == mid) & own[..., None, None])).int()",
    },
    "04.2": {
        "masks instead of zeros at one side": "m, k = vertical.shape[2:]\nq = horizontal.shape[3]\n"
        "above = pad(vertical, (0, 0, 0, m + 1))\n"
        "left = pad(horizontal, (0, q + 1))\n"
        "return conv2d(x, above, padding=(m, k // 2)) + conv2d(x, left, padding=(0, q))",
        "the image moved first": "m, n, q = vertical.shape[2], vertical.shape[3] // 2, horizontal.shape[3]\n"
        "down, right = pad(x, (0, 0, 1, 0))[:, :, :-1], pad(x, (1, 0))[..., :-1]\n"
        "return conv2d(pad(down, (n, n, m - 1, 0)), vertical) + conv2d(pad(right, (q - 1, 0)), horizontal)",
    },
    "04.3": {
        "difference of exponentials": LOGISTIC
        + "low, high = logsigmoid(a), logsigmoid(b)\n"
        + "mirrored = torch.where(z > 0, logsigmoid(-a), high)\n"
        + "inner = mirrored + torch.log1p(-(torch.where(z > 0, logsigmoid(-b), low) - mirrored).clamp(max=-1e-6).exp())\n"
        + "return torch.where(first | last, outer, inner)",
        "PixelCNN++, with the clamp inside": LOGISTIC
        + "tail = density + torch.tensor(2 * half).log()\n"
        + "inner = torch.where(mass > 1e-5, mass.clamp(min=1e-12).log(), tail)\n"
        + "return torch.where(first | last, outer, inner)",
    },
    "04.4": {
        "pixel by pixel": "H, W = jacobian.shape[:2]\n"
        "last, first = jacobian[-1, -1], jacobian[0, 0]\n"
        "if first[-1, -1] != 0:\n"
        "    return 'whole image'\n"
        "if first[0, 1] != 0:\n"
        "    return 'no shift'\n"
        "if first[0, 0] != 0:\n"
        "    return 'mask B first'\n"
        "if jacobian[1, 0, 0, 0] == 0:\n"
        "    return 'shift twice'\n"
        "return 'fine' if jacobian[1, 0, 0, -1] != 0 else 'blind spot'",
    },
}


@pytest.mark.parametrize(("question", "answer"), [pytest.param(q, a, id=f"{q} {a}") for q in GOOD for a in GOOD[q]])
def test_another_right_answer_passes(question, answer):
    student = run(NAME, QUESTIONS[question][0], GOOD[question][answer])
    for seed in range(4):
        assert not lost(outcomes(question, LocalHandle(student, seed=seed)))


@pytest.mark.parametrize(("question", "module"), [("04.2", shifted_stacks), ("04.3", logistic_bins), ("04.4", leaky_nets)])
def test_every_mistake_that_the_checks_of_a_question_know_is_tried(question, module):
    text = Path(module.__file__).read_text()
    known = set(re.findall(r'Mistake\(\s*"([^"]+)"', text)) - {"not yet"} | {name for name, _ in leaky_nets.CONFUSED.values()}
    known -= {name for name, _ in leaky_nets.CONFUSED.values()} if question != "04.4" else set()
    assert len(known) == {"04.2": 20, "04.3": 23, "04.4": 19}[question]
    assert known <= {case.mistake for case in WRONG[question].values()}


@pytest.mark.parametrize("seed", range(20))
def test_the_nets_show_what_was_built_into_them(seed):
    """Two of each kind; what an entry of the Jacobian is 0 for is the kind alone, not a small number that was rounded away."""
    nets = leaky_nets.nets(seed)
    assert sorted(net.kind for net in nets) == sorted(2 * leaky_nets.KINDS)
    for kind, jacobian in nets:
        height, width = jacobian.shape[:2]
        assert height >= 4 and width >= 4 and jacobian.isfinite().all()
        place = torch.arange(height * width)
        row, column = place // width, place % width
        down, right = row[:, None] - row, column - column[:, None]  # [D, D], how far up and right what is seen lies
        past = place[:, None] > place
        want = {
            "fine": past,
            "mask B first": past | (place[:, None] == place),
            "no shift": past | ((down == 0) & (right <= 9)),
            "shift twice": past & (down != 1),
            "whole image": torch.ones_like(past),
            "blind spot": past & (right <= down),
        }[kind]
        sees = (jacobian != 0).reshape(height * width, height * width)
        assert torch.equal(sees, want), kind


def test_ten_right_nets_are_not_enough_and_each_is_asked_about_once():
    solution = namespace(NAME, solved=True)["find_leak"]
    for wrong, points in {0: 3, 1: 3, 2: 0}.items():
        asked = []

        def student(jacobian, wrong=wrong, asked=asked):
            asked.append(jacobian)
            kind = solution(jacobian)
            return kind if len(asked) > wrong else leaky_nets.KINDS[leaky_nets.KINDS.index(kind) - 1]

        found = outcomes("04.4", LocalHandle(student, seed=3))
        assert sum(o.points for o in found if o.holds) == points
        assert len(asked) == 12 or not points  # a wrong one is asked again about changed numbers, for the sake of its hint


def test_the_bin_agrees_with_double_precision_and_its_slopes_with_differences():
    for lower, upper in ((-0.1, 0.2), (None, -0.9), (0.9, None)):
        for mu, log_s in ((0.3, -1.0), (-1.5, 0.4), (2.0, -0.7)):
            got, step, s = logistic_bins.exact(lower, upper, mu, log_s), 1e-5, math.exp(log_s)
            low, high = (0.0 if lower is None else lower - mu), (0.0 if upper is None else upper - mu)
            above = 1.0 if upper is None else 1 / (1 + math.exp(-high / s))
            mass = above - (0.0 if lower is None else 1 / (1 + math.exp(-low / s)))
            assert got.log_mass == pytest.approx(math.log(mass), rel=1e-9)
            for name, d_mu, d_log_s in (("by_mu", step, 0.0), ("by_log_s", 0.0, step)):
                up, down = (logistic_bins.exact(lower, upper, mu + k * d_mu, log_s + k * d_log_s).log_mass for k in (1, -1))
                assert getattr(got, name) == pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-8)


def test_the_bins_of_all_levels_add_up_to_one_and_stay_exact_far_out():
    ends = [None, *[-1 + (2 * k + 1) / 16 for k in range(16)], None]
    for mu, log_s in ((0.2, -2.0), (5.0, 0.3)):
        bins = [logistic_bins.exact(a, b, mu, log_s).log_mass for a, b in pairwise(ends)]
        assert sum(map(math.exp, bins)) == pytest.approx(1, abs=1e-12)
    far = logistic_bins.exact(0.0, 0.125, 1000.0, -3.0)
    s = math.exp(-3.0)
    assert far.log_mass == pytest.approx((0.125 - 1000) / s + math.log1p(-math.exp(-0.125 / s)), rel=1e-12)
    assert far.by_mu == pytest.approx(-1 / s, rel=1e-12)
