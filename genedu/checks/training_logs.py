"""Exercise 10.4: logs of adversarial trainings that went well, that the discriminator won, or whose generator collapsed.

No net is trained: a log is drawn from a law that has what real logs of chapter 10 show. Logits of data and of samples
have a course and noise; D is their sigmoid, and the spread of the samples is a share of the data's.

    sound:      D may be sure for the first rounds, up to 60 % of them; then D(data), D(samples) come near 1/2 and the spread near
                that of the data; sometimes late
    wins:       D becomes sure for good, soon or in the middle of the run, and the samples stay as they are then: as spread as the
                data, or all alike
    collapse:   the samples draw together, from the start or late, and hop about, so that D is now sure, now not; it may be
                sure in the very last rounds

Data come in units from a hundredth to a hundred. Simple rules fail on some of them: the last round, the mean over all rounds, a
fixed spread, the spread alone, D alone.
"""

import math
from collections import Counter
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from genedu.checks import Mistake, Outcome, judge
from genedu.core import seeded
from genedu.handle import Argument, CallFailed, Handle

KINDS = ("sound", "discriminator wins", "collapse")
PLANS = (  # four logs of each kind
    *(("sound", how) for how in ("plain", "late", "late", "plain")),
    *(("discriminator wins", how) for how in ("spread", "alike", "late", "late, alike")),
    *(("collapse", how) for how in ("early", "late", "early, sure at the end", "late, sure at the end")),
)


class Log(NamedTuple):
    """Means over minibatches after each round, [T] each, and the spread of the data; kind and how, for the judge alone."""

    d_real: Tensor
    d_fake: Tensor
    spread: Tensor
    data_spread: float
    kind: str
    how: str


def ramp(u: Tensor, at: Tensor | float, width: float = 0.05) -> Tensor:
    """From 0 to 1 around `at`: [T] -> [T]."""
    return ((u - at) / width).sigmoid()


def draw(kind: str, how: str, data_spread: float) -> Log:
    """One log of 80 to 200 rounds."""
    u = torch.linspace(0, 1, int(torch.randint(80, 200, ())), dtype=torch.float64)  # [T]
    noise, r = torch.randn(3, len(u), dtype=torch.float64), torch.rand(6).double()
    if kind == "sound":
        turn = 0.55 + 0.05 * r[0] if how == "late" else 0.1 * r[0]
        sure, gap = 1 - ramp(u, turn, 0.02), 0.15 + 0.35 * r[1]
        real, fake = gap + (4.5 + r[2]) * sure, -gap - (4.5 + r[2]) * sure
        share = 0.1 + (0.8 + 0.15 * r[3]) * ramp(u, turn, 0.03)
    elif kind == "discriminator wins":
        sure = ramp(u, 0.58 + 0.04 * r[0] if "late" in how else 0.05 + 0.25 * r[0], 0.02)
        real, fake = 0.2 + (3.6 + r[1]) * sure, -0.2 - (3.6 + r[1]) * sure
        full = 0.03 + 0.05 * r[2] if "alike" in how else 0.75 + 0.3 * r[2]
        share = 0.1 + (full - 0.1) * ramp(u, 0.05 + 0.1 * r[3], 0.03)
    else:
        turns = 5 + 4 * r[0]
        phase = turns if "sure" not in how else turns - 0.25  # in turns: 0 is the middle of a swing at the last round
        swing = (2 * math.pi * (turns * u - phase)).sin()
        real, fake = 1.0 + 4.5 * swing, -1.0 - 4.5 * swing
        at = 0.55 + 0.1 * r[1] if "late" in how else 0.3 * r[1]
        share = 0.02 + 0.04 * r[2] + (0.9 + 0.3 * r[3]) * ramp(u, 0.05, 0.02) * (1 - ramp(u, at, 0.02))
    d_real, d_fake = (real + 0.3 * noise[0]).sigmoid(), (fake + 0.3 * noise[1]).sigmoid()
    return Log(d_real, d_fake, data_spread * share * (0.06 * noise[2]).exp(), data_spread, kind, how)


@lru_cache(maxsize=4)  # a class has hundreds of seeds
def training_logs(seed: int) -> list[Log]:
    """Twelve logs, four of each kind, in a random order and in twelve units."""
    with seeded(seed):
        units = (10 ** torch.linspace(-2, 2, 12)[torch.randperm(12)]).tolist()
        found = [draw(kind, how, unit) for (kind, how), unit in zip(PLANS, units, strict=True)]
        return [found[i] for i in torch.randperm(12)]


ROUNDS = Mistake("other rounds of D", "runs that D has won and sound ones are confused: over which rounds do you look at D?")
SPREAD = Mistake(
    "unit or rounds of the spread",
    "sound and collapsed runs are confused: in which unit, and over which rounds, is the spread small?",
)
HINTS = {  # (what it was, what is said)
    ("discriminator wins", "collapse"): Mistake(
        "spread before verdict",
        "runs that D has won are called collapse: their samples are alike, but what does D say at the end?",
    ),
    ("collapse", "discriminator wins"): Mistake(
        "one round", "collapsed runs are called won: D swings there, so what do a few rounds say that happen to be the last?"
    ),
    ("discriminator wins", "sound"): ROUNDS,
    ("sound", "discriminator wins"): ROUNDS,
    ("sound", "collapse"): SPREAD,
    ("collapse", "sound"): SPREAD,
}


def diagnosis(handle: Handle) -> list[Outcome]:
    """10.4: (d_real [T], d_fake [T], spread [T], data_spread) -> one of the three words."""

    def found() -> Mistake | None:
        logs, said = training_logs(handle.seed), []
        for log in logs:
            given: dict[str, Argument] = {
                "d_real": log.d_real,
                "d_fake": log.d_fake,
                "spread": log.spread,
                "data_spread": log.data_spread,
            }
            said.append(handle.call(given))
        strange = [s for s in said if s not in KINDS] if all(isinstance(s, str) for s in said) else [s for s in said if s]
        if not all(isinstance(s, str) for s in said) or strange:
            raise CallFailed(f"it must return one of the three words {', '.join(map(repr, KINDS))}", "no such word")
        wrong = Counter((log.kind, str(s)) for log, s in zip(logs, said, strict=True) if s != log.kind)
        if wrong.total() <= 1:
            return None
        if len(set(said)) == 1:
            return Mistake("constant answer", "the answer is the same for all logs: look at the numbers")
        if len(set(said)) == 2:
            missing = next(k for k in KINDS if k not in said)
            return Mistake("a word missing", f"{missing!r} never comes, yet there are such runs")
        if wrong.total() == len(logs):
            return Mistake("words exchanged", "every single answer is wrong: which word belongs to which run?")
        total: Counter[Mistake] = Counter()
        for pair, times in wrong.items():
            total[HINTS[pair]] += times
        return total.most_common(1)[0][0]

    return [judge("it names what happened in at least 11 of 12 unseen runs", 2, found)]
