"""Oracles for the classifier two-sample test: Phi(|m|/2) of two Gaussians, the binomial null, real digits against themselves."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.neighbors import KNeighborsClassifier

from genedu.data import digits, ring
from genedu.metrics import classifier_two_sample
from genedu.metrics.two_sample import TwoSample


class Rule:
    """A classifier that was told the rule, and keeps what it was given."""

    def __init__(self, rule):
        self.rule, self.seen = rule, []

    def fit(self, x, y):
        self.seen.append((x, y))

    def predict(self, x):
        return self.rule(x)


def right_of(border):
    return Rule(lambda x: (x[:, 0] > border).astype(int))


# laws -----------------------------------------------------------------------------------------------------------------


class Spy(Rule):
    log = []

    def fit(self, x, y):
        Spy.log.append(("fit", x, y))

    def predict(self, x):
        Spy.log.append(("predict", x, None))
        return np.zeros(len(x))


@pytest.mark.parametrize(("n", "m", "train", "test"), [(10, 10, 5, 5), (7, 7, 3, 4), (20, 9, 4, 5), (9, 20, 4, 5), (2, 2, 1, 1)])
def test_both_halves_are_balanced_and_share_no_row(n, m, train, test):
    Spy.log.clear()
    x, y = torch.arange(n)[:, None], 100 + torch.arange(m)[:, None]
    classifier_two_sample(x, y, classifier=Spy(None))
    (_, fitted, label), (_, asked, _) = Spy.log
    assert sorted(label) == [0] * train + [1] * train and ((fitted[:, 0] >= 100) == label).all()
    assert (asked < 100).sum() == (asked >= 100).sum() == test
    told = {*fitted[:, 0], *asked[:, 0]}
    assert len(told) == 2 * (train + test) and told <= {*x[:, 0].tolist(), *y[:, 0].tolist()}


def test_a_seed_fixes_all_and_nothing_else_moves():
    x, y = torch.randn(60, 3), torch.randn(60, 3) + 0.5
    state, numbers = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    kept = classifier_two_sample(x, y, seed=4)
    assert torch.equal(torch.random.get_rng_state(), state) and (np.random.get_state()[1] == numbers).all()
    torch.set_num_threads(2)
    assert classifier_two_sample(x, y, seed=4) == kept
    assert classifier_two_sample(x, y) == classifier_two_sample(x, y, seed=0)
    assert classifier_two_sample(x, y, seed=1) != classifier_two_sample(x, y, seed=0)
    assert isinstance(kept, TwoSample) and [type(v) for v in kept] == [float] * 3


def test_which_rows_are_taken_changes_with_the_seed():
    one, two = Spy(None), Spy(None)
    Spy.log.clear()
    for seed in (0, 1):
        classifier_two_sample(torch.arange(40.0)[:, None], torch.arange(40.0)[:, None], classifier=one, seed=seed)
    assert not np.array_equal(Spy.log[0][1], Spy.log[2][1])
    x = Spy.log[0][1]
    assert not np.array_equal(x[:20], x[20:]) and not np.array_equal(x[:20, 0], np.arange(20)) and two.seen == []


def test_the_classifier_that_was_given_is_left_as_it_was():
    mine = right_of(0.0)
    classifier_two_sample(torch.randn(10, 2), torch.randn(10, 2), classifier=mine)
    assert mine.seen == []


def test_the_unit_does_not_matter_and_integers_gradients_and_half_precision_are_rows_too():
    x, y = torch.randint(17, (80, 5)), torch.randint(12, (80, 5))
    known = classifier_two_sample(x, y)
    assert known.p_value < 0.05
    assert classifier_two_sample(1024 * x, 1024 * y) == known
    assert classifier_two_sample(x.half(), y.double().requires_grad_()) == known


def test_the_default_is_the_forest_that_the_lesson_names(monkeypatch):
    asked, x, y = [], torch.randn(40, 2), torch.randn(40, 2) + 0.7
    mine = ExtraTreesClassifier(200, min_samples_leaf=2, random_state=5)
    monkeypatch.setattr("sklearn.ensemble.ExtraTreesClassifier", lambda *a, **options: (asked.append((a, options)), mine)[1])
    assert classifier_two_sample(x, y, classifier=mine, seed=5) == classifier_two_sample(x, y, seed=5)
    assert asked == [((200,), {"min_samples_leaf": 2, "random_state": 5})]


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0.0, 1.0, 2.5])
def test_the_best_border_between_two_gaussians_reaches_phi_eq_2(length):
    n = 20_000
    shift = torch.tensor([length, 0.0])
    found = classifier_two_sample(torch.randn(n, 2), torch.randn(n, 2) + shift, classifier=right_of(length / 2))
    known = norm.cdf(length / 2)
    assert found.standard_error == pytest.approx(math.sqrt(found.accuracy * (1 - found.accuracy) / n), abs=1e-15)
    assert abs(found.accuracy - known) < 5 * math.sqrt(known * (1 - known) / n)


def test_a_learned_border_comes_close_and_never_above():
    n, m = 4000, torch.tensor([0.6, -0.8, 0.0, 0.0])
    best = norm.cdf(0.5)
    x, y = torch.randn(n, 4), torch.randn(n, 4) + m
    linear = classifier_two_sample(x, y, classifier=LinearDiscriminantAnalysis())
    assert abs(linear.accuracy - best) < 5 * linear.standard_error
    forest = classifier_two_sample(x[:1500], y[:1500])
    assert 0.62 < forest.accuracy < best + 5 * forest.standard_error and forest.p_value < 1e-9


@pytest.mark.parametrize(("right", "of"), [(5, 10), (8, 10), (10, 10), (0, 10), (620, 1000)])
def test_the_p_value_is_the_normal_tail_eq_3(right, of):
    """The rule gets `right` of `of` test rows: those whose number is below it are told truly."""
    told = Rule(lambda x: np.where(np.arange(of) < right, np.arange(of) >= of // 2, np.arange(of) < of // 2))
    found = classifier_two_sample(torch.zeros(of, 1), torch.zeros(of, 1), classifier=told)
    assert found.accuracy == right / of
    assert found.p_value == pytest.approx(norm.sf((right / of - 0.5) * 2 * math.sqrt(of)), rel=1e-12)


def test_without_a_difference_the_null_holds():
    """400 tests of 100 rows: mean 1/2, variance at most 1/(4 * 100), and p below 0.05 about as often as that."""
    found = [classifier_two_sample(torch.randn(100, 2), torch.randn(100, 2), classifier=right_of(0.3)) for _ in range(400)]
    accuracy = np.array([f.accuracy for f in found])
    assert abs(accuracy.mean() - 0.5) < 5 * 0.05 / math.sqrt(400)
    assert 0.04 < accuracy.std() < 0.0575
    assert sum(f.p_value < 0.05 for f in found) < 400 * 0.05 + 5 * math.sqrt(400 * 0.05 * 0.95)


def test_real_digits_are_like_themselves_and_unlike_one_gaussian():
    """The control and the sanity check of a chapter: 250 held-out rows of each; the Gaussian has the digits' first moments."""
    x = digits(flat=True, values="dequantised").train[torch.randperm(1144)].double()
    same = classifier_two_sample(x[:500], x[500:1000])
    assert abs(same.accuracy - 0.5) < 5 * same.standard_error and same.p_value > 1e-4
    gauss = x.mean(0) + torch.randn(500, 64).double() @ torch.linalg.cholesky(x.T.cov()).T
    apart = classifier_two_sample(x[:500], gauss)
    assert apart.accuracy > 0.95 and apart.p_value < 1e-20
    linear = classifier_two_sample(x[:500], gauss, classifier=LinearDiscriminantAnalysis())
    assert linear.accuracy < 0.65  # a classifier that sees the moments only is fooled: name the classifier


def test_a_missing_mode_is_seen():
    toy = ring(4, sizes=(1500, 1500, 1))
    y = toy.validation[toy.validation_labels != 0]
    found = classifier_two_sample(toy.train, y)  # best: all of the mode to x, and right for 1/8 + 1/2 of the rows
    assert 0.53 < found.accuracy < 0.625 + 5 * found.standard_error and found.p_value < 1e-2


# limits ---------------------------------------------------------------------------------------------------------------


def test_a_constant_answer_is_right_for_exactly_one_half():
    found = classifier_two_sample(torch.randn(51, 2), torch.randn(80, 2), classifier=DummyClassifier())
    assert found.accuracy == 0.5 and found.p_value == pytest.approx(0.5) and found.standard_error == 0.5 / math.sqrt(52)


def test_apart_is_always_told_with_no_error_left():
    found = classifier_two_sample(torch.rand(40, 2), torch.rand(40, 2) + 9)
    assert found.accuracy == 1 and found.standard_error == 0 and found.p_value == pytest.approx(norm.sf(math.sqrt(40)))


def test_copies_on_both_sides_push_the_accuracy_below_one_half():
    """A held-out row whose copy was in training under the other label is told wrong: rows must be independent."""
    x = torch.randn(200, 3)
    found = classifier_two_sample(x, x, classifier=KNeighborsClassifier(1))
    assert found.accuracy < 0.4 and found.p_value > 0.99


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (torch.zeros(4, 1, 8, 8), torch.zeros(4, 64), r"x must be \[rows, features\].*use x.flatten\(1\)"),
        (torch.zeros(4, 2), torch.zeros(4, 3), r"y must be \[rows, 2\]"),
        (torch.zeros(4, 2), torch.full((4, 2), math.inf), "y must be finite; got inf"),
        (torch.zeros(1, 2), torch.zeros(4, 2), "at least 2 rows each, got 1 and 4"),
        (torch.zeros(4, 2), torch.zeros(1, 2), "at least 2 rows each, got 4 and 1"),
    ],
)
def test_bad_input_says_what_must_hold(x, y, words):
    with pytest.raises(ValueError, match=words):
        classifier_two_sample(x, y)


def test_a_classifier_can_fit_and_predict():
    for wrong in (torch.nn.Linear(2, 1), "svm", 3):
        with pytest.raises(TypeError, match=r"classifier must have scikit-learn's fit\(x, y\) and predict\(x\), got"):
            classifier_two_sample(torch.zeros(4, 2), torch.zeros(4, 2), classifier=wrong)
    columns = Rule(lambda x: np.zeros((len(x), 1)))
    with pytest.raises(ValueError, match=r"predict must return one label a row, \[4\], got \[4, 1\]"):
        classifier_two_sample(torch.zeros(4, 2), torch.zeros(4, 2), classifier=columns)
