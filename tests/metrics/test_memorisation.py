"""Oracles for memorisation: places on a lattice, copies by share, fresh draws of known truths."""

import math

import pytest
import torch

from genedu.data import digits, ring
from genedu.metrics import nearest_neighbour_ratio

# laws -----------------------------------------------------------------------------------------------------------------


def test_order_unit_and_shift_do_not_matter():
    samples, train, test = torch.randn(30, 2), torch.randn(40, 2), torch.randn(20, 2)
    known = nearest_neighbour_ratio(samples, train, test)
    assert type(known) is float
    shuffled = [x[torch.randperm(len(x))] for x in (samples, train, test)]
    assert nearest_neighbour_ratio(*shuffled) == pytest.approx(known, rel=1e-12)
    assert nearest_neighbour_ratio(1024 * samples, 1024 * train, 1024 * test) == known
    moved = [x.double() + 1e6 for x in (samples, train, test)]
    assert nearest_neighbour_ratio(*moved) == pytest.approx(known, rel=1e-7)
    assert nearest_neighbour_ratio(samples.requires_grad_(), train, test) == known


def test_samples_and_test_rows_change_places_into_the_inverse():
    samples, train, test = torch.randn(30, 2), torch.randn(40, 2), 2 * torch.randn(20, 2)
    assert nearest_neighbour_ratio(samples, train, test) * nearest_neighbour_ratio(test, train, samples) == pytest.approx(1)


# oracles --------------------------------------------------------------------------------------------------------------


def test_on_a_lattice_all_distances_are_known_eq_1():
    train = torch.cartesian_prod(torch.arange(5.0), torch.arange(5.0))
    samples = torch.tensor([[0.1, 0.0], [2.0, 2.3], [4.0, 3.8]])  # 0.1, 0.3, 0.2 from the nearest
    test = torch.tensor([[1.5, 1.5], [7.0, 8.0]])  # sqrt 1/2 and 5
    assert nearest_neighbour_ratio(samples, train, test) == pytest.approx(0.2 / ((math.sqrt(0.5) + 5) / 2), rel=1e-6)


@pytest.mark.parametrize("data", ["ring", "digits"])
def test_fresh_draws_are_as_far_as_test_rows_and_copies_are_not(data):
    if data == "ring":
        toy = ring(sizes=(2000, 1, 2000), seed=1)  # with the seed of these tests, `sample` would draw the train rows again
        train, test, fresh = toy.train, toy.test, toy.sample(2000)
    else:
        x = digits(flat=True, values="unit").train[torch.randperm(1144)]
        train, test, fresh = x[:600], x[600:872], x[872:]
    assert abs(nearest_neighbour_ratio(fresh, train, test) - 1) < 0.12
    again = train[torch.randint(len(train), (1000,))]
    assert nearest_neighbour_ratio(again, train, test) == 0
    assert nearest_neighbour_ratio(again + 1e-4 * torch.randn_like(again), train, test) < 0.05
    assert nearest_neighbour_ratio(fresh + 0.5 * torch.randn_like(fresh), train, test) > 1.3


def test_the_error_of_fresh_draws_is_that_of_a_ratio_of_means():
    """Train rows on a line at rate r: the nearest is Exp(2r) away, mean = deviation, so the ratio is 1 +- sqrt(1/n + 1/m)."""
    train = torch.rand(5000, 1, dtype=torch.float64)
    fresh, test = (0.1 + 0.8 * torch.rand(500, 1, dtype=torch.float64) for _ in range(2))
    assert abs(nearest_neighbour_ratio(fresh, train, test) - 1) < 5 * math.sqrt(2 / 500)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_a_share_of_copies_takes_that_share_away_eq_2(share):
    train, test = torch.randn(500, 2), torch.randn(400, 2)
    known = nearest_neighbour_ratio(test, train, test)
    copies = round(share * 400)
    mixed = torch.cat([train[:copies], test[copies:]])
    rest = nearest_neighbour_ratio(test[copies:], train, test)
    assert known == 1 and nearest_neighbour_ratio(mixed, train, test) == pytest.approx((1 - share) * rest, rel=1e-12)


# limits ---------------------------------------------------------------------------------------------------------------


def test_one_row_of_each_will_do():
    assert nearest_neighbour_ratio(torch.ones(1, 1), torch.zeros(1, 1), torch.full((1, 1), 4)) == 0.25


# errors ---------------------------------------------------------------------------------------------------------------

OK = torch.eye(3)


@pytest.mark.parametrize(
    ("samples", "train", "test", "words"),
    [
        (OK, torch.zeros(4, 2), OK, r"train must be \[rows, 3\].*got \[4, 2\]"),
        (OK, OK, torch.zeros(4, 2), r"test must be \[rows, 3\].*got \[4, 2\]"),
        (OK[None], OK, OK, r"samples must be \[rows, features\].*use samples.flatten\(1\)"),
        (OK[:0], OK, OK, "samples must be .* at least one row"),
        (OK / 0, OK, OK, "samples must be finite"),
        (OK, OK, OK, "every test row is a copy of a train row.*leak"),
    ],
)
def test_bad_input_says_what_must_hold(samples, train, test, words):
    with pytest.raises(ValueError, match=words):
        nearest_neighbour_ratio(samples, train, test)
