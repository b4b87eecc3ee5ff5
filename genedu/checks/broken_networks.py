"""Exercise 11.3: pairs of convolutional networks for a GAN, each of which breaks three of nine rules.

The networks of a pair differ from those of the next in sides, channels, depth and the layers at both ends. In a plain pair a
rule is broken wherever it can be; in a hidden pair in one place only, and the layers stand in blocks.
"""

from functools import lru_cache
from typing import NamedTuple

import torch

from genedu.checks import Mistake, Outcome, judge
from genedu.core import seeded
from genedu.handle import CallFailed, Fixture, Handle, Value

RULES = range(1, 10)
OVERLOOKED = {
    1: Mistake("resizing overlooked", "a network halves or doubles the side without a stride, and you do not say so"),
    2: Mistake("dense layer overlooked", "a dense layer between the others is not seen: look in both networks"),
    3: Mistake("missing norm overlooked", "a hidden layer has no batch norm: does your search look behind each one?"),
    4: Mistake("norm at the ends overlooked", "batch norm at an image is not seen: where does G give it, where does D take it?"),
    5: Mistake(
        "G's bend overlooked", "in G a hidden layer is followed by something else than rule 5 says: is each of them looked at?"
    ),
    6: Mistake(
        "D's bend overlooked",
        "in D a hidden layer is followed by something else than rule 6 says: is a slope of 0.01 one of 0.2?",
    ),
    7: Mistake("range overlooked", "a generator gives numbers outside of 0 to 1, and you do not say so"),
    8: Mistake("probability overlooked", "a discriminator gives a probability, where the loss expects a logit"),
    9: Mistake("scale overlooked", "a network starts from weights of another size than rule 9 says, too large or too small"),
}
IMAGINED = {
    1: Mistake("resizing imagined", "rule 1 holds where you deny it: every side changes by a stride, but for G's start, D's end"),
    2: Mistake("dense layer imagined", "rule 2 holds where you deny it: the first layer of G and the last of D may be dense"),
    3: Mistake("missing norm imagined", "rule 3 holds where you deny it: which three layers have no batch norm by right?"),
    4: Mistake("norm at the ends imagined", "rule 4 holds where you deny it: it is about two layers only"),
    5: Mistake("G's bend imagined", "rule 5 holds where you deny it: G's last layer is not a hidden one"),
    6: Mistake("D's bend imagined", "rule 6 holds where you deny it: D's last layer is not a hidden one"),
    7: Mistake("range imagined", "rule 7 holds where you deny it: what comes out of G is what counts"),
    8: Mistake("probability imagined", "rule 8 holds where you deny it: what comes out of D is what counts"),
    9: Mistake("scale imagined", "rule 9 holds where you deny it: it is about weights, not biases, and few draws vary"),
}


Layer = tuple[Value, ...]  # its name in torch.nn and its arguments


class Pair(NamedTuple):
    """A generator and a discriminator, and the three rules that they break."""

    generator: Fixture
    discriminator: Fixture
    broken: tuple[int, ...]


def one_of(*options):
    """One of the options, by torch's chance."""
    return options[int(torch.randint(len(options), ()))]


class Places:
    """Asked about one place after the other: is the rule broken here? Everywhere, at place `only`, or nowhere."""

    def __init__(self, broken: bool, only: int | None = None) -> None:
        self.asked, self.broken, self.only = -1, broken, only

    def __call__(self) -> bool:
        self.asked += 1
        return self.broken and self.only in (None, self.asked)


def pair(broken: tuple[int, ...], turn: int, *, hidden: bool) -> Pair:
    """Two networks that break just these rules, for images of side 16 or 32 and noise of 6 to 12 numbers.

    `turn`, 0 or 1, decides in which way, so that each way comes.
    """
    latent, colours, width, stages = one_of(6, 8, 12), one_of(1, 3), one_of(6, 8), one_of(2, 3)
    channels = [width * 2**i for i in range(stages)]  # from the image on: the last one is at side 4
    widest = channels[-1]

    def places(rule: int, in_g: int, in_d: int) -> Places:
        """G's places come first; hidden ones are in G and D by turns."""
        if not hidden:
            return Places(rule in broken)
        g = in_d == 0 or (in_g > 0 and turn == 0)
        return Places(rule in broken, int(torch.randint(in_g, ())) if g else in_g + int(torch.randint(in_d, ())))

    resize, dense, bare = places(1, stages, stages), places(2, 1, 1), places(3, stages, stages - 1)
    ends, scale = places(4, 1, 1), places(9, 1, 1)
    odd_g, odd_d = places(5, stages, 0), places(6, 0, stages)
    other: Layer = (("LeakyReLU", 0.2), one_of(("Tanh",), ("ELU",)))[turn]  # what is no ReLU
    steep: Layer = (one_of(("ReLU",), ("ELU",)), ("LeakyReLU", 0.01))[turn]
    relu: Layer = ("ReLU",)
    leaky: Layer = ("LeakyReLU", 0.2)

    generator: list[list[Layer]] = []
    if extra := dense():
        generator.append([("Linear", latent, 20), ("BatchNorm1d", 20), relu])
    start: list[Layer] = [("Unflatten", 1, (latent, 1, 1)), ("ConvTranspose2d", latent, widest, 4, 1, 0)]
    if extra or one_of(True, False):
        start = [("Linear", 20 if extra else latent, 16 * widest), ("Unflatten", 1, (widest, 4, 4))]
    generator.append([*start, *[("BatchNorm2d", widest)] * (not bare()), other if odd_g() else relu])
    for before, now in zip(channels[::-1], [*channels[-2::-1], colours], strict=True):
        last = len(generator) == stages + extra
        up: list[Layer] = [("ConvTranspose2d", before, now, 4, 2, 1)]
        if resize():
            up = [("Upsample",), ("Conv2d", before, now, 3, 1, 1)]
        norm: list[Layer] = [("BatchNorm2d", now)] * (ends() if last else not bare())
        if last:
            end: list[Layer] = [("Sigmoid",)]
            if 7 in broken:
                end = [("Tanh",)] * (turn == 0)
            generator.append(up + norm + end)
        else:
            generator.append([*up, *norm, other if odd_g() else relu])

    discriminator: list[list[Layer]] = []
    for before, now in zip([colours, *channels[:-1]], channels, strict=True):
        first, pool = not discriminator, resize()
        conv: Layer = ("Conv2d", before, now, 3, 1, 1) if pool else ("Conv2d", before, now, 4, 2, 1)
        down: list[Layer] = [conv, *[("BatchNorm2d", now)] * (ends() if first else not bare())]
        if first and len(down) == 2 and turn == 1:
            down = [("BatchNorm2d", colours), conv]
        kind = one_of("MaxPool2d", "AvgPool2d")
        shrink: list[Layer] = [("AvgPool2d" if hidden else kind, 2)] * pool  # the one that is more easily forgotten
        discriminator.append([*down, steep if odd_d() else leaky, *shrink])
    score: list[Layer] = [("Flatten",), ("Linear", 16 * widest, 1)]
    if dense():
        discriminator.append([("Flatten",), ("Linear", 16 * widest, 20), ("BatchNorm1d", 20), leaky])
        score = [("Linear", 20, 1)]
    elif one_of(True, False):
        score = [("Conv2d", widest, 1, 4, 1, 0), ("Flatten",)]
    discriminator.append(score + [("Sigmoid",)] * (8 in broken))

    def built(net: list[list[Layer]]) -> Fixture:
        layers: Layer = tuple(layer for stage in net for layer in stage)
        if hidden:
            layers = tuple(("Sequential", *stage) for stage in net)
        deviation = (one_of(0.1, 0.2), 0.004)[turn] if scale() else 0.02
        return Fixture("stack", {"layers": layers, "deviation": deviation, "seed": int(torch.randint(10**6, ()))})

    return Pair(built(generator), built(discriminator), broken)


@lru_cache(maxsize=8)  # a class has hundreds of seeds
def pairs(seed: int, *, hidden: bool) -> list[Pair]:
    """Six pairs; each rule is broken in two of them."""
    found = []
    with seeded(2 * seed + hidden):
        for turn in range(2):
            for three in (torch.randperm(9) + 1).view(3, 3).tolist():
                found.append(pair(tuple(sorted(three)), turn, hidden=hidden))
    return found


def numbers(value: Value) -> tuple[int, ...]:
    """The rules that came back, in order.

    Raises:
        CallFailed: it is no tuple of whole numbers.
    """
    if not isinstance(value, tuple) or not all(type(v) is int for v in value):
        raise CallFailed("it must return numbers of rules, each a whole number, as in (2, 5, 9)", "wrong type")
    return tuple(sorted(v for v in value if isinstance(v, int)))


def broken_rules(handle: Handle) -> list[Outcome]:
    """11.3: (generator, discriminator) -> the numbers of the three rules that are broken."""

    def ask(*, hidden: bool) -> Mistake | None:
        cases = pairs(handle.seed, hidden=hidden)
        said = [
            numbers(handle.call({"generator": c.generator, "discriminator": c.discriminator}, seed=i))
            for i, c in enumerate(cases)
        ]
        right = [c.broken for c in cases]
        if said == right:
            return None
        if len(set(said)) == 1:
            return Mistake("constant answer", "the answer is the same for all pairs: look into the networks")
        if said == [tuple(r - 1 for r in rules) for rules in right]:
            return Mistake("counted from zero", "the rules are numbered from 1")
        if said == [tuple(r for r in RULES if r not in rules) for rules in right]:
            return Mistake("rules that hold", "these are the rules that hold: name the others")
        wrong: dict[Mistake, int] = {}
        for table, one, other in ((OVERLOOKED, right, said), (IMAGINED, said, right)):
            for rule in RULES:
                wrong[table[rule]] = sum(rule in a and rule not in b for a, b in zip(one, other, strict=True))
        worst = max(wrong, key=lambda mistake: wrong[mistake])  # the first of the most frequent ones
        return worst if wrong[worst] else Mistake("", "name each broken rule once, by its number from 1 to 9")

    return [
        judge(
            "it names the three broken rules of 6 unseen pairs, where they are broken throughout", 2, lambda: ask(hidden=False)
        ),
        judge("and of 6 pairs made of blocks, where each is broken in one place", 2, lambda: ask(hidden=True)),
    ]
