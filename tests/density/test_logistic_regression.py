"""Oracles for logistic regression: scikit-learn, a table's closed form, the LDA logit, the Bayes error by enumeration."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression as Reference

from genedu.core import seeded
from genedu.data.digits import digits
from genedu.density import GaussianClassifier, LogisticRegression, NaiveBayes
from genedu.fit import fit
from tests.laws import NoCPU, check_loss_is_a_mean, check_one_number_a_row, check_players

F64 = torch.float64
with seeded(5):
    X = torch.randn(120, 4, dtype=F64)
    Y3 = torch.cat([torch.zeros(120, 1).double(), X @ torch.randn(4, 2, dtype=F64) + 0.5], 1)
    Y3 = torch.multinomial(Y3.softmax(1), 1).view(-1)
Y2 = (Y3 > 0).long()
Y_OF = {2: Y2, 3: Y3}
OVERSHOOT = (
    torch.tensor([[0, -2], [0, -1], [-1, -1], [-3, -12], [40, 36], [1, -7], [-1, -1], [-2, -1], [40, 1]], dtype=F64),
    torch.tensor([1, 0, 0, 1, 0, 1, 1, 0, 1]),
)
CLASSES = pytest.mark.parametrize("classes", [2, 3])


def close(got, want, atol=1e-10):
    torch.testing.assert_close(got, torch.as_tensor(want, dtype=got.dtype), rtol=0, atol=atol)


def reference(x, y, l2) -> Reference:
    """scikit-learn's, by a solver that is run to the end."""
    solver = "newton-cg" if y.max() > 1 else "newton-cholesky"
    return Reference(C=1 / l2 if l2 else np.inf, solver=solver, tol=1e-12, max_iter=10_000).fit(x.numpy(), y.numpy())


def objective(model, x, y, l2):
    return len(x) * model.loss((x, y)) + l2 / 2 * model.weight.square().sum()


# laws -----------------------------------------------------------------------------------------------------------------


@CLASSES
def test_the_loss_has_one_player_and_is_a_mean(classes):
    model, y = LogisticRegression(dim=4, classes=classes), Y_OF[classes]
    check_players(model, (X, y))
    assert [p.name for p in model.players()] == ["model"]
    model.fit(X, y)
    check_one_number_a_row(lambda x: model.predict_proba(x)[:, 1], X)
    check_loss_is_a_mean(model.loss, (X, y))
    close(model.loss((X, y)), -model.predict_proba(X)[torch.arange(120), y].log().mean())


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_confident_right_logits_cost_nothing_and_no_logits_log_k(classes):
    y = torch.arange(classes).repeat(2)
    x = torch.eye(classes)[y]
    model = LogisticRegression(dim=classes, classes=classes)
    assert model.logits(x).eq(0).all()
    close(model.loss((x, y)), math.log(classes), 1e-6)
    with torch.no_grad():
        model.weight.copy_(50 * torch.tensor([[-1.0, 1.0]]) if classes == 2 else 50 * torch.eye(classes))
    assert model.loss((x, y)) < 1e-6
    assert model.loss((x, (y + 1) % classes)) > 40


@CLASSES
def test_the_state_goes_into_a_fresh_model(classes):
    model = LogisticRegression().fit(X, Y_OF[classes])
    for fresh in (LogisticRegression(), LogisticRegression().fit(X[:, :2], Y3), LogisticRegression(dim=4)):
        fresh.load_state_dict(model.state_dict())
        assert torch.equal(fresh.predict_proba(X), model.predict_proba(X))
    outer = torch.nn.Sequential(LogisticRegression())
    outer.load_state_dict(torch.nn.Sequential(model).state_dict())
    assert torch.equal(outer[0].logits(X), model.logits(X))
    with pytest.raises(RuntimeError, match="size mismatch"):
        LogisticRegression(dim=5, classes=classes).load_state_dict(model.state_dict())


@CLASSES
def test_shapes_and_precision(classes):
    rows = 1 if classes == 2 else classes
    assert LogisticRegression().fit(X, Y_OF[classes]).weight.dtype == F64
    for model in (LogisticRegression(dim=4, classes=classes), LogisticRegression().fit(X.float(), Y_OF[classes])):
        assert (model.weight.shape, model.bias.shape) == ((rows, 4), (rows,))
        assert model.logits(X).shape == model.predict_proba(X[:1]).expand(120, -1).shape == (120, classes)
        assert model.logits(X).dtype == torch.float32
        assert model.weight.requires_grad
        assert model.bias.requires_grad
    assert LogisticRegression().double().fit(X.float(), Y2).bias.dtype == F64
    whole = (8 * X).round().long()
    assert LogisticRegression().fit(whole, Y2).predict_proba(whole).dtype == torch.float32


def test_a_fit_keeps_the_parameters_that_an_optimiser_holds():
    model = LogisticRegression(dim=4, classes=3)
    held = list(model.parameters())
    assert model.fit(X, Y3) is model
    assert all(a is b for a, b in zip(held, model.parameters(), strict=True))


def test_a_discriminative_model_has_neither_density_nor_samples():
    assert not [name for name in ("log_prob", "sample") if name in dir(LogisticRegression())]


@CLASSES
def test_on_the_meta_device_nothing_touches_the_cpu(classes):
    model, x, y = LogisticRegression().fit(X, Y_OF[classes]).to("meta"), X.to("meta"), Y_OF[classes].to("meta")
    with NoCPU():
        assert model.predict_proba(x).shape == model.logits(x).shape == (120, classes)
        model.loss((x, y)).backward()
    assert model.weight.grad.device.type == "meta"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=4, max_size=4), st.sampled_from([2, 3]), st.sampled_from([1e-6, 1.0, 1e6]))
def test_a_single_row_a_thousand_sigma_away_gets_a_probability(row, classes, l2):
    model = LogisticRegression(l2=l2).fit(X.float(), Y_OF[classes])
    p = model.predict_proba(torch.tensor([row]))
    assert p.isfinite().all()
    torch.testing.assert_close(p.sum(1), torch.ones(1))
    assert model.loss((torch.tensor([row]), torch.tensor([0]))).isfinite()


# oracles --------------------------------------------------------------------------------------------------------------


@CLASSES
@pytest.mark.parametrize("l2", [0.0, 1e-4, 1.0, 100.0])
def test_it_agrees_with_scikit_learn(classes, l2):
    y = Y_OF[classes]
    model, known = LogisticRegression(l2=l2).fit(X, y), reference(X, y, l2)
    close(model.predict_proba(X).detach(), known.predict_proba(X.numpy()), 1e-8)
    if classes == 2 or l2 > 0:
        close(model.weight.detach(), known.coef_, 1e-6)


@CLASSES
@pytest.mark.parametrize("l2", [1e-3, 1.0, 30.0])
def test_the_slope_of_the_objective_vanishes(classes, l2):
    """Features of scale 1e-3 to 1e3, far from the origin: the penalty is on the weights as they are, the bias is free."""
    x = X * torch.tensor([1e-3, 1.0, 30.0, 1e3]) + torch.tensor([1.0, -50.0, 0.0, 1e4])
    model, y = LogisticRegression(l2=l2).fit(x, Y_OF[classes]), Y_OF[classes]
    objective(model, x, y, l2).backward()
    size = x.abs().sum(0)
    assert (model.weight.grad.abs() / size).max() < 1e-9
    assert model.bias.grad.abs().max() < 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_twenty_separable_rows_agree_with_scikit_learn(seed):
    """The learning curve's hard end: 20 rows, 50 bits, C = 1e4."""
    with seeded(seed):
        x, y = torch.randint(2, (20, 50)).double(), torch.arange(20) % 2
    model = LogisticRegression(l2=1e-4).fit(x, y)
    close(model.predict_proba(x).detach(), reference(x, y, 1e-4).predict_proba(x.numpy()), 1e-7)
    objective(model, x, y, 1e-4).backward()
    assert model.weight.grad.abs().max() < 1e-9


def test_a_table_of_one_bit_is_fitted_in_closed_form():
    """One bit is a saturated model: the logits are those of the counts."""
    x = torch.tensor([0.0] * 10 + [1.0] * 20)[:, None].double()
    y = torch.tensor([0] * 7 + [1] * 3 + [0] * 4 + [1] * 16)
    model = LogisticRegression(l2=0.0).fit(x, y)
    close(model.bias.detach(), [math.log(3 / 7)])
    close(model.weight.detach(), [[math.log(16 / 4) - math.log(3 / 7)]])
    close(model.logits(x[:1]).detach(), [[0.0, math.log(3 / 7)]])


def test_a_full_newton_step_can_overshoot_and_is_halved():
    """Full steps from zero diverge on these rows (shown below: the objective rises); the fit ends where the slope is zero."""
    x, y = OVERSHOOT
    design, theta, losses = torch.cat([x, torch.ones(len(x), 1)], 1), torch.zeros(x.shape[1] + 1).double(), []
    for _ in range(8):
        z = design @ theta
        losses.append(torch.nn.functional.binary_cross_entropy_with_logits(z, y.double(), reduction="sum"))
        p = torch.sigmoid(z)
        theta = theta - torch.linalg.pinv(design.T * (p * (1 - p)) @ design) @ design.T @ (p - y)
    assert losses[7] > 4 * losses[6]
    model = LogisticRegression(l2=0.0).fit(x, y)
    objective(model, x, y, 0.0).backward()
    assert model.weight.grad.abs().max() < 1e-9
    assert model.loss((x, y)) < losses[0] / len(x)


def test_many_rows_of_two_gaussians_give_the_lda_logit():
    """Both estimates lie within five standard errors of the true (w, b): the inverse Fisher information for the first."""
    n = 100_000
    truth = GaussianClassifier()
    truth.load_state_dict(
        {
            "log_prior": torch.tensor([0.3, 0.7], dtype=F64).log(),
            "mean": torch.tensor([[0.0, 0.0], [1.0, 0.5]], dtype=F64),
            "covariance": torch.tensor([[1.0, 0.3], [0.3, 0.5]], dtype=F64),
        }
    )
    y = torch.multinomial(truth.log_prior.exp(), n, replacement=True)
    x = truth.sample(n, y)
    known = torch.cat([part.view(-1) for part in truth.logit_weights()])
    model, lda = LogisticRegression(l2=0.0).fit(x, y), GaussianClassifier().fit(x, y)
    mine = torch.cat([model.weight.view(-1), model.bias]).detach()
    generative = torch.cat([part.view(-1) for part in lda.logit_weights()])
    p, design = truth.predict_proba(x)[:, 1], torch.cat([x, torch.ones(n, 1)], 1)
    error = torch.linalg.inv(design.T * (p * (1 - p)) @ design).diagonal().sqrt()
    assert ((mine - known).abs() < 5 * error).all()
    assert ((generative - known).abs() < 5 * error).all()  # LDA is at least as efficient
    assert error.max() < 0.02


@CLASSES
@pytest.mark.parametrize("m", [2, 5])
def test_a_copied_feature_changes_no_prediction(classes, m):
    y = Y_OF[classes]
    copied = torch.cat([X[:, :1].repeat(1, m), X[:, 1:]], 1)
    alone, many = LogisticRegression(l2=0.0).fit(X, y), LogisticRegression(l2=0.0).fit(copied, y)
    close(many.predict_proba(copied), alone.predict_proba(X))


def enumerated(p, copies):
    """All vectors of independent bits with p[y, j], bit j then repeated copies[j] times, and their joint p(x, y) [2^D, 2]."""
    bits = torch.cartesian_prod(*[torch.arange(2)] * p.shape[1])
    joint = 0.5 * torch.where(bits[:, None] == 1, p, 1 - p).prod(-1)  # [2^D, 2]
    return bits.repeat_interleave(copies, 1), joint


def exact_error(model, x, joint):
    return 1 - joint.gather(1, model.predict_proba(x).argmax(1, keepdim=True)).sum()


@pytest.mark.parametrize("correlated", [False, True])
def test_naive_bayes_and_logistic_regression_in_the_limit(correlated):
    """True naive Bayes data: both reach the Bayes error. One bit copied thrice: only logistic regression does."""
    p = torch.tensor([[0.3, 0.38, 0.38, 0.38], [0.7, 0.62, 0.62, 0.62]], dtype=F64)
    x, joint = enumerated(p, torch.tensor([3 if correlated else 1, 1, 1, 1]))
    bayes = joint.min(1).values.sum()
    with seeded(1):
        drawn = torch.multinomial(joint.view(-1), 40_000, replacement=True)
    rows, y = x[drawn // 2], drawn % 2
    naive = exact_error(NaiveBayes().double().fit(rows, y), x, joint)
    logistic = exact_error(LogisticRegression(l2=1e-4).double().fit(rows, y), x, joint)
    close(logistic, bayes, 1e-3)
    if correlated:  # the copies outvote the others, so that naive Bayes errs as if it saw the first bit only
        close(naive, 0.3, 1e-12)
        assert naive > bayes + 0.01
    else:
        close(naive, bayes, 1e-3)


def test_few_rows_favour_naive_bayes():
    """50 weak bits, 20 resamples of 50 rows: the mean accuracy of naive Bayes is above that of logistic regression."""
    p = torch.where(torch.arange(50) % 2 == 0, torch.tensor(0.62), torch.tensor(0.55))
    p = torch.stack([1 - p, p])
    scores = []
    with seeded(0):
        for _ in range(20):
            y = torch.arange(1050) % 2
            x = torch.bernoulli(p[y]).long()
            models = NaiveBayes().fit(x[:50], y[:50]), LogisticRegression(l2=1e-4).fit(x[:50], y[:50])
            scores.append([(m.predict_proba(x[50:]).argmax(1) == y[50:]).double().mean() for m in models])
    naive, logistic = torch.tensor(scores).T
    gap = naive - logistic
    assert gap.mean() > 5 * gap.std() / math.sqrt(20)


# limits ---------------------------------------------------------------------------------------------------------------


@CLASSES
def test_a_heavy_penalty_leaves_the_prior(classes):
    y = Y_OF[classes]
    model = LogisticRegression(l2=1e14).fit(X, y)
    assert model.weight.abs().max() < 1e-10
    close(model.predict_proba(X[:2]), (y.bincount() / 120.0).double().expand(2, -1), 1e-7)


def test_two_classes_have_the_loss_of_one_logit():
    model = LogisticRegression(l2=0.5).fit(X, Y2)
    logit = X @ model.weight[0] + model.bias
    close(model.loss((X, Y2)), torch.nn.functional.binary_cross_entropy_with_logits(logit, Y2.double()))
    close(model.predict_proba(X)[:, 1], torch.sigmoid(logit))


def test_k_rows_of_weights_sum_to_zero():
    """A common shift of all logits changes no p(y|x), and the penalty has its minimum at sum zero."""
    for l2 in (0.0, 1.0):
        model = LogisticRegression(l2=l2).fit(X, Y3)
        close(model.weight.sum(0), torch.zeros(4))
        close(model.bias.sum(), 0)


def test_a_feature_that_tells_nothing_gets_no_weight():
    """The slope is exactly zero at the start: there is nothing to do, and nothing is divided by it."""
    x, y = torch.tensor([[0.0], [1.0], [0.0], [1.0]]), torch.tensor([0, 0, 1, 1])
    for l2 in (0.0, 1.0):
        model = LogisticRegression(l2=l2).fit(x, y)
        assert torch.cat([model.weight.view(-1), model.bias]).eq(0).all()


def test_a_constant_feature_gets_no_weight():
    x = torch.cat([X, torch.full((120, 1), 3.0)], 1)
    for l2 in (0.0, 1.0):
        model = LogisticRegression(l2=l2).fit(x, Y2)
        close(model.weight[:, 4].detach(), [0.0])
        close(model.predict_proba(x), LogisticRegression(l2=l2).fit(X, Y2).predict_proba(X))


def test_the_gradient_loop_comes_to_the_fit_without_penalty():
    model, best = LogisticRegression(dim=4, classes=3).double(), LogisticRegression(l2=0.0).fit(X, Y3)
    fit(model, (X, Y3), rounds=400, batch_size=120, lr=0.1, schedule=lambda t: 1 - t)
    with torch.no_grad():
        floor = best.loss((X, Y3))
        assert floor - 1e-12 <= model.loss((X, Y3)) < floor + 1e-4


@pytest.mark.slow
def test_digits_agree_with_scikit_learn():
    data = digits("unit", flat=True)
    x, y = data.train.double(), data.train_labels
    model = LogisticRegression(l2=1.0).fit(x, y)
    known = reference(x, y, 1.0)
    close(model.predict_proba(data.test.double()).detach(), known.predict_proba(data.test.double().numpy()), 1e-7)


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (torch.tensor([[0.0], [1.0], [2.0], [3.0]]), torch.tensor([0, 0, 1, 1])),  # a threshold
        (torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]]), torch.tensor([0, 0, 1, 1, 2, 2])),
        (torch.tensor([[0.0], [0.0], [0.0], [1.0]]), torch.tensor([0, 1, 0, 1])),  # x = 1 in class 1 only
        (torch.tensor([[0.0], [1.0], [1.0], [2.0]]), torch.tensor([0, 0, 1, 1])),  # they touch at x = 1
        (torch.tensor([[-1.0], [-1.0], [0.0], [1.0], [0.0], [1.0], [1.0]]), torch.tensor([2, 2, 0, 0, 1, 1, 0])),
    ],
)
def test_separable_data_without_penalty_have_no_minimum(x, y):
    with pytest.raises(ValueError, match=r"can be separated.*no minimum.*l2 > 0"):
        LogisticRegression(l2=0.0).fit(x, y)
    for l2 in (1e-8, 1.0):
        assert LogisticRegression(l2=l2).fit(x, y).weight.isfinite().all()


@pytest.mark.parametrize(
    ("x", "y", "options", "words"),
    [
        (X, Y3.double(), {}, "whole numbers"),
        (X, Y3[:-1], {}, "one label a row"),
        (X, Y3, {"classes": 2}, r"0\.\.1"),
        (X, Y3, {"classes": 4}, "class 3 has none"),
        (X, Y3, {"dim": 5}, r"\[batch, 5\]"),
        (X, Y3 * 0, {}, "two classes"),
        (X[:0], Y3[:0], {}, "batch >= 1"),
        (X * float("nan"), Y3, {}, "finite"),
        (X.view(120, 1, 2, 2), Y3, {}, r"use x\.flatten\(1\)"),
    ],
)
def test_bad_data_say_what_must_hold(x, y, options, words):
    with pytest.raises(ValueError, match=words):
        LogisticRegression(**options).fit(x, y)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"l2": -1.0}, "l2 must be at least 0 and finite, got -1"),
        ({"l2": float("nan")}, "l2 must be"),
        ({"l2": float("inf")}, "l2 must be"),
        ({"dim": 0}, "dim must be a whole number of at least 1, or None, got 0"),
        ({"dim": 2.0}, "dim must be a whole number of at least 1, or None, got 2.0"),
        ({"classes": 1}, "classes must be"),
    ],
)
def test_bad_options_say_what_must_hold(options, words):
    with pytest.raises(ValueError, match=words):
        LogisticRegression(**options)


@pytest.mark.parametrize("options", [{}, {"dim": 4}, {"classes": 2}])
def test_use_before_fit_says_so(options):
    model = LogisticRegression(**options)
    for use in (lambda: model.logits(X), lambda: model.predict_proba(X), lambda: model.loss((X, Y2)), model.players):
        with pytest.raises(ValueError, match=r"not fitted.*dim= and classes="):
            use()


def test_bad_rows_get_no_logits():
    model = LogisticRegression().fit(X, Y3)
    with pytest.raises(ValueError, match=r"\[batch, 4\]"):
        model.logits(X[:, :2])
    with pytest.raises(ValueError, match="finite"):
        model.predict_proba(X * float("inf"))
    with pytest.raises(ValueError, match=r"y must be 0\.\.2"):
        model.loss((X, Y3 + 1))
    with pytest.raises(ValueError, match="one label a row"):
        model.loss((X, Y3[:1]))
    assert LogisticRegression(dim=1, classes=2).logits(torch.ones(1, 1)).shape == (1, 2)
