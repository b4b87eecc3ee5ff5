"""Oracles for units and errors of likelihoods: entropies known by hand, numpy and scipy."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import sem

from genedu.metrics import bits_per_dim, mean_and_error, uniform_nll

quietly = settings(deadline=None, derandomize=True, database=None)

# laws -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_tensor_stays_where_and_what_it_is(device, dtype):
    nll = torch.ones(3, 2, dtype=dtype, device=device)
    bits = bits_per_dim(nll, 64)
    assert (bits.shape, bits.dtype, bits.device.type) == ((3, 2), dtype, device)


def test_bits_of_a_tensor_keep_their_gradient():
    nll = torch.tensor([3.0, 5.0], dtype=torch.float64, requires_grad=True)
    bits_per_dim(nll, 4).sum().backward()
    torch.testing.assert_close(nll.grad, torch.full((2,), 1 / (4 * math.log(2)), dtype=torch.float64))


@quietly
@given(st.floats(-1e6, 1e6), st.integers(1, 10_000))
def test_bits_are_proportional_to_nats_and_a_tensor_gives_what_a_float_gives(nll, dim):
    assert bits_per_dim(2 * nll, dim) == pytest.approx(2 * bits_per_dim(nll, dim))
    assert bits_per_dim(nll, 2 * dim) == pytest.approx(bits_per_dim(nll, dim) / 2)
    assert bits_per_dim(torch.tensor(nll, dtype=torch.float64), dim).item() == pytest.approx(bits_per_dim(nll, dim))


def test_numbers_come_as_floats():
    assert type(bits_per_dim(10, 2)) is float
    assert type(uniform_nll(2, 3)) is float
    assert [type(v) for v in mean_and_error(torch.rand(4, requires_grad=True))] == [float, float]


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("levels", "dim"), [(17, 64), (256, 3072), (2, 784), (1, 5), (17, 1)])
def test_a_uniform_model_needs_log2_levels_bits_a_dimension_eq_1_and_2(levels, dim):
    assert bits_per_dim(dim * math.log(levels), dim) == pytest.approx(math.log2(levels), rel=1e-14, abs=1e-14)
    assert bits_per_dim(uniform_nll(levels, dim), dim) == pytest.approx(math.log2(levels), rel=1e-14, abs=1e-14)


def test_a_fair_coin_is_one_bit_and_a_biased_one_its_entropy():
    assert bits_per_dim(math.log(2), 1) == pytest.approx(1, rel=1e-15)
    q = 0.1
    entropy = -q * math.log2(q) - (1 - q) * math.log2(1 - q)
    nats = torch.distributions.Bernoulli(torch.tensor(q).double()).entropy()
    assert bits_per_dim(5 * nats, 5).item() == pytest.approx(entropy)


@pytest.mark.parametrize("n", [2, 3, 100])
def test_mean_and_error_are_scipys_eq_3(n):
    values = 5 + 3 * torch.randn(n, dtype=torch.float64)
    mean, error = mean_and_error(values)
    assert mean == pytest.approx(values.numpy().mean(), rel=1e-14)
    assert error == pytest.approx(sem(values.numpy()), rel=1e-12)


def test_the_error_of_two_values_is_half_their_distance():
    assert mean_and_error(torch.tensor([1.0, 4.0])) == (2.5, pytest.approx(1.5))


def test_hits_are_a_mean_whose_error_is_that_of_a_share():
    hits = torch.arange(50) % 5 == 0  # a fifth of 50
    for values in (hits, hits.long(), hits.half()):
        mean, error = mean_and_error(values)
        assert mean == pytest.approx(0.2, rel=1e-6)
        assert error == pytest.approx(math.sqrt(0.2 * 0.8 / 49), rel=1e-6)


def test_the_error_is_the_spread_of_the_mean():
    """Over 2000 sets of 20 draws; the variance of a variance is known for Gaussians: 2 sigma^4 / (n - 1)."""
    draws = torch.randn(2000, 20, dtype=torch.float64)
    squares = torch.tensor([mean_and_error(row)[1] ** 2 for row in draws])
    spread = math.sqrt(2 / 19) / 20 / math.sqrt(2000)
    assert abs(squares.mean().item() - 1 / 20) < 5 * spread


# limits ---------------------------------------------------------------------------------------------------------------


def test_equal_values_have_no_error_and_an_impossible_row_costs_infinitely_many_bits():
    assert mean_and_error(torch.full((7,), 3.0)) == (3.0, 0.0)
    assert bits_per_dim(math.inf, 3) == math.inf
    assert bits_per_dim(torch.tensor([math.inf, 0.0]), 3).tolist() == [math.inf, 0.0]
    assert bits_per_dim(-2.0, 1) < 0  # a density may exceed one


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: bits_per_dim(1.0, 0), "dim must be a whole number of at least 1, got 0"),
        (lambda: bits_per_dim(1.0, 2.5), "dim must be a whole number of at least 1, got 2.5"),
        (lambda: bits_per_dim(math.nan, 2), "nll must not be nan"),
        (lambda: bits_per_dim(torch.tensor([1.0, math.nan]), 2), "nll must not be nan"),
        (lambda: uniform_nll(0, 64), "levels must be a whole number of at least 1, got 0"),
        (lambda: uniform_nll(17, -1), "dim must be a whole number of at least 1, got -1"),
        (lambda: mean_and_error(torch.ones(1)), r"values must be \[N\] with N >= 2, got \[1\]"),
        (lambda: mean_and_error(torch.ones(3, 1)), r"values must be \[N\] with N >= 2, got \[3, 1\]"),
        (lambda: mean_and_error(torch.tensor([1.0, math.inf])), "values must be finite; got inf"),
        (lambda: mean_and_error(torch.tensor([1.0, math.nan])), "values must be finite; got nan"),
    ],
)
def test_nonsense_says_what_must_hold(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_numpy_integer_is_a_whole_number():
    assert bits_per_dim(math.log(4), np.int64(2)) == pytest.approx(1)
