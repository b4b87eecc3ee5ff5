"""The logs have what real logs have, their truth is beyond doubt, and no short cut tells all three kinds apart."""

from collections import Counter
from functools import partial
from itertools import product

import pytest
import torch

from genedu.adversarial import GAN
from genedu.checks.training_logs import KINDS, training_logs
from genedu.core import seeded
from genedu.data import ring
from genedu.fit import Adam, fit
from genedu.nn import mlp
from tests.exercises.common import namespace

SEEDS = range(20)


def quarter(values):
    return values[-(len(values) // 4) :].mean().item()


# laws ---------------------------------------------------------------------------------------------------------------


def test_logs_come_from_the_seed():
    again = training_logs.__wrapped__(0)
    for log, other in zip(training_logs(0), again, strict=True):
        assert torch.equal(log.d_real, other.d_real) and log.kind == other.kind
    assert not torch.equal(training_logs(0)[0].spread[:80], training_logs(1)[0].spread[:80])


@pytest.mark.parametrize("seed", SEEDS)
def test_there_are_four_of_each_kind_with_a_wide_margin_at_the_end(seed):
    logs = training_logs(seed)
    assert Counter(log.kind for log in logs) == dict.fromkeys(KINDS, 4)
    for log in logs:
        t = len(log.spread)
        assert 80 <= t < 200 and log.d_real.shape == log.d_fake.shape == (t,)
        assert 0 < min(log.d_real.min(), log.d_fake.min()) and max(log.d_real.max(), log.d_fake.max()) < 1
        assert log.spread.min() > 0
        gap, share = quarter(log.d_real - log.d_fake), quarter(log.spread) / log.data_spread
        assert (gap > 0.92) if log.kind == "discriminator wins" else (gap < 0.6)
        if log.kind != "discriminator wins":
            assert share < 0.12 if log.kind == "collapse" else share > 0.7
    assert sum(quarter(log.spread) / log.data_spread < 0.12 for log in logs if log.kind == "discriminator wins") == 2


# oracles ------------------------------------------------------------------------------------------------------------


def best_rule(gap_of, share_of):
    """How many of the seeds the best rule "won above a gap, else collapse below a share" passes, over pairs of thresholds."""
    logs = [training_logs(seed) for seed in SEEDS]
    gaps, shares = (torch.tensor([[of(log) for log in some] for some in logs]) for of in (gap_of, share_of))  # [20, 12]
    kinds = torch.tensor([[KINDS.index(log.kind) for log in some] for some in logs])
    steps = torch.linspace(0, 1, 60)
    best = 0
    for high, low in product([*gaps.flatten().quantile(steps), -2.0], [*shares.flatten().quantile(steps), 2e9]):
        said = torch.where(gaps > high, 1, torch.where(shares < low, 2, 0))
        best = max(best, int(((said == kinds).sum(1) >= 11).sum()))
    return best


def gap(rows):
    return lambda log: (log.d_real - log.d_fake)[rows(log)].mean().item()


def share(rows):
    return lambda log: log.spread[rows(log)].mean().item() / log.data_spread


def last(log):
    return slice(-1, None)


def late(log):
    return slice(-(len(log.spread) // 4), None)


def early(log):
    return slice(0, len(log.spread) // 2)


def always(log):
    return slice(None)


def highest(log):
    return (log.d_real - log.d_fake).max().item()


SHORT_CUTS = {
    "D in all rounds": (gap(always), share(late)),
    "D in the first half": (gap(early), share(late)),
    "D in the last round": (gap(last), share(late)),
    "D at its surest": (highest, share(late)),
    "the spread in all rounds": (gap(late), share(always)),
    "the spread in the first half": (gap(late), share(early)),
    "the spread in its own unit": (gap(late), lambda log: share(late)(log) * log.data_spread),
    "the largest spread": (gap(late), lambda log: log.spread.max().item() / log.data_spread),
    "the spread alone": (lambda log: -share(late)(log), share(late)),
    "D alone": (gap(late), gap(late)),
}


def test_the_last_quarter_tells_all():
    assert best_rule(gap(late), share(late)) == len(SEEDS)


@pytest.mark.parametrize("name", SHORT_CUTS)
def test_a_short_cut_fails_on_most_seeds_whatever_its_thresholds(name):
    assert best_rule(*SHORT_CUTS[name]) <= 5


def real_log(model, data, **options):
    """The three columns of a real training, and the spread of its data."""
    watch = {
        "real": lambda _: model.discriminate(data[:100]).sigmoid().mean(),
        "fake": lambda _: model.discriminate(model.generate(100)).sigmoid().mean(),
        "spread": lambda _: torch.pdist(model.generate(100)).mean(),
    }
    found = fit(model, data, watch=watch, **options).watched
    columns = [torch.tensor(found[name], dtype=torch.float64) for name in watch]
    return *columns, torch.pdist(data[:500]).mean().item()


@pytest.mark.slow
def test_the_exercises_solution_names_real_trainings_too():
    """Chapter 10's three runs. A collapse by large steps of plain descent is chaotic: most of three seeds."""
    diagnosis = namespace("10_generative_adversarial_networks", solved=True)["diagnosis"]
    x, sgd = ring(sigma=0.05).train, partial(torch.optim.SGD, momentum=0.5)

    def small(seed, **options):
        with seeded(seed):
            return GAN(mlp(4, 64, 64, 2), mlp(2, 64, 64, 1), latent=4, **options)

    sound = real_log(small(0, r1=0.1), x, rounds=400, lr=2e-3, optimizer=partial(Adam, betas=(0.5, 0.99)))
    assert diagnosis(*sound) == "sound"
    pace = {"discriminator": 0.1, "generator": 0.01}
    far = x + torch.tensor([4.0, 0.0])
    won = real_log(small(11, loss="saturating", steps=5), far, rounds=150, lr=pace, optimizer=sgd)
    assert diagnosis(*won) == "discriminator wins"
    said = [diagnosis(*real_log(small(seed), x, rounds=800, lr=0.1, optimizer=sgd, seed=seed)) for seed in (1, 3, 6)]
    assert said.count("collapse") >= 2
