"""Oracles for mode coverage: a perfect sampler (its chi-square ceiling), one mode of eight, counts by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, entropy

from genedu.data import grid, ring
from genedu.metrics import mode_coverage
from genedu.metrics.coverage import Coverage

quietly = settings(deadline=None, derandomize=True, database=None)
LINE = torch.tensor([[0.0, 0.0], [10.0, 0.0], [20.0, 0.0], [30.0, 0.0]])  # four modes far apart


def at(*counts, off=0.0, modes=LINE):
    """counts[k] samples at `off` from mode k."""
    k = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return modes[k] + torch.tensor([0.0, off])


# laws -----------------------------------------------------------------------------------------------------------------


@quietly
@given(st.lists(st.integers(0, 20), min_size=4, max_size=4).filter(any), st.integers(0, 20))
def test_what_is_counted_is_known_for_any_counts_eq_1_to_3(counts, far):
    x = torch.cat([at(*counts), torch.full((far, 2), 500.0)])
    found = mode_coverage(x, LINE, sigma=1.0)
    assert found.modes == sum(c > 0 for c in counts)
    assert found.high_quality == sum(counts) / (sum(counts) + far)
    assert found.reverse_kl == pytest.approx(entropy(counts, [1, 1, 1, 1]), abs=1e-12)
    assert 0 <= found.reverse_kl <= math.log(4) + 1e-12


def test_order_of_rows_and_modes_does_not_matter_nor_does_the_unit_or_the_dtype():
    toy = grid()
    x = torch.cat([toy.sample(500), 4 * torch.randn(500, 2)])
    known = mode_coverage(x, toy.modes, sigma=toy.sigma)
    assert 0 < known.high_quality < 1 and 0 < known.reverse_kl < 1
    assert mode_coverage(x[torch.randperm(1000)], toy.modes, sigma=toy.sigma) == known
    assert mode_coverage(x, toy.modes.flip(0), sigma=toy.sigma) == pytest.approx(known, abs=1e-12)
    assert mode_coverage(1024 * x, 1024 * toy.modes, sigma=1024 * toy.sigma) == known
    assert mode_coverage(x.double(), toy.modes, sigma=toy.sigma) == known
    turned = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    assert mode_coverage(x.double() @ turned, toy.modes.double() @ turned, sigma=toy.sigma) == pytest.approx(known, abs=1e-12)


def test_plain_numbers_come_back_and_no_gradient_is_asked_for():
    found = mode_coverage(at(1, 2).requires_grad_(), LINE, sigma=1)
    assert isinstance(found, Coverage) and [type(v) for v in found] == [int, float, float]


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("toy", [ring(), grid()], ids=["ring", "grid"])
def test_a_perfect_sampler_covers_all_up_to_the_ceiling(toy):
    n, k = 20_000, len(toy.modes)
    found = mode_coverage(toy.sample(n), toy.modes, sigma=toy.sigma)
    ceiling = 1 - math.exp(-4.5)
    assert found.modes == k
    assert abs(found.high_quality - ceiling) < 5 * math.sqrt(ceiling * (1 - ceiling) / n)
    # 2 n KL is close to chi-square with K - 1 degrees of freedom, of variance 2 (K - 1)
    assert 0 < 2 * n * ceiling * found.reverse_kl < k - 1 + 5 * math.sqrt(2 * (k - 1))


def test_one_mode_of_eight_costs_log_8():
    toy, n = ring(), 20_000
    found = mode_coverage(toy.modes[3] + toy.sigma * torch.randn(n, 2), toy.modes, sigma=toy.sigma)
    ceiling = 1 - math.exp(-4.5)
    assert found.modes == 1 and found.reverse_kl == pytest.approx(math.log(8), abs=1e-12)
    assert abs(found.high_quality - ceiling) < 5 * math.sqrt(ceiling * (1 - ceiling) / n)


@pytest.mark.parametrize("dim", [1, 3, 10])
def test_the_ceiling_in_d_dimensions_is_that_of_chi_square(dim):
    n, modes = 20_000, 100 * torch.eye(2, dim)
    found = mode_coverage(modes[torch.arange(n) % 2] + 2 * torch.randn(n, dim), modes, sigma=2.0)
    ceiling = chi2.cdf(9, dim)
    assert abs(found.high_quality - ceiling) < 5 * math.sqrt(ceiling * (1 - ceiling) / n)


def test_by_hand():
    """3 + 1 of 5 samples are near modes 0 and 2: KL = 3/4 log(3/4 * 4) + 1/4 log(1/4 * 4)."""
    x = torch.cat([at(3, 0, 1), torch.tensor([[5.0, 0.0]])])
    found = mode_coverage(x, LINE, sigma=1.0)
    assert found == pytest.approx((2, 0.8, 0.75 * math.log(3)), abs=1e-12)


# limits ---------------------------------------------------------------------------------------------------------------


def test_three_sigma_is_still_near():
    assert mode_coverage(at(1, 1, off=3.0), LINE, sigma=1.0).high_quality == 1
    assert mode_coverage(at(1, 1, off=3.0), LINE, sigma=0.999).high_quality == 0


def test_only_the_nearest_mode_counts_where_balls_overlap():
    found = mode_coverage(torch.tensor([[4.0, 0.0]]), LINE, sigma=10.0)
    assert found == pytest.approx((1, 1.0, math.log(4)))


def test_noise_far_from_all_modes_is_worse_than_any_collapse():
    assert mode_coverage(at(2, 2, off=100.0), LINE, sigma=1.0) == (0, 0.0, math.inf)


def test_one_mode_leaves_nothing_to_miss():
    assert mode_coverage(LINE[:1], LINE[:1], sigma=1.0) == (1, 1.0, 0.0)


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "modes", "sigma", "words"),
    [
        (torch.zeros(2), LINE, 1.0, r"samples must be \[rows, features\]"),
        (torch.zeros(0, 2), LINE, 1.0, "samples must be .* at least one row"),
        (torch.full((2, 2), math.nan), LINE, 1.0, "samples must be finite; got nan"),
        (LINE, torch.zeros(4, 3), 1.0, r"modes must be \[rows, 2\].*got \[4, 3\]"),
        (LINE, LINE / 0, 1.0, "modes must be finite"),
        (LINE, LINE, 0.0, "sigma must be positive and finite, got 0.0"),
        (LINE, LINE, -1.0, "sigma must be positive and finite, got -1.0"),
        (LINE, LINE, math.inf, "sigma must be positive and finite, got inf"),
        (LINE, LINE, math.nan, "sigma must be positive and finite, got nan"),
    ],
)
def test_bad_input_says_what_must_hold(samples, modes, sigma, words):
    with pytest.raises(ValueError, match=words):
        mode_coverage(samples, modes, sigma=sigma)
