"""Exercise 09.3: posteriors of ladder VAEs of which most have dead units, in one of four ways.

No net is trained. A unit of prior N(m, s²) that hears of its image with strength a has the exact posterior of z ~ N(m, s²) given
z + (s / a) noise, so that its mean KL is log(1 + a²) / 2. Below the top, m and s move from image to image with the draw
of the layer above, as they do in a ladder: a dead unit's mean moves with them. Some units tell of a few images only.
"""

from collections import Counter
from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import torch
from torch import Tensor

from genedu.checks import Mistake, Outcome, judge
from genedu.core import seeded
from genedu.handle import CallFailed, Handle

KINDS = ("sound", "collapsed", "top collapsed", "half collapsed", "paid for nothing")
IMAGES = 200


class Posterior(NamedTuple):
    """Mean and standard deviation of q and of the prior, [B, Z] each."""

    mu: Tensor
    sigma: Tensor
    prior_mu: Tensor
    prior_sigma: Tensor


class Run(NamedTuple):
    """What is the matter with a run, its units, the same without rare and odd images, and the layer of each unit, [Z]."""

    kind: str
    units: Posterior
    even: Posterior
    layer: Tensor


def unit(state: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(mu - m) / s and sigma / s for each image, [B] each, and the same without rare and odd images."""
    noise, hit = torch.randn(IMAGES), torch.randperm(IMAGES)
    strength = 0.02 * torch.rand(()) if state == "dead" else 0.8 + 2.5 * torch.rand(())
    mean, width = strength / (1 + strength**2).sqrt() * noise, torch.full((IMAGES,), float((1 + strength**2) ** -0.5))
    if state == "constant":  # not the prior, and yet the same for all images
        mean = (0.9 + 0.5 * torch.rand(())).expand(IMAGES) + 1e-3 * noise
        width = (0.5 + 0.2 * torch.rand(())).expand(IMAGES) + 1e-3 * noise
    rare_mean, rare_width = mean.clone(), width.clone()
    if state == "dead":  # one odd image, whose KL is about 0.3
        rare_mean[hit[0]] = 0.8
    if state == "rare":
        rare_mean, rare_width = 0.01 * noise, torch.ones(IMAGES)
        few = hit[: int(torch.randint(IMAGES // 30, IMAGES // 12, ()))]
        rare_mean[few], rare_width[few] = 4 + 0.1 * noise[few], 0.3
    return rare_mean, rare_width, mean, width


def states(kind: str, sizes: list[int]) -> list[list[str]]:
    """What each unit of each layer does, from layer 1, next to the image, to the top."""
    found = [["rare" if i == 1 else "alive" for i in range(n)] for n in sizes]
    for layer, n in enumerate(sizes):
        if kind == "collapsed" or (kind == "top collapsed" and layer == len(sizes) - 1):
            found[layer] = ["dead"] * n
        if kind == "half collapsed":
            found[layer][-(n // 2) :] = ["dead"] * (n // 2)
    if kind == "paid for nothing":
        found[-1][-1] = "constant"
    return found


def run(kind: str) -> Run:
    """A ladder of two or three layers, its units in a random order."""
    sizes = torch.randint(3, 6, (int(torch.randint(2, 4, ())),)).tolist()
    columns: list[list[Tensor]] = [[], [], [], [], [], []]
    layer = []
    for depth, doing in enumerate(states(kind, sizes)):
        for state in doing:
            m, s = torch.zeros(IMAGES), torch.ones(IMAGES)
            if depth < len(sizes) - 1:
                size = 10 ** (3 * torch.rand(()) - 2)  # some units live on a small scale, some on a large one
                m, s = size * 2 * torch.randn(IMAGES), size * (0.5 + 0.5 * torch.rand(IMAGES))
            mean, width, even_mean, even_width = unit(state)
            for column, value in zip(columns, (m + s * mean, s * width, m, s, m + s * even_mean, s * even_width), strict=True):
                column.append(value.double())
            layer.append(depth + 1)
    order = torch.randperm(len(layer))
    mu, sigma, m, s, even_mu, even_sigma = (torch.stack(c, 1)[:, order] for c in columns)  # [B, Z] each
    return Run(kind, Posterior(mu, sigma, m, s), Posterior(even_mu, even_sigma, m, s), torch.tensor(layer)[order])


@lru_cache(maxsize=4)  # a class has hundreds of seeds
def runs(seed: int) -> list[Run]:
    """Fifteen runs: three of each kind."""
    with seeded(seed):
        found = [run(kind) for kind in KINDS for _ in range(3)]
        return [found[i] for i in torch.randperm(len(found))]


def standardised(run: Run) -> Run:
    """The same run in units of each prior, so that all priors are standard normal: no KL changes."""
    q = run.units
    zeros, ones = torch.zeros_like(q.mu), torch.ones_like(q.mu)
    return run._replace(units=Posterior((q.mu - q.prior_mu) / q.prior_sigma, q.sigma / q.prior_sigma, zeros, ones))


def in_order(run: Run, *, top_first: bool) -> Run:
    """The same run with its units in the order of their layers."""
    order = run.layer.argsort(descending=top_first)
    return run._replace(units=Posterior(*(t[:, order] for t in run.units)), layer=run.layer[order])


CONFUSED = {  # (what it is, what was said): a hint for the one that came most often
    ("half collapsed", "sound"): ("dead units missed", "you let a run pass in which some units tell nothing"),
    ("top collapsed", "sound"): ("dead layer missed", "you let a run pass in which a whole layer tells nothing"),
    ("collapsed", "sound"): ("dead run missed", "you let a run pass of which nothing is left: from what must q differ to tell?"),
    ("paid for nothing", "sound"): ("payment taken for news", "a KL that is paid need not tell anything: does q know the image?"),
    ("sound", "paid for nothing"): ("moving prior taken for news", "you blame a sound run for a unit that tells something"),
    ("sound", "half collapsed"): ("live unit buried", "you take for dead what tells something: in which units is it measured?"),
    ("collapsed", "top collapsed"): ("only the top", "you look at the top layer alone: what of those below?"),
    ("top collapsed", "collapsed"): ("live layers buried", "you bury a run whose lower layers tell something"),
    ("top collapsed", "half collapsed"): ("layers not looked at", "dead units may be a whole layer: where do they stand?"),
    ("half collapsed", "top collapsed"): ("some for all", "you call a layer dead in which some units live"),
    ("half collapsed", "collapsed"): ("some for all the run", "you call a run dead in which some units live"),
    ("paid for nothing", "half collapsed"): (
        "silent taken for dead",
        "what tells nothing and yet costs is not dead: the table says so",
    ),
    ("half collapsed", "paid for nothing"): ("dead taken for silent", "a dead unit tells nothing either, but it costs nothing"),
}


def which_collapse(handle: Handle) -> list[Outcome]:
    """09.3: (mu, sigma, prior_mu, prior_sigma, each [B, Z], layer [Z]) -> one of KINDS."""
    cases = runs(handle.seed)

    def ask(change: Callable[[Run], Run] = lambda run: run) -> list[str]:
        said = []
        for i, case in enumerate(cases):
            changed = change(case)
            got = handle.call({**changed.units._asdict(), "layer": changed.layer}, seed=i)
            if not isinstance(got, str):
                raise CallFailed(f"it must return one of the five texts, it returns a {type(got).__name__}", "wrong type")
            said.append(got)
        return said

    def right(said: list[str]) -> int:
        return sum(s == case.kind for s, case in zip(said, cases, strict=True))

    def found() -> Mistake | None:
        said, enough = ask(), len(cases) - 1
        if right(said) >= enough:
            return None
        if unknown := sorted(set(said) - set(KINDS)):
            return Mistake("unknown answer", f"it returns {unknown[0][:40]!r}, which is none of the five answers")
        if len(set(said)) == 1:
            return Mistake("constant answer", "the answer is the same for all runs: look at the numbers")
        told = [k for k, case in enumerate(cases) if case.kind != "paid for nothing"]
        alike = ask(standardised)
        if right(alike) >= enough:
            return Mistake(
                "standard normal", "it would be right if every prior were the same: what is the prior of a lower layer?"
            )
        if all(alike[k] == cases[k].kind for k in told) and not all(said[k] == cases[k].kind for k in told):
            return Mistake(
                "spread of mu", "you seem to measure how far mu moves: in which units, and does mu move in a dead unit?"
            )
        if right(ask(lambda case: case._replace(units=case.even))) >= enough:
            return Mistake(
                "rare images", "it would be right if all images were alike: what do you make of many small and few large ones?"
            )
        if any(right(ask(partial(in_order, top_first=first))) >= enough for first in (False, True)):
            return Mistake(
                "order assumed", "it would be right if units stood in the order of their layers: which says where one is?"
            )
        if right(ask(lambda case: case._replace(layer=case.layer.max() + 1 - case.layer))) >= enough:
            return Mistake("upside down", "you take the layer next to the image for the top")
        wrong = Counter((case.kind, s) for case, s in zip(cases, said, strict=True) if s != case.kind)
        for pair in sorted(CONFUSED, key=lambda pair: -wrong[pair]):
            if wrong[pair]:
                return Mistake(*CONFUSED[pair])
        return Mistake("", f"right about {right(said)} runs of {len(cases)}: print the KL of each unit, layer by layer")

    return [judge("it says what is the matter with at least 14 of 15 unseen runs", 3, found)]
