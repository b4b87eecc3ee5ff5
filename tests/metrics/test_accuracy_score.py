"""Oracles for the classification accuracy score: the real-data accuracy, shuffled labels, a rule that was told."""

import math

import numpy as np
import pytest
import torch
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from genedu.data import digits, two_gaussians
from genedu.metrics import classification_accuracy_score as score

DATA = digits(flat=True, values="unit")
REAL = DATA.train, DATA.train_labels, DATA.test, DATA.test_labels


# laws -----------------------------------------------------------------------------------------------------------------


def test_a_seed_fixes_all_and_nothing_else_moves():
    state, numbers = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    kept = score(*REAL, seed=3)
    assert torch.equal(torch.random.get_rng_state(), state) and (np.random.get_state()[1] == numbers).all()
    torch.set_num_threads(2)
    assert score(*REAL, seed=3) == kept and type(kept) is float


def test_order_and_unit_do_not_matter_nor_does_the_dtype():
    order, other = torch.randperm(len(DATA.train)), torch.randperm(len(DATA.test))
    known = score(*REAL)
    assert score(DATA.train[order], DATA.train_labels[order], DATA.test[other], DATA.test_labels[other]) == known
    assert score(1024 * DATA.train, DATA.train_labels, 1024 * DATA.test, DATA.test_labels) == known
    assert score(DATA.train.half().requires_grad_(), DATA.train_labels.int(), DATA.test.double(), DATA.test_labels) == known


def test_the_names_of_the_classes_do_not_matter():
    names = torch.tensor([7, 3, 100, 2, 50, 6, 1, 8, 90, 4])
    assert score(DATA.train, names[DATA.train_labels], DATA.test, names[DATA.test_labels]) == score(*REAL)


def test_the_classifier_that_was_given_is_left_as_it_was():
    mine = KNeighborsClassifier(3)
    found = score(*REAL, classifier=mine)
    assert not hasattr(mine, "classes_")
    x, y, test, truth = (v.numpy() for v in REAL)
    assert found == mine.fit(x, y).score(test, truth)


def test_the_default_is_what_the_lesson_names(monkeypatch):
    assert score(*REAL) == score(*REAL, classifier=SVC(C=10)) != score(*REAL, classifier=SVC(C=0.1))
    asked = []
    monkeypatch.setattr("sklearn.svm.SVC", lambda **options: (asked.append(options), SVC(**options))[1])
    score(*REAL, seed=7)
    assert asked == [{"C": 10, "random_state": 7}]


# oracles --------------------------------------------------------------------------------------------------------------


def test_real_data_as_samples_give_the_real_accuracy_eq_1():
    """A generator that resamples its training rows is as good a teacher as they are, up to the rows it left out."""
    known, n = score(*REAL), len(DATA.test)
    assert known > 0.97
    again = torch.randint(len(DATA.train), (3 * len(DATA.train),))
    found = score(DATA.train[again], DATA.train_labels[again], DATA.test, DATA.test_labels)
    assert abs(found - known) < 5 * math.sqrt(known * (1 - known) / n)


def test_shuffled_labels_leave_chance():
    labels, n = DATA.train_labels[torch.randperm(len(DATA.train))], len(DATA.test)
    assert abs(score(DATA.train, labels, DATA.test, DATA.test_labels) - 0.1) < 5 * math.sqrt(0.09 / n)


def test_labels_that_are_all_turned_by_one_leave_nothing():
    assert score(DATA.train, (DATA.train_labels + 1) % 10, DATA.test, DATA.test_labels) < 0.05


def test_samples_of_the_truth_reach_bayes_and_a_bad_fit_does_not():
    toy, n = two_gaussians(2.0, sizes=(3000, 1, 20_000)), 20_000
    best = 0.5 + 0.5 * math.erf(1 / math.sqrt(2))  # Phi(1)
    found = score(toy.train, toy.train_labels, toy.test, toy.test_labels, classifier=GaussianNB())
    assert abs(found - best) < 5 * math.sqrt(best * (1 - best) / n)
    shifted = score(toy.train + torch.tensor([2.0, 0.0]), toy.train_labels, toy.test, toy.test_labels, classifier=GaussianNB())
    assert shifted < best - 0.05


def test_it_is_the_share_of_right_answers():
    class Rule:
        def fit(self, x, y):
            assert x.shape == (2, 1) and y.tolist() == [0, 1]

        def predict(self, x):
            return (x[:, 0] > 0).astype(int)

    test = torch.tensor([[-2.0], [-1.0], [1.0], [2.0], [3.0]])
    assert score(torch.zeros(2, 1), torch.tensor([0, 1]), test, torch.tensor([0, 1, 1, 1, 0]), classifier=Rule()) == 0.6


# limits ---------------------------------------------------------------------------------------------------------------


def test_one_class_only_is_told_everywhere():
    """A generator that collapsed to one class: its share of the real rows, whatever the classifier."""
    share = (DATA.test_labels == 4).double().mean().item()
    for classifier in (None, SVC(), DecisionTreeClassifier()):
        found = score(DATA.train[:30], torch.full((30,), 4), DATA.test, DATA.test_labels, classifier=classifier)
        assert found == pytest.approx(share, abs=1e-15)


def test_a_class_without_samples_is_lost():
    kept = DATA.train_labels != 3
    found = score(DATA.train[kept], DATA.train_labels[kept], DATA.test, DATA.test_labels)
    share = (DATA.test_labels == 3).double().mean().item()
    assert score(*REAL) - share - 0.02 < found <= 1 - share


# errors ---------------------------------------------------------------------------------------------------------------

X, Y = torch.eye(3), torch.arange(3)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ((X[None], Y, X, Y), r"samples must be \[rows, features\].*use samples.flatten\(1\)"),
        ((X, Y, X[:, :2], Y), r"test must be \[rows, 3\].*got \[3, 2\]"),
        ((X / 0, Y, X, Y), "samples must be finite"),
        ((X, Y[:2], X, Y), r"sample_labels must be \[3\], a whole number a row, got \[2\] of torch.int64"),
        ((X, Y, X, Y[:, None]), r"test_labels must be \[3\], a whole number a row, got \[3, 1\] of torch.int64"),
        ((X, Y.float(), X, Y), r"sample_labels must be \[3\], a whole number a row, got \[3\] of torch.float32: use .*long\(\)"),
        ((X, Y, X, Y > 0), r"test_labels must be .* got \[3\] of torch.bool"),
    ],
)
def test_bad_input_says_what_must_hold(rows, words):
    with pytest.raises(ValueError, match=words):
        score(*rows)


def test_a_classifier_can_fit_and_predict():
    with pytest.raises(TypeError, match=r"classifier must have scikit-learn's fit\(x, y\) and predict\(x\), got Linear"):
        score(X, Y, X, Y, classifier=torch.nn.Linear(2, 1))
