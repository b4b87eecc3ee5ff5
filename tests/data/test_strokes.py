"""The density of a word's steps against scipy, simulation and quadrature; and the helpers that read it."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest, multivariate_normal

from genedu.data import strokes
from genedu.data.letters import ideal
from genedu.data.strokes import UNSEEN, WORDS, decode, encode, inked, read

DATA = strokes(sizes=(600, 10, 100))


def close(got, want, atol=1e-8):
    torch.testing.assert_close(
        torch.as_tensor(got, dtype=torch.float64), torch.as_tensor(want, dtype=torch.float64), rtol=0, atol=atol
    )


def test_the_density_is_scipys():
    """The covariance from the definition: s and k move all offsets together, each offset has noise of its own."""
    x, n, y = DATA.test[0], int(DATA.test_lengths[0]), DATA.test_labels[0]
    steps = ideal(decode(y)).numpy()
    a, b = steps[:, 0], steps[:, 1]
    u, v = np.stack([a, b], 1).ravel(), np.stack([b, 0 * b], 1).ravel()
    c = 0.15**2 * np.eye(2 * n) + 0.1**2 * np.outer(u, u) + 0.15**2 * np.outer(v, v)
    normal = multivariate_normal(u + 0.2 * v, c)
    got = DATA.log_prob(DATA.test[:1], DATA.test_lengths[:1], y[None])
    close(got, normal.logpdf(x[:n, :2].double().numpy().ravel())[None], 1e-6)
    close(DATA.entropy(decode(y)), normal.entropy(), 1e-6)


def test_given_size_and_slant_the_steps_are_independent():
    """p(x | word) = E over s and k of a product of Gaussians, here summed on a lattice of s and k."""
    tiny = strokes(("v",), sizes=(4, 1, 1), sigma=0.5)
    s, k = torch.meshgrid(torch.linspace(0.5, 1.5, 401), torch.linspace(-0.7, 1.1, 401), indexing="ij")
    s, k = s.double(), k.double()
    a, b, _ = ideal("v").T
    weight = torch.distributions.Normal(1.0, 0.1).log_prob(s) + torch.distributions.Normal(0.2, 0.15).log_prob(k)
    x = tiny.train[0].double()
    noise = torch.distributions.Normal(0.0, 0.5)
    each = noise.log_prob(x[:, 0] - s[..., None] * a - k[..., None] * b) + noise.log_prob(x[:, 1] - s[..., None] * b)
    cell = (1.0 / 400) * (1.8 / 400)
    want = (weight + each.sum(-1)).flatten().logsumexp(0) + math.log(cell)
    close(tiny.log_prob(tiny.train[:1], tiny.train_lengths[:1], tiny.train_labels[:1]), want[None], 1e-4)


def test_the_mean_of_log_prob_is_the_entropy():
    """Each row is white after the root of its covariance is taken out: a chi-square with 2 T degrees of freedom."""
    log_p = DATA.log_prob(DATA.train, DATA.train_lengths, DATA.train_labels)
    want = torch.tensor([-DATA.entropy(decode(y)) for y in DATA.train_labels], dtype=torch.float64)
    excess = log_p - want  # T - chi^2 / 2
    sd = DATA.train_lengths.double().sqrt()
    assert abs((excess / sd).mean().item()) < 5 / math.sqrt(600)
    chi2 = 2 * (DATA.train_lengths - excess)
    from scipy.stats import chi2 as law

    assert kstest(law(2 * DATA.train_lengths.numpy()).cdf(chi2.numpy()), "uniform").pvalue > 1e-4


def test_without_the_word_all_words_are_weighed():
    few = strokes(("ice", "air", "oil"), sizes=(5, 1, 1))
    given = torch.stack([few.log_prob(few.train, few.train_lengths, few.encode(w).expand(5, -1)) for w in few.words])
    close(few.log_prob(few.train, few.train_lengths), given.logsumexp(0) - math.log(3))
    own = few.log_prob(few.train, few.train_lengths, few.train_labels)
    close(own - math.log(3), few.log_prob(few.train, few.train_lengths))


def test_another_word_is_impossible():
    x, n = DATA.test[:1], DATA.test_lengths[:1]
    other = "winter" if decode(DATA.test_labels[0]) != "winter" else "ice"
    assert DATA.log_prob(x, n, DATA.encode(other)[None]).item() == -math.inf
    flipped = x.clone()
    flipped[0, 0, 2] = 1 - flipped[0, 0, 2]
    assert DATA.log_prob(flipped, n, DATA.test_labels[:1]).item() == -math.inf


def test_rows_are_padded_and_labelled():
    assert DATA.train.shape == (600, 58, 3) and DATA.train.dtype == torch.float32 and DATA.train_labels.shape == (600, 6)
    for x, n, y in zip(DATA.test, DATA.test_lengths.tolist(), DATA.test_labels, strict=True):
        assert n == len(ideal(decode(y))) and (x[n:] == 0).all() and x[n - 1, 2] == 1
    assert torch.equal(DATA.train, strokes(sizes=(600, 10, 100)).train)
    assert {decode(y) for y in DATA.train_labels} == set(WORDS), "all words occur"


def test_letters_are_numbers():
    assert encode("ace", 5).tolist() == [1, 2, 3, 0, 0] and decode(torch.tensor([1, 2, 3, 0, 0])) == "ace"
    assert DATA.encode("wit").tolist() == encode("wit", 6).tolist()


def test_reading_finds_the_word_whatever_its_size_and_slant():
    words = [decode(y) for y in DATA.test_labels]
    assert read(DATA.test, WORDS + UNSEEN) == words
    stretched = DATA.test.clone()
    stretched[..., :2] = 1.7 * stretched[..., :2]
    stretched[..., 0] += 0.3 * stretched[..., 1]
    assert read(stretched, WORDS + UNSEEN) == words


def test_no_word_begins_as_another_and_the_unseen_are_new():
    every = WORDS + UNSEEN
    assert len(set(every)) == len(every) and not any(a != b and b.startswith(a) for a in every for b in every)


def test_ink_is_cut_where_the_pen_is_lifted():
    x = torch.tensor([[1.0, 0, 0], [1, 0, 1], [5, 5, 1], [1, 1, 0], [1, 1, 0]])
    lines = [part.tolist() for part in inked(x)]
    assert lines == [[[1, 0], [2, 0]], [[7, 5]], [[8, 6], [9, 7]]]
    assert len(inked(x[:2])) == 1


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: strokes(()), "at least 1, got 0 words"),
        (lambda: strokes(sizes=(1, 1)), "three sizes"),
        (lambda: strokes(sizes=(1, 0, 1)), "at least 1"),
        (lambda: strokes(("dog",), sizes=(1, 1, 1)), "made of the letters"),
        (lambda: strokes(sigma=0.0), "positive"),
        (lambda: strokes(slant=-1.0), "positive"),
        (lambda: strokes(size=math.inf), "finite"),
        (lambda: encode("winter", 5), "at most 5"),
        (lambda: encode("dog", 5), "letters"),
        (lambda: DATA.log_prob(DATA.test[..., :2], DATA.test_lengths), r"\[batch, time, 3\]"),
        (lambda: DATA.log_prob(DATA.test, DATA.test_lengths[:3]), "lengths"),
    ],
)
def test_what_cannot_be(act, words):
    with pytest.raises(ValueError, match=words):
        act()
