"""Exercise 11: the questions and the wrong answers that their checks must reject, each with a hint of its own."""

import math
import textwrap

import pytest
import torch
from torch import nn

from genedu.checks.broken_networks import pairs
from genedu.handle import Fixture, LocalHandle, own
from tests.exercises.common import MARKED, Wrong, cell, exercise, lost, outcomes, run

NAME = "11_convolutional_gans"
QUESTIONS = {"11.1": ("output_side", 3), "11.2": ("fade_in", 3), "11.3": ("broken_rules", 4)}
RULES = textwrap.dedent(MARKED.search(cell(NAME, "broken_rules"))[0].split("\n", 1)[1].rsplit("\n", 1)[0])
SIX = "n, k, s, p, o, d = side, kernel, stride, padding, output_padding, dilation\n"
TWO = """
up, a = torch.nn.functional.interpolate, alpha
colours = lambda w, f: (f.movedim(1, -1) @ w.T).movedim(-1, 1)
copy = lambda f: up(f, scale_factor=2, mode="nearest")
small, new = colours(rgb_old, h), colours(rgb_new, g)
old = copy(small)
"""


def but(before: str, after: str) -> str:
    """The solution of 11.3 with one thing changed."""
    assert RULES.count(before) == 1, before
    return RULES.replace(before, after)


def last(line: str) -> str:
    """The solution of 11.3 that ends in another way."""
    return but("return [rule for rule, yes in broken.items() if yes]", line)


WRONG = {
    "11.1": {
        "convolution": Wrong(
            SIX + "return (n + 2 * p - d * (k - 1) - 1) // s + 1", "here the image grows", "ordinary convolution"
        ),
        "times stride": Wrong(SIX + "return n * s", "lays down a whole kernel", "stride alone"),
        "n steps": Wrong(SIX + "return n * s + d * (k - 1) + 1 - 2 * p + o", "the last one further", "one step too many"),
        "one less": Wrong(SIX + "return (n - 1) * s + d * (k - 1) - 2 * p + o", "one place too few", "last weight lost"),
        "no kernel": Wrong(SIX + "return (n - 1) * s + 1 - 2 * p + o", "more than one weight", "kernel of one"),
        "side by side": Wrong(SIX + "return n * (d * (k - 1) + 1) - 2 * p + o", "copies overlap", "copies side by side"),
        "stride 1": Wrong(SIX + "return n + d * (k - 1) - 2 * p + o", "places apart, not one", "stride ignored"),
        "padding added": Wrong(SIX + "return (n - 1) * s + d * (k - 1) + 1 + 2 * p + o", "takes places away", "padding added"),
        "padding once": Wrong(SIX + "return (n - 1) * s + d * (k - 1) + 1 - p + o", "at both ends", "padding once"),
        "no padding": Wrong(SIX + "return (n - 1) * s + d * (k - 1) + 1 + o", "nothing is cut off", "padding ignored"),
        "no output padding": Wrong(
            SIX + "return (n - 1) * s + d * (k - 1) + 1 - 2 * p", "nothing is added", "output padding ignored"
        ),
        "output padding twice": Wrong(
            SIX + "return (n - 1) * s + d * (k - 1) + 1 - 2 * p + 2 * o", "at one end only", "output padding twice"
        ),
        "no dilation": Wrong(SIX + "return (n - 1) * s + k - 2 * p + o", "than it has weights", "dilation ignored"),
        "d k": Wrong(SIX + "return (n - 1) * s + d * k - 2 * p + o", "there are k - 1 gaps", "dilation times kernel"),
        "two sides": Wrong("return torch.tensor([side, side])", "must be one number", "wrong shape"),
        "kernel 4, padding 1": Wrong("return 2 * side + kernel - 4", "on paper", ""),
        "infinite": Wrong(SIX + "return (n * s + k) / 0.0", "raises ZeroDivisionError", "raises"),
        "nan": Wrong("return float('nan')", "nan or infinite", "not finite"),
    },
    "11.2": {
        "turned": Wrong(TWO + "return a * old + (1 - a) * new", "nothing new may be seen", "alpha turned round"),
        "tiled": Wrong(TWO + "return (1 - a) * small.repeat(1, 1, 2, 2) + a * new", "copy pixels, not the image", "tiled"),
        "bilinear": Wrong(
            TWO + "return (1 - a) * up(small, scale_factor=2, mode='bilinear') + a * new", "soft edges: each", "smoothed"
        ),
        "corners": Wrong(
            TWO + "return (1 - a) * up(small, scale_factor=2, mode='bilinear', align_corners=True) + a * new",
            "from corner to corner",
            "smoothed to the corners",
        ),
        "bicubic": Wrong(
            TWO + "return (1 - a) * up(small, scale_factor=2, mode='bicubic') + a * new", "overshoot", "smoothed by cubes"
        ),
        "holes": Wrong(
            TWO + "far = torch.zeros_like(new)\nfar[..., ::2, ::2] = small\nreturn (1 - a) * far + a * new",
            "three of four pixels",
            "holes",
        ),
        "mirrored": Wrong(TWO + "return (1 - a) * old.mT + a * new", "mirrored", "rows and columns changed"),
        "edge": Wrong(
            TWO + "n = h.shape[-1]\nfar = torch.nn.functional.pad(small, [n // 2, (n + 1) // 2] * 2)\n"
            "return (1 - a) * far + a * new",
            "gets an edge",
            "padded",
        ),
        "old stays": Wrong(TWO + "return old + a * new", "does not fade", "old part at full strength"),
        "new at once": Wrong(TWO + "return (1 - a) * old + new", "there from the start", "new part at full strength"),
        "sum": Wrong(TWO + "return old + new", "both images are there", "sum"),
        "halves": Wrong(TWO + "return (old + new) / 2", "one half, whatever alpha", "half and half"),
        "switch": Wrong(TWO + "return new if a > 0.5 else old", "jumps", "switch"),
        "old only": Wrong(TWO + "return old", "the new features play no part", "old only"),
        "new only": Wrong(TWO + "return new", "the old features play no part", "new only"),
        "roots": Wrong(TWO + "return (1 - a) ** 0.5 * old + a**0.5 * new", "do not add up to 1", "roots"),
        "clamped": Wrong(TWO + "return ((1 - a) * old + a * new).clamp(0, 1)", "are cut off", "clamped"),
        "sigmoid": Wrong(TWO + "return ((1 - a) * old + a * new).sigmoid()", "is bent", "sigmoid"),
        "features": Wrong(
            TWO + "return colours(rgb_new, (1 - a) * copy(h) + a * g)", "mix images, not features", "features mixed"
        ),
        "new weights": Wrong(
            TWO + "return (1 - a) * copy(colours(rgb_new, h)) + a * new", "mix images, not features", "features mixed"
        ),
        "old weights": Wrong(TWO + "return (1 - a) * old + a * colours(rgb_old, g)", "weights of their own", "old weights twice"),
        "exchanged": Wrong(
            TWO + "return (1 - a) * copy(colours(rgb_new, h)) + a * colours(rgb_old, g)",
            "which weights belong",
            "weights exchanged",
        ),
        "not doubled": Wrong(TWO + "return small", "must be a tensor of shape", "wrong shape"),
        "squares": Wrong(TWO + "return (1 - a**2) * old + a**2 * new", "its four new ones", ""),
        "both axes wrong": Wrong(TWO + "return old + new @ rgb_old", "raises RuntimeError", "raises"),
    },
    "11.3": {
        "pools of D": Wrong(
            but("(nn.MaxPool2d, nn.AvgPool2d, nn.Upsample)", "nn.Upsample"), "without a stride", "resizing overlooked"
        ),
        "average pools not looked for": Wrong(
            but("nn.AvgPool2d, nn.Upsample", "nn.Upsample"), "without a stride", "resizing overlooked"
        ),
        "dense in D only": Wrong(but("g[1:] + d[:-1]", "d[:-1]"), "dense layer between", "dense layer overlooked"),
        "norm in G only": Wrong(but("g[:-1] + d[1:-1])", "g[:-1])"), "look behind each one", "missing norm overlooked"),
        "G's end only": Wrong(
            but("has(g[-1], norms) or has(d[0], norms)", "has(g[-1], norms)"),
            "not seen: where does G give",
            "norm at the ends overlooked",
        ),
        "one ReLU is enough": Wrong(but("5: not all(", "5: not any("), "something else than rule 5 says", "G's bend overlooked"),
        "any slope": Wrong(but(" and m.negative_slope == 0.2", ""), "a slope of 0.01", "D's bend overlooked"),
        "tanh will do": Wrong(
            but("not has(g[-1], nn.Sigmoid)", "not has(g[-1], bends)"), "outside of 0 to 1", "range overlooked"
        ),
        "D's end not seen": Wrong(but("has(d[-1], nn.Sigmoid)", "False"), "gives a probability", "probability overlooked"),
        "too large only": Wrong(but("0.01 < spread < 0.04", "spread < 0.04"), "too large or too small", "scale overlooked"),
        "every stride of 1": Wrong(
            but("nn.Upsample)),", "nn.Upsample)) or any(getattr(m, 'stride', 2) == (1, 1) for m in everything),"),
            "rule 1 holds where",
            "resizing imagined",
        ),
        "any dense layer": Wrong(but("g[1:] + d[:-1]", "g + d"), "rule 2 holds where", "dense layer imagined"),
        "norm at D's first": Wrong(but("d[1:-1]", "d[:-1]"), "rule 3 holds where", "missing norm imagined"),
        "any norm": Wrong(
            but("has(g[-1], norms) or has(d[0], norms)", "has(everything, norms)"),
            "rule 4 holds where",
            "norm at the ends imagined",
        ),
        "G's last too": Wrong(
            but("for stage in g[:-1] for m in stage", "for stage in g for m in stage"), "rule 5 holds where", "G's bend imagined"
        ),
        "D's last too": Wrong(
            but("for stage in d[:-1] for m in stage", "for stage in d for m in stage"), "rule 6 holds where", "D's bend imagined"
        ),
        "tanh wanted": Wrong(
            but("not has(g[-1], nn.Sigmoid)", "not has(g[-1], nn.Tanh)"), "rule 7 holds where", "range imagined"
        ),
        "sigmoid wanted": Wrong(but("8: has(", "8: not has("), "rule 8 holds where", "probability imagined"),
        "all parameters": Wrong(
            but(
                "[m.weight.std().item() for m in everything if isinstance(m, weighted)]",
                "[w.std().item() for m in everything for w in m.parameters() if w.numel() > 1]",
            ),
            "rule 9 holds where",
            "scale imagined",
        ),
        "a guess": Wrong("return 1, 2, 3", "the same for all pairs", "constant answer"),
        "nothing": Wrong("return ()", "the same for all pairs", "constant answer"),
        "from zero": Wrong(
            last("return [rule - 1 for rule, yes in broken.items() if yes]"), "numbered from 1", "counted from zero"
        ),
        "good ones": Wrong(
            last("return [rule for rule, yes in broken.items() if not yes]"), "name the others", "rules that hold"
        ),
        "twice": Wrong(last("return [rule for rule, yes in broken.items() if yes] * 2"), "once, by its number", ""),
        "as words": Wrong(last("return ['norm', 'bend', 'scale']"), "each a whole number", "wrong type"),
        "as truths": Wrong(last("return [yes for yes in broken.values()]"), "each a whole number", "wrong type"),
        "as a set": Wrong(last("return {rule for rule, yes in broken.items() if yes}"), "it returns set", "wrong type"),
        "no blocks": Wrong(
            but("[m for m in net.modules() if not [*m.children()]]", "list(net.children())"), "raises IndexError", "raises"
        ),
    },
}
TestExercise = exercise(NAME, QUESTIONS, WRONG)


@pytest.mark.parametrize("hidden", [False, True])
def test_the_pairs_run_and_each_rule_is_broken_twice(hidden):
    """Noise goes in, one number an image comes out; what is broken never keeps a network from running."""
    for seed in range(5):
        found = pairs(seed, hidden=hidden)
        assert sorted(rule for pair in found for rule in pair.broken) == [rule for rule in range(1, 10) for _ in range(2)]
        for pair in found:
            generator, discriminator = own(pair.generator), own(pair.discriminator)
            first = next(m for m in generator.modules() if isinstance(m, nn.Linear | nn.ConvTranspose2d))
            noise = torch.randn(3, first.in_features if isinstance(first, nn.Linear) else first.in_channels)
            images = generator(noise)
            assert images.shape[1] in (1, 3) and images.shape[2] == images.shape[3] in (16, 32)
            assert discriminator(images).shape == (3, 1)


def test_blocks_have_two_levels_and_plain_pairs_one():
    for hidden in (False, True):
        nets = [own(net) for pair in pairs(0, hidden=hidden) for net in pair[:2]]
        assert all(any(isinstance(m, nn.Sequential) for m in net) == hidden for net in nets)


def test_a_stack_is_what_its_layers_say():
    layers = (("Sequential", ("Conv2d", 3, 40, 4, 2, 1), ("LeakyReLU", 0.3)), ("Upsample",), ("Unflatten", 1, (40, 1)))
    net, again, other = (own(Fixture("stack", {"layers": layers, "deviation": 0.5, "seed": s})) for s in (1, 1, 2))
    conv, bend = net[0]
    assert conv.stride == (2, 2) and conv.padding == (1, 1) and bend.negative_slope == 0.3
    assert net(torch.randn(2, 3, 8, 8)).shape == (2, 40, 1, 8, 8)
    assert conv.weight.std().item() == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(2 * conv.weight.numel()))
    assert not conv.bias.any()
    assert torch.equal(conv.weight, again[0][0].weight) and not torch.equal(conv.weight, other[0][0].weight)


def test_building_a_pair_leaves_the_students_chance_alone():
    before = torch.get_rng_state()
    own(pairs(0, hidden=True)[0].generator)
    assert torch.equal(torch.get_rng_state(), before)


def test_who_is_right_about_plain_pairs_only_gets_half():
    """A search that stops at the top level sees nothing in blocks."""
    code = but("[m for m in net.modules() if not [*m.children()]]", "list(net.children())")
    found = outcomes("11.3", LocalHandle(run(NAME, "broken_rules", code)))
    assert [o.holds for o in found] == [True, False] and lost(found)[0].points == 2
