"""The two classifiers behind the curves are what they say, and the curves tell them apart with a margin."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB

from genedu.checks.learning_curves import learning_curves, logistic_regression, naive_bayes, rows
from genedu.core import seeded
from genedu.density import LogisticRegression as Library

SEEDS = range(20)


@pytest.fixture(scope="module")
def data():
    with seeded(3):
        return rows(200, 2, torch.linspace(0.55, 0.7, 6).double(), 2)


# laws ---------------------------------------------------------------------------------------------------------------


def test_rows_have_the_frequencies_and_the_copies_they_should_have():
    p = torch.tensor([0.8, 0.6, 0.8])
    with seeded(0):
        x, y = (t[0] for t in rows(20_000, 1, p, 1))
    error = 5 * 0.5 / 10_000**0.5 / 0.99  # five standard errors, 10 000 rows a class
    assert abs(y.mean() - 0.5) < 5 * 0.5 / 20_000**0.5
    for label, chance in ((1, p), (0, 1 - p)):
        assert ((x[y == label].mean(0) - chance).abs() < error).all()
        same = (x[y == label][:, 2] == x[y == label][:, 0]).double().mean()
        assert abs(same - (0.9 + 0.1 * (0.8**2 + 0.2**2))) < error
        assert abs(torch.corrcoef(x[y == label].T)[0, 1]) < 5 / 9_000**0.5
    assert set(x.unique().tolist()) == set(y.unique().tolist()) == {0.0, 1.0}


def test_curves_come_from_the_seed():
    again = learning_curves.__wrapped__(0)
    for (n, *curves), (m, *others) in zip(learning_curves(0), again, strict=True):
        assert n == m
        assert all(torch.equal(a, b) for a, b in zip(curves, others, strict=True))
    assert not torch.equal(learning_curves(0)[0][1], learning_curves(1)[0][1])


@pytest.mark.parametrize("seed", SEEDS)
def test_naive_bayes_is_ahead_at_first_and_gains_less_while_other_rules_fail(seed):
    pairs = learning_curves(seed)
    assert len(pairs) == 9
    for n, bayes, logistic in pairs:
        assert n == sorted(n)
        assert len(n) == len(bayes) == len(logistic) >= 4
        assert bayes[0] - logistic[0] > 0.005
        assert (logistic[-1] - logistic[0]) - (bayes[-1] - bayes[0]) > 0.02
        assert min(bayes.min(), logistic.min()) > 0.5
        assert max(bayes.max(), logistic.max()) < 0.95
    ends = [bool(b[-1] > c[-1]) for _, b, c in pairs]
    averages = [bool(b.mean() > c.mean()) for _, b, c in pairs]
    for rule in (ends, averages):
        assert {True, False} == set(rule)  # neither the rule nor its opposite names all pairs
    assert ends != averages


def test_sizes_begin_at_one_to_two_rows_a_feature_as_the_exercise_says():
    pairs = [pair for seed in SEEDS for pair in learning_curves(seed)]
    assert {n[0] for n, _, _ in pairs} == set(range(55, 66))
    assert {len(n) for n, _, _ in pairs} == {5}
    assert {n[-1] // n[0] for n, _, _ in pairs} == {6, 30, 40}


# oracles ------------------------------------------------------------------------------------------------------------


def test_naive_bayes_is_that_of_scikit_learn(data):
    x, y = data
    w, b = naive_bayes(x, y)
    for r in range(2):
        prior = (y[r].sum().item() + 1) / (len(y[r]) + 2)
        oracle = BernoulliNB(alpha=1, class_prior=[1 - prior, prior]).fit(x[r], y[r])
        log_proba = torch.from_numpy(oracle.predict_log_proba(x[r]))
        assert torch.allclose(x[r] @ w[r] + b[r], log_proba[:, 1] - log_proba[:, 0], atol=1e-9)


def test_logistic_regression_is_that_of_scikit_learn(data):
    x, y = data
    w, b = logistic_regression(x, y)
    for r in range(2):
        oracle = LogisticRegression(C=100, tol=1e-10, solver="newton-cholesky").fit(x[r], y[r])
        assert torch.allclose(w[r], torch.from_numpy(oracle.coef_[0]), atol=1e-5)
        assert torch.allclose(b[r], torch.tensor(oracle.intercept_[0]), atol=1e-5)


def test_few_separable_rows_are_fitted_to_the_end():
    """55 rows of 30 features: the fit that the library comes to, bias included."""
    with seeded(4):
        x, y = rows(55, 3, torch.full((30,), 0.6, dtype=torch.float64), 0)
    w, b = logistic_regression(x, y)
    for r in range(3):
        model = Library(l2=0.01).fit(x[r], y[r].long())
        assert torch.allclose(x[r] @ w[r] + b[r], model.logits(x[r])[:, 1], rtol=0.02, atol=0.02)
