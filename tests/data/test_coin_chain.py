"""The coin chain against a law written out bit by bit, frequencies of draws, and the entropy's bounds."""

import math
from itertools import pairwise, product

import pytest
import torch

from genedu.data import coin_chain


def by_hand(x, p, q):
    """p(x), one bit after the other, in plain Python."""
    total = 0.0
    for b in (p, 1 - p):
        mass = 0.5 * (b if x[0] else 1 - b)
        for before, bit in pairwise(x):
            mass *= q * (bit == before) + (1 - q) * (b if bit else 1 - b)
        total += mass
    return total


def everything(bits):
    return torch.tensor(list(product((0, 1), repeat=bits)))[:, None, None]


# oracles --------------------------------------------------------------------------------------------------------------


def test_the_law_written_out():
    source = coin_chain(bits=4, p=0.7, copy=0.3)
    x = everything(4)
    known = torch.tensor([by_hand(row.flatten().tolist(), 0.7, 0.3) for row in x]).double()
    torch.testing.assert_close(source.log_prob(x).exp(), known, rtol=0, atol=1e-7)
    assert abs(source.log_prob(x).exp().sum() - 1) < 1e-12
    assert abs(source.entropy + sum(m * math.log(m) for m in known.tolist())) < 1e-6


def test_draws_come_as_often_as_the_law_says():
    source = coin_chain(bits=4, rows=(40_000, 1, 1))
    x, p = everything(4), source.log_prob(everything(4)).exp()
    hits = (source.train[:, None] == x[None]).flatten(2).all(-1).double().mean(0)
    assert ((hits - p).abs() < 5 * (p * (1 - p) / 40_000).sqrt()).all()
    by_coin = source.train[source.train_labels == 1].double().mean()
    assert abs(by_coin - 0.85) < 0.01, "given the coin each bit is 1 with probability p, copied or not"


def test_the_posterior_is_calibrated():
    source = coin_chain()
    p = source.posterior(source.train)[:, 1]
    assert ((p > 0.5).long() == source.train_labels).double().mean() > 0.9
    for low, high in ((0, 0.3), (0.3, 0.7), (0.7, 1)):
        here = (p >= low) & (p < high)
        error = 5 * 0.5 / here.sum().sqrt()
        assert (source.train_labels[here].double().mean() - p[here].mean()).abs() < error


def test_entropy_and_information_of_the_default():
    """Chain rule: H(x) = H(x|c) + I(c; x), and H(x|c) is that of a Markov chain whose bits all have probability p."""
    source, p, q = coin_chain(), 0.85, 0.6

    def h(a):
        return -a * math.log(a) - (1 - a) * math.log(1 - a)

    given = h(p) + 15 * (p * h(q + (1 - q) * p) + (1 - p) * h(q + (1 - q) * (1 - p)))
    assert abs(source.entropy - given - source.information) < 1e-9
    assert 0 < source.information < math.log(2)
    assert round(source.entropy, 3) == 5.342 and round(source.information, 3) == 0.583  # as the docstring says
    nll = -source.log_prob(source.test)
    assert abs(nll.mean() - source.entropy) < 5 * nll.std() / len(nll) ** 0.5


def test_best_with_a_window_written_out():
    """Four bits, window 1: H(x_1) + 3 H(x_2|x_1), from the table of pairs; with the coin the same for each coin."""
    source = coin_chain(bits=4, p=0.8, copy=0.5)
    pairs = torch.tensor([by_hand(v, 0.8, 0.5) for v in product((0, 1), repeat=2)]).double().view(2, 2)
    single = pairs.sum(1)
    after = -(pairs * (pairs / single[:, None]).log()).sum()
    assert abs(source.windowed(1)[0] - (-(single * single.log()).sum() + 3 * after)) < 1e-6
    assert abs(source.windowed(1)[1] - source.entropy) < 1e-12, "the coin and one bit are all that matters"
    assert abs(source.windowed(3)[0] - source.entropy) < 1e-12 and source.windowed(9) == source.windowed(3)
    h = -0.8 * math.log(0.8) - 0.2 * math.log(0.2)
    assert abs(source.windowed(0)[0] - 4 * math.log(2)) < 1e-12 and abs(source.windowed(0)[1] - 4 * h - source.information) < 1e-9


def test_a_wider_window_never_costs_more():
    cost = [coin_chain(bits=10).windowed(k) for k in range(10)]
    assert all(a[0] > b[0] - 1e-12 and a[1] > b[1] - 1e-12 for a, b in pairwise(cost))
    worth = [without - given for without, given in cost]
    assert worth[1] > worth[2] > worth[5] > worth[9] - 1e-12 and abs(worth[9]) < 1e-9, "at last the coin is worth nothing"


# limits ---------------------------------------------------------------------------------------------------------------


def test_without_copies_bits_are_a_mixture_of_two_products():
    source, x = coin_chain(bits=5, copy=0.0), everything(5)
    ones = x.flatten(1).sum(1).double()
    known = 0.5 * (0.85**ones * 0.15 ** (5 - ones) + 0.15**ones * 0.85 ** (5 - ones))
    torch.testing.assert_close(source.log_prob(x).exp(), known)


def test_a_fair_bit_tells_nothing_of_the_coin():
    assert abs(coin_chain(bits=6, p=0.5).information) < 1e-9
    assert abs(coin_chain(bits=1).entropy - math.log(2)) < 1e-12


def test_repeatable_and_in_three_parts():
    a, b = coin_chain(rows=(5, 6, 7)), coin_chain(rows=(5, 6, 7))
    assert torch.equal(a.train, b.train) and [len(v) for v in (a.train, a.validation, a.test)] == [5, 6, 7]
    assert a.train.shape == (5, 1, 1, 16) and a.train.dtype == torch.long
    assert not torch.equal(a.train, coin_chain(rows=(5, 6, 7), seed=1).train)


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bits": 0}, "bits must be"),
        ({"bits": 21}, "bits must be"),
        ({"bits": 2.5}, "bits must be"),
        ({"p": 0.0}, "p must lie"),
        ({"p": float("nan")}, "p must lie"),
        ({"copy": 1.0}, "copy be at least 0"),
        ({"rows": (5, 5)}, "rows must be three"),
        ({"rows": (5, 0, 5)}, "rows must be three"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        coin_chain(**options)


def test_bad_rows():
    with pytest.raises(ValueError, match=r"\[batch, 1, 1, any\]"):
        coin_chain().log_prob(torch.zeros(2, 16).long())
    with pytest.raises(ValueError, match="levels 0 to 1"):
        coin_chain().posterior(torch.full((1, 1, 1, 4), 2))
    with pytest.raises(ValueError, match="at least 0 bits"):
        coin_chain(bits=4).windowed(-1)
