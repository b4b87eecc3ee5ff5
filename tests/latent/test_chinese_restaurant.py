"""Oracles for the Chinese restaurant process: all partitions of a few guests, and a mixture whose posterior is enumerated.

Conjugate components: the rows of a table share a mean mu ~ N(0, 2^2), a row is N(mu, 1). So the rows of a table are jointly
Gaussian with covariance I + 4 * 11', and the density of all rows under a partition is a product over its tables.
"""

import math
from functools import cache
from itertools import permutations, product

import pytest
import torch
from torch.distributions import MultivariateNormal

from genedu.core import seeded
from genedu.latent import (
    crp_expected_tables,
    crp_log_prob,
    crp_sample,
    gibbs_log_weights,
    gibbs_sweep,
    log_prior_of_slots,
    metropolis_sweep,
)

X = torch.tensor([-1.6, -0.9, 0.7, 2.4], dtype=torch.float64)  # two near each other, two in doubt
ALPHA, N, SLOTS = 0.8, 4, 4
STATES = torch.tensor(list(product(range(SLOTS), repeat=N)))  # [256, 4], every row in every slot


def partition(c):
    """Names of tables in the order in which they come: (2, 0, 2) -> (0, 1, 0)."""
    seen = {}
    return tuple(seen.setdefault(int(k), len(seen)) for k in c)


PARTITIONS = sorted({partition(c) for c in STATES})  # Bell's number of 4


@cache
def log_evidence(rows):
    """log p of the rows of one table, all together."""
    if not rows:
        return 0.0
    n = len(rows)
    return MultivariateNormal(torch.zeros(n).double(), torch.eye(n).double() + 4.0).log_prob(X[list(rows)]).item()


def log_likelihood(c):
    return sum(log_evidence(tuple(i for i in range(N) if c[i] == k)) for k in range(SLOTS))


def predictive(i, c):
    """log p(x_i | the other rows in each slot), [S]."""
    return predictive_of(i, tuple(c.tolist()))


@cache
def predictive_of(i, c):
    members = [tuple(j for j in range(N) if c[j] == k) for k in range(SLOTS)]
    return torch.tensor([log_evidence(tuple(sorted((*m, i)))) - log_evidence(m) for m in members], dtype=torch.float64)


POSTERIOR = torch.tensor([crp_log_prob(torch.tensor(p), ALPHA).item() + log_likelihood(p) for p in PARTITIONS]).softmax(0)
WAYS = torch.tensor([math.perm(SLOTS, max(p) + 1) for p in PARTITIONS])  # in how many slots the tables of a partition can stand
STATE_LAW = torch.stack([(POSTERIOR / WAYS)[PARTITIONS.index(partition(c))] for c in STATES])  # [256]


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [1e-6, 0.3, 1.0, 7.0, 1e9])
@pytest.mark.parametrize("n", [1, 2, 4, 5])
def test_probabilities_of_all_partitions_add_up_to_one(n, alpha):
    found = {partition(c) for c in product(range(n), repeat=n)}
    assert len(found) == {1: 1, 2: 2, 4: 15, 5: 52}[n]
    mass = sum(crp_log_prob(torch.tensor(p), alpha).exp().item() for p in found)
    assert abs(mass - 1) < 1e-9


@pytest.mark.parametrize("c", [(0,), (0, 0, 1, 0), (0, 1, 1, 2, 0, 3, 1)])
def test_it_is_the_product_of_the_guests_own_choices(c):
    total, counts = 0.0, {}
    for i, k in enumerate(c):
        total += math.log((counts[k] if k in counts else 1.7) / (i + 1.7))  # eq. (1) at alpha = 1.7
        counts[k] = counts.get(k, 0) + 1
    assert abs(crp_log_prob(torch.tensor(c), 1.7).item() - total) < 1e-12


def test_neither_order_nor_names_count():
    c = torch.tensor([0, 0, 1, 2, 1])
    for order in permutations(range(5)):
        assert abs(crp_log_prob(c[list(order)], 1.3) - crp_log_prob(c, 1.3)) < 1e-12
    assert crp_log_prob(torch.tensor([7, 7, -2, 40, -2]), 1.3) == crp_log_prob(c, 1.3)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 5.0])
def test_mean_number_of_tables_is_that_of_the_enumeration(alpha):
    mean = sum((max(p) + 1) * crp_log_prob(torch.tensor(p), alpha).exp().item() for p in PARTITIONS)
    assert abs(crp_expected_tables(4, alpha) - mean) < 1e-12
    assert crp_expected_tables(1, alpha) == 1 and crp_expected_tables(0, alpha) == 0


def test_drawn_partitions_come_as_often_as_they_should():
    drawn = [partition(crp_sample(4, ALPHA)) for _ in range(6000)]
    for p in PARTITIONS:
        probability = crp_log_prob(torch.tensor(p), ALPHA).exp().item()
        assert abs(drawn.count(p) / 6000 - probability) < 5 * math.sqrt(probability * (1 - probability) / 6000)


def test_drawn_tables_are_as_many_as_expected():
    tables = torch.tensor([float(crp_sample(500, 2.0).max() + 1) for _ in range(300)])
    assert abs(crp_expected_tables(500, 2.0) - 11.590) < 5e-4  # from the card, which summed it independently
    assert abs(tables.mean() - crp_expected_tables(500, 2.0)) < 5 * tables.std() / math.sqrt(300)


def test_gibbs_weights_are_the_enumerated_conditionals_in_every_state():
    """256 states, 4 rows each: (4) against the law of all states, restricted to those that differ in that row."""
    law_of = {tuple(c): p for c, p in zip(STATES.tolist(), STATE_LAW.tolist(), strict=True)}
    for c in STATES:
        for i in range(N):
            outside = c.clone()
            outside[i] = -1
            counts = torch.bincount(outside[outside >= 0], minlength=SLOTS).double()
            law = torch.tensor([law_of[(*c[:i].tolist(), k, *c[i + 1 :].tolist())] for k in range(SLOTS)])
            found = gibbs_log_weights(counts, predictive(i, outside), ALPHA).exp()
            torch.testing.assert_close(found, (law / law.sum()).double(), rtol=0, atol=1e-6)


def draws_after(sweep, sweeps, start, n):
    """Of n chains: the shares of the 15 partitions after some sweeps, and the share of chains that moved."""
    ended, moved = [], 0
    for _ in range(n):
        first = c = start()
        for _ in range(sweeps):
            c = sweep(c, predictive, ALPHA, slots=SLOTS)
        ended.append(partition(c))
        moved += ended[-1] != partition(first)
    return torch.tensor([ended.count(p) / n for p in PARTITIONS]), moved / n


@pytest.mark.parametrize("sweep", [gibbs_sweep, metropolis_sweep])
def test_a_sweep_leaves_the_enumerated_posterior_as_it_is(sweep):
    """Chains that start with exact draws are independent and must end with exact draws: 15 partitions, 5 standard errors."""
    shares, moved = draws_after(sweep, 1, lambda: STATES[torch.multinomial(STATE_LAW, 1)[0]], 1500)
    assert moved > 0.3
    assert ((shares - POSTERIOR).abs() < 5 * (POSTERIOR * (1 - POSTERIOR) / 1500).sqrt()).all()


@pytest.mark.parametrize("sweep", [gibbs_sweep, metropolis_sweep])
def test_it_forgets_where_it_started(sweep):
    shares, _ = draws_after(sweep, 12, lambda: torch.zeros(N, dtype=torch.long), 250)
    assert ((shares - POSTERIOR).abs() < 5 * (POSTERIOR * (1 - POSTERIOR) / 250).sqrt() + 1e-3).all()


def test_with_a_flat_likelihood_the_sampler_draws_from_the_prior():
    n, c, tables = 30, torch.zeros(30, dtype=torch.long), []
    flat = torch.zeros(n).double()
    for sweep in range(400):
        c = gibbs_sweep(c, lambda i, c: flat, 2.0, slots=n)
        tables.append(float(len(c.unique())) if sweep >= 10 else math.nan)
    runs = torch.tensor(tables[10:]).view(13, 30).mean(1)  # means of 30 sweeps: nearly independent
    assert abs(runs.mean() - crp_expected_tables(n, 2.0)) < 5 * runs.std() / math.sqrt(13)


# limits ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sweep", [gibbs_sweep, metropolis_sweep])
def test_a_vanishing_alpha_never_opens_a_table(sweep):
    c = sweep(torch.zeros(50, dtype=torch.long), lambda i, c: torch.tensor([-30.0, 0.0, 0.0]), 1e-300, slots=3)
    assert (c == 0).all()
    assert crp_log_prob(torch.tensor([0]), 1e-300) == 0, "the first guest always opens one"
    assert crp_expected_tables(1000, 1e-300) == 1 and (crp_sample(200, 1e-300) == 0).all()


def test_weights_neither_underflow_nor_overflow():
    counts, scores = torch.tensor([3.0, 0.0, 5.0, 0.0]), torch.tensor([0.0, 1.0, -2.0, 3.0])
    for shift in (-1e5, 1e5):
        torch.testing.assert_close(
            gibbs_log_weights(counts, scores.double() + shift, 2.0).exp(),
            torch.tensor([3.0, 1.0, 5.0, 1.0]).double()
            * scores.double().exp()
            / (3 + math.e + 5 * math.exp(-2) + math.exp(3)),  # two empty slots share alpha = 2
        )
    assert gibbs_log_weights(counts[::2], torch.zeros(2), 2.0).exp().tolist() == pytest.approx([3 / 8, 5 / 8])  # no empty slot


def test_metropolis_accepts_what_explains_better_and_seldom_what_does_not():
    """One row alone, two slots: it must go where it is explained, and stay with the odds of (5)."""
    c, score = torch.tensor([0]), torch.tensor([0.0, math.log(4.0)])
    slots = torch.cat([metropolis_sweep(c, lambda i, c: score, 1.0, slots=2) for _ in range(2000)])
    assert abs(slots.double().mean() - 0.5) < 0.06  # proposed half of the time, always accepted
    back = torch.cat([metropolis_sweep(c + 1, lambda i, c: score, 1.0, slots=2) for _ in range(2000)])
    assert abs((1 - back).double().mean() - 0.125) < 0.04  # proposed half of the time, accepted one time in four


def test_a_sweep_leaves_its_input_alone_and_repeats_under_a_seed():
    c = torch.tensor([0, 1, 2, 3])
    with seeded(1):
        first = gibbs_sweep(c, predictive, ALPHA, slots=SLOTS)
    with seeded(1):
        again = gibbs_sweep(c, predictive, ALPHA, slots=SLOTS)
    assert torch.equal(first, again) and c.tolist() == [0, 1, 2, 3] and first.dtype == torch.long


def test_the_prior_of_slots_is_that_of_the_guests():
    torch.testing.assert_close(
        log_prior_of_slots(torch.tensor([[2.0, 0.0, 1.0], [0.0, 0.0, 3.0]]), 0.6).exp(),
        torch.tensor([[2.0, 0.6, 1.0], [0.3, 0.3, 3.0]]),
    )


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, -1.0, math.inf, math.nan])
def test_alpha_must_be_positive(alpha):
    c = torch.tensor([0, 1])
    for call in (
        lambda: crp_log_prob(c, alpha),
        lambda: crp_expected_tables(3, alpha),
        lambda: crp_sample(3, alpha),
        lambda: gibbs_sweep(c, predictive, alpha, slots=2),
    ):
        with pytest.raises(ValueError, match="alpha must be positive and finite"):
            call()


@pytest.mark.parametrize("c", [torch.tensor([]).long(), torch.tensor([[0, 1]]), torch.tensor([0.0, 1.0]), torch.tensor([True])])
def test_tables_must_be_whole_numbers(c):
    with pytest.raises(ValueError, match=r"c must be the tables \[N\]"):
        crp_log_prob(c, 1.0)


def test_numbers_that_make_no_sense():
    with pytest.raises(ValueError, match="n must be at least 1 guest"):
        crp_sample(0, 1.0)
    with pytest.raises(ValueError, match="n must be at least 0 guests"):
        crp_expected_tables(-1, 1.0)
    for c in ([0, 4], [-1, 0]):
        with pytest.raises(ValueError, match="c must be slots 0 to 3"):
            gibbs_sweep(torch.tensor(c), predictive, 1.0, slots=4)


@pytest.mark.parametrize("sweep", [gibbs_sweep, metropolis_sweep])
def test_scores_that_make_no_sense(sweep):
    c = torch.tensor([0, 1, 1])
    for scores, words in (
        (torch.zeros(()), r"each of 3 slots, got \[\]"),
        (torch.zeros(3, 1), r"each of 3 slots, got \[3, 1\]"),
        (torch.zeros(2), r"each of 3 slots, got \[2\]"),
        (torch.tensor([0.0, math.nan, 0.0]), "below plus infinity.*got nan"),
        (torch.tensor([0.0, math.inf, 0.0]), "below plus infinity.*got inf"),
    ):
        with pytest.raises(ValueError, match=words):
            sweep(c, lambda i, _, scores=scores: scores, 1.0, slots=3)
    assert c.tolist() == [0, 1, 1], "the rows stay where they were"
    assert sweep(c, lambda i, _: torch.tensor([0.0, 0.0, -math.inf]), 1.0, slots=3).max() < 2, "what is impossible is no error"


def test_slots_may_be_bytes():
    """The scorer is told the row that stands outside by -1, which a byte does not have."""
    seen = []
    gibbs_sweep(torch.tensor([0, 1, 1], dtype=torch.uint8), lambda i, c: seen.append(c[i].item()) or torch.zeros(2), 1.0, slots=2)
    assert seen == [-1, -1, -1]
