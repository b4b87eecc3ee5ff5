"""The order-2 source against enumeration and simulation; n-grams against counting by hand."""

import math
from collections import Counter
from itertools import product

import pytest
import torch

from genedu.core import seeded
from genedu.data import Vocabulary, english, markov_text, ngram_log_prob
from genedu.data.prose import PROSE

SMALL = markov_text(3, length=5, sizes=(4000, 10, 10))


def close(got, want, atol=1e-10):
    torch.testing.assert_close(
        torch.as_tensor(got, dtype=torch.float64), torch.as_tensor(want, dtype=torch.float64), rtol=0, atol=atol
    )


def rows(k, t):
    return torch.tensor(list(product(range(k), repeat=t)))


# oracles --------------------------------------------------------------------------------------------------------------


def test_the_table_is_of_order_two():
    assert SMALL.table.shape == (3, 3, 3)
    close(SMALL.table.sum(-1), torch.ones(3, 3))
    assert (SMALL.table[0] - SMALL.table[1]).abs().min() > 1e-3, "the first of the two matters"


def test_the_stationary_masses_do_not_move():
    """A step of the chain from pi leads to pi; both margins of pi are the masses of a symbol."""
    pi = SMALL.stationary
    close(torch.einsum("ab,abc->bc", pi, SMALL.table), pi)
    close(pi.sum(), 1.0)
    assert (pi > 0).all()
    close(pi.sum(0), pi.sum(1))
    assert pi.shape == (3, 3)


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_log_prob_and_entropy_by_enumeration(length):
    p = SMALL.log_prob(rows(3, length)).exp()
    close(p.sum(), 1.0)
    close(-(p * p.log()).sum(), SMALL.entropy(length))


def test_any_part_of_a_row_has_the_same_law():
    """Stationary: the masses of (x_2, x_3, x_4) are those of (x_1, x_2, x_3)."""
    p = SMALL.log_prob(rows(3, 4)).exp().view(3, 27)
    close(p.sum(0), SMALL.log_prob(rows(3, 3)).exp())


def test_the_entropy_rate_is_what_one_more_symbol_costs():
    close(SMALL.entropy(7) - SMALL.entropy(6), SMALL.entropy_rate)
    close(SMALL.entropy(400) / 400, SMALL.entropy_rate, 1e-2)
    assert SMALL.entropy_rate < SMALL.entropy(2) - SMALL.entropy(1) < SMALL.entropy(1)


def test_samples_come_as_often_as_log_prob_says():
    events = rows(3, 4)
    p, n = SMALL.log_prob(events).exp(), 40_000
    with seeded(1):
        x = SMALL.sample(n, 4)
    hits = (x[:, None] == events).all(-1).double().mean(0)
    assert ((hits - p).abs() < 5 * (p * (1 - p) / n).sqrt()).all()
    assert SMALL.sample(2, 1).shape == (2, 1) and SMALL.sample(1, 2).shape == (1, 2)


def test_the_test_rows_have_the_entropy_of_the_source():
    data = markov_text()
    assert [len(p) for p in (data.train, data.validation, data.test)] == [6000, 200, 1000] and data.test.shape[1] == 64
    nll = -data.log_prob(data.test)
    assert abs(nll.mean().item() - data.entropy(64)) < 5 * nll.std().item() / len(nll) ** 0.5
    assert len(data.vocabulary) == 12 == len(data.table)
    assert torch.equal(data.train, markov_text().train) and not torch.equal(data.train, markov_text(seed=1).train)


def test_no_contrast_is_no_structure():
    flat = markov_text(4, length=3, sizes=(5, 1, 1), contrast=0.0)
    assert flat.entropy_rate == pytest.approx(math.log(4)) == flat.entropy(1)


def test_ngrams_are_counted_as_by_hand():
    train, x = SMALL.train, SMALL.test
    for order in (0, 1, 2):
        runs = Counter(tuple(row[t : t + order + 1]) for row in train.tolist() for t in range(5 - order))
        want = []
        for row in x.tolist():
            for t in range(5 - order):
                context = tuple(row[t : t + order])
                seen = sum(runs[(*context, c)] for c in range(3))
                want.append(math.log((runs[tuple(row[t : t + order + 1])] + 0.5) / (seen + 1.5)))
        close(ngram_log_prob(train, x, order=order, symbols=3, alpha=0.5).flatten(), want)


def test_the_right_order_finds_the_source():
    """p(c | a, b) from counts: 20 000 symbols for 18 free numbers are off by 18 / 2 / 12 000 nats or so."""
    nll = [-ngram_log_prob(SMALL.train, SMALL.train, order=k, symbols=3).mean().item() for k in (0, 1, 2)]
    assert nll[0] > nll[1] > nll[2] and abs(nll[2] - SMALL.entropy_rate) < 0.02


def test_a_context_never_seen_knows_nothing():
    p = ngram_log_prob(torch.zeros(1, 9).long(), torch.tensor([[1, 2, 2]]), order=1, symbols=3)
    close(p, [[-math.log(3)] * 2])


# texts ----------------------------------------------------------------------------------------------------------------


def test_a_vocabulary_goes_both_ways():
    letters, words = Vocabulary(("a", "b", " ")), Vocabulary(("the", "cat", "?"), " ")
    assert letters.encode("ab a").tolist() == [0, 1, 2, 0] and letters.decode(torch.tensor([0, 1, 2, 0])) == "ab a"
    assert words.encode("the cat ?").tolist() == [0, 1, 2] and words.decode(torch.tensor([0, 1, 2])) == "the cat ?"
    assert len(words) == 3


def test_the_english_is_the_page_in_three_parts():
    data = english()
    whole = torch.cat([data.train, data.validation, data.test])
    assert data.vocabulary.decode(whole) == PROSE and len(data.vocabulary) == len(set(PROSE))
    assert len(data.train) == int(0.8 * len(PROSE)) and abs(len(data.test) - len(data.validation)) <= 1
    assert whole.dtype == torch.long and list(data.vocabulary.symbols) == sorted(data.vocabulary.symbols)


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: markov_text(1), "symbols must be 2 to 26"),
        (lambda: markov_text(27), "symbols must be 2 to 26"),
        (lambda: markov_text(3, length=0), "at least 1"),
        (lambda: markov_text(3, sizes=(1, 0, 1)), "at least 1"),
        (lambda: markov_text(3, contrast=-1.0), "contrast must be"),
        (lambda: markov_text(3, contrast=math.inf), "contrast must be"),
        (lambda: markov_text(3, contrast=math.nan), "contrast must be"),
        (lambda: markov_text(3, contrast=100.0), "contrast must be 0 to 10, got 100.0"),
        (lambda: SMALL.sample(0, 3), "at least 1"),
        (lambda: SMALL.sample(1, 0), "at least 1"),
        (lambda: SMALL.entropy(0), "length must be at least 1, got 0"),
        (lambda: SMALL.log_prob(torch.tensor([[3]])), "levels 0 to 2; got 3"),
        (lambda: SMALL.log_prob(torch.tensor([1, 2])), r"\[batch, any\]"),
        (lambda: Vocabulary(("a",)).encode("ab"), "got ..b"),
        (lambda: Vocabulary(("a",)).encode(""), "made of the symbols"),
        (lambda: Vocabulary(("a",), " ").encode("a  a"), "made of the symbols"),
        (lambda: ngram_log_prob(SMALL.train, SMALL.test, order=-1, symbols=3), "order must be"),
        (lambda: ngram_log_prob(SMALL.train, SMALL.test, order=5, symbols=3), "got order 5"),
        (lambda: ngram_log_prob(SMALL.train, SMALL.test, order=1, symbols=3, alpha=0), "alpha > 0"),
        (lambda: ngram_log_prob(SMALL.train, SMALL.test, order=1, symbols=2), "levels 0 to 1"),
    ],
)
def test_what_cannot_be(act, words):
    with pytest.raises(ValueError, match=words):
        act()
