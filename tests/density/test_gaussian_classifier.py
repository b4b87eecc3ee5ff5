"""Oracles for LDA and QDA: scipy's normal density, scikit-learn at equal parameters, the Bayes error in closed form."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm
from sklearn.covariance import ledoit_wolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis

from genedu.core import Density, seeded
from genedu.data.digits import digits
from genedu.density import GaussianClassifier
from tests.laws import NoCPU, check_loss_is_a_mean, check_one_number_a_row, check_sampler

K, D, N = 3, 3, 90
F64 = torch.float64
with seeded(3):
    Y = torch.arange(N) % K
    Y[:12] = 1  # unequal priors
    MIX = torch.randn(K, D, D, dtype=F64)
    X = (torch.randn(N, 1, D, dtype=F64) @ MIX[Y]).squeeze(1) + 2 * torch.randn(K, D, dtype=F64)[Y]
BOTH = pytest.mark.parametrize("shared", [True, False], ids=["lda", "qda"])


def close(got, want, atol=1e-10):
    torch.testing.assert_close(got, torch.as_tensor(want, dtype=got.dtype), rtol=0, atol=atol)


def fitted(shared=True, x=X, y=Y, **options) -> GaussianClassifier:
    return GaussianClassifier(shared_covariance=shared, **options).fit(x, y)


def with_parameters(log_prior, mean, covariance) -> GaussianClassifier:
    model = GaussianClassifier(shared_covariance=covariance.dim() == 2)
    model.load_state_dict({"log_prior": log_prior, "mean": mean, "covariance": covariance})
    return model


def scipy_joint(model, x=X):
    """log p(x, y) [B, K] by scipy from the model's parameters."""
    covariance = model.covariance.expand(len(model.mean), *model.covariance.shape[-2:])
    normals = [multivariate_normal(m, c) for m, c in zip(model.mean.numpy(), covariance.numpy(), strict=True)]
    return np.stack([normal.logpdf(x.numpy()) for normal in normals], 1) + model.log_prior.numpy()


# laws -----------------------------------------------------------------------------------------------------------------


@BOTH
def test_it_is_a_density_with_one_number_a_row(shared):
    model = fitted(shared)
    assert isinstance(model, Density)
    check_sampler(model, X)
    check_one_number_a_row(model.log_prob, X)
    check_one_number_a_row(lambda x: model.log_prob(x, Y[: len(x)]), X)
    check_one_number_a_row(lambda x: model.predict_proba(x)[:, 0], X)


@BOTH
def test_the_loss_is_the_mean_over_rows_of_minus_the_log_joint(shared):
    model = fitted(shared)
    close(model.loss((X, Y)), -model.log_prob(X, Y).mean())
    check_loss_is_a_mean(model.loss, (X, Y))


@BOTH
def test_the_mass_is_one(shared):
    with seeded(1):
        x = torch.randn(60, 2, dtype=F64)
    model = fitted(shared, x * (1 + Y[:60, None]) + 2 * Y[:60, None], Y[:60])
    axis = torch.linspace(-30, 35, 651, dtype=F64)
    x = torch.cartesian_prod(axis, axis)
    cell = (axis[1] - axis[0]) ** 2
    close((model.log_prob(x).exp() * cell).sum(), 1, 1e-9)
    for k in range(K):
        joint = model.log_prob(x, torch.full((len(x),), k)).exp() * cell
        close(joint.sum(), model.log_prior[k].exp(), 1e-9)


@BOTH
def test_samples_have_the_moments_of_their_class(shared):
    model, n = fitted(shared), 40_000
    for k in range(K):
        x = model.sample(n, y=k)
        cov = model.covariance if shared else model.covariance[k]
        assert ((x.mean(0) - model.mean[k]).abs() < 5 * (cov.diagonal() / n).sqrt()).all()
        error = ((cov**2 + torch.outer(cov.diagonal(), cov.diagonal())) / n).sqrt()
        assert ((x.T.cov() - cov).abs() < 5 * error).all()
        assert ((x[:-1] - x[:-1].mean(0)) * (x[1:] - x[1:].mean(0))).mean(0).abs().max() < 5 * cov.max() / math.sqrt(n)


@BOTH
def test_labels_of_samples_come_from_the_prior_or_from_the_wish(shared):
    """Means a thousand sigma apart, so that a row shows its class."""
    mean, cov = torch.tensor([[0.0], [1e3], [2e3]], dtype=F64), torch.ones(1, 1, dtype=F64)
    p, n = torch.tensor([0.5, 0.2, 0.3], dtype=F64), 20_000
    model = with_parameters(p.log(), mean, cov if shared else cov.expand(3, 1, 1))
    hits = (model.sample(n) / 1e3).round().long().view(-1).bincount(minlength=3) / n
    assert ((hits - p).abs() < 5 * (p * (1 - p) / n).sqrt()).all()
    wish = torch.tensor([2, 0, 1, 1])
    assert torch.equal((model.sample(4, wish) / 1e3).round().long().view(-1), wish)
    assert not model.sample(4, wish).requires_grad


@BOTH
def test_the_state_goes_into_a_fresh_model(shared):
    model, fresh = fitted(shared), GaussianClassifier(shared_covariance=shared)
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(fresh.log_prob(X, Y), model.log_prob(X, Y))
    assert set(model.state_dict()) == {"log_prior", "mean", "covariance"}
    assert model.covariance.shape == ((D, D) if shared else (K, D, D))


@BOTH
def test_precision_follows_the_data_and_the_model(shared):
    assert fitted(shared).sample(2).dtype == F64
    single = fitted(shared, X.float())
    assert single.log_prob(X).dtype == torch.float32
    assert torch.allclose(single.log_prob(X).double(), fitted(shared).log_prob(X), rtol=1e-4, atol=1e-4)
    assert GaussianClassifier(shared_covariance=shared).double().fit(X.float(), Y).mean.dtype == F64
    whole = (X * 8).round().long()
    assert fitted(shared, whole).log_prob(whole).dtype == torch.float32
    model = single.fit(X, Y)
    assert model.mean.dtype == F64
    assert model is single


@BOTH
def test_on_the_meta_device_nothing_touches_the_cpu(shared):
    model, x, y = fitted(shared).to("meta"), X.to("meta"), Y.to("meta")
    observed = torch.ones(D, dtype=torch.bool, device="meta")
    with NoCPU():
        assert model.log_prob(x).shape == (N,)
        assert model.log_prob(x, y, observed=observed).shape == (N,)
        assert model.predict_proba(x, observed=observed).shape == (N, K)
        assert model.loss((x, y)).shape == ()
        assert model.sample(5).shape == model.sample(5, 1).shape == model.sample(5, y[:5]).shape == (5, D)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, K - 1), st.floats(-1e3, 1e3), st.lists(st.floats(-1, 1), min_size=D, max_size=D), st.booleans())
def test_a_single_row_a_thousand_sigma_away_is_scored(k, far, direction, shared):
    for dtype in (torch.float32, F64):
        model = fitted(shared, X.to(dtype))
        sigma = (model.covariance if shared else model.covariance[k]).diagonal().sqrt()
        x = (model.mean[k] + far * sigma * torch.tensor(direction, dtype=dtype))[None]
        assert model.log_prob(x).isfinite().all()
        p = model.predict_proba(x)
        assert p.isfinite().all()
        torch.testing.assert_close(p.sum(1), torch.ones(1, dtype=dtype))


# oracles --------------------------------------------------------------------------------------------------------------


@BOTH
def test_scores_agree_with_scipy(shared):
    model = fitted(shared)
    joint = scipy_joint(model)
    close(model.log_joint(X), joint)
    close(model.log_prob(X, Y), joint[np.arange(N), Y])
    close(model.log_prob(X), np.log(np.exp(joint).sum(1)))
    close(model.predict_proba(X), np.exp(joint) / np.exp(joint).sum(1, keepdims=True))


@BOTH
def test_the_fit_is_maximum_likelihood(shared):
    model, x, y = fitted(shared), X.numpy(), Y.numpy()
    share = np.bincount(y) / N
    own = np.stack([np.cov(x[y == k].T, ddof=0) for k in range(K)])
    close(model.log_prior, np.log(share))
    close(model.mean, np.stack([x[y == k].mean(0) for k in range(K)]))
    close(model.covariance, (share[:, None, None] * own).sum(0) if shared else own)
    for name in ("mean", "log_prior", "covariance"):  # no step away makes the data more likely
        best, there = model.loss((X, Y)), getattr(model, name).clone()
        for step in (0.02, -0.02):
            moved = there + step * (torch.eye(D).double() if name == "covariance" else torch.arange(3.0).double())
            setattr(model, name, moved.log_softmax(0) if name == "log_prior" else moved)
            assert model.loss((X, Y)) > best
        setattr(model, name, there)


@pytest.mark.parametrize("s", [0.0, 0.25, 1.0])
def test_lda_agrees_with_scikit_learn_at_equal_shrinkage(s):
    known = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=s).fit(X.numpy(), Y.numpy())
    model = fitted(shrinkage=s)
    close(model.covariance, known.covariance_)
    close(model.predict_proba(X), known.predict_proba(X.numpy()), 1e-9)


def test_qda_agrees_with_scikit_learn_at_equal_covariances():
    """scikit-learn has divided by n or by n - 1, as its version: its covariances are loaded into ours."""
    known = QuadraticDiscriminantAnalysis(store_covariance=True).fit(X.numpy(), Y.numpy())
    theirs = torch.from_numpy(np.stack(known.covariance_))
    model = fitted(False)
    close(
        with_parameters(model.log_prior, model.mean, theirs).predict_proba(X),
        known.predict_proba(X.numpy()),
        1e-9,
    )


@BOTH
@pytest.mark.parametrize("rows", [9, N])
def test_ledoit_wolf_agrees_with_scikit_learn(shared, rows):
    with seeded(2):
        x = torch.randn(rows, 12, dtype=F64) * torch.linspace(0.5, 2, 12, dtype=F64)
    y = torch.arange(rows) % K
    model = fitted(shared, x, y, shrinkage="ledoit_wolf")
    centred = (x - model.mean[y]).numpy()
    parts = [centred] if shared else [centred[y == k] for k in range(K)]
    want = np.stack([ledoit_wolf(part, assume_centered=True)[0] for part in parts])
    close(model.covariance.view(want.shape), want)


def test_ledoit_wolf_stops_at_full_shrinkage():
    """Here the raw coefficient is above one: n b2 = mean |x|^4 - |S|^2 exceeds n d2, and b2 is cut to d2."""
    x = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.2], [0.0, -1.2]] * 2, dtype=F64)
    y = torch.arange(8) // 4
    model = fitted(x=x, y=y, shrinkage="ledoit_wolf")
    close(model.covariance, 0.61 * torch.eye(2).double())  # (1 + 1.44) / 4, the mean variance
    one = fitted(x=X[:, :1], y=Y, shrinkage="ledoit_wolf")  # one feature: nothing to shrink towards
    close(one.covariance, fitted(x=X[:, :1], y=Y).covariance)


@BOTH
def test_scoring_some_features_integrates_the_others_out(shared):
    model, seen = fitted(shared), torch.tensor([True, False, True])
    axis = torch.linspace(-40, 40, 4001, dtype=F64)
    x = X[:5, None].repeat(1, len(axis), 1)  # [5, 4001, D]
    x[:, :, 1] = axis
    y = Y[:5].repeat_interleave(len(axis))
    step = axis[1] - axis[0]
    for labels, mine in ((y, Y[:5]), (None, None)):
        integral = (model.log_prob(x.flatten(0, 1), labels).exp() * step).view(5, -1).sum(1).log()
        close(model.log_prob(X[:5], mine, observed=seen), integral, 1e-9)
    where = np.ix_([0, 2], [0, 2])
    covariance = model.covariance.expand(K, D, D).numpy()
    normals = [multivariate_normal(m[[0, 2]], c[where]) for m, c in zip(model.mean.numpy(), covariance, strict=True)]
    joint = np.stack([normal.logpdf(X[:, [0, 2]].numpy()) for normal in normals], 1) + model.log_prior.numpy()
    close(model.predict_proba(X, observed=seen), np.exp(joint) / np.exp(joint).sum(1, keepdims=True))
    hidden = X.clone()
    hidden[:, 1] = float("nan")
    assert torch.equal(model.log_prob(hidden, observed=seen), model.log_prob(X, observed=seen))


@BOTH
def test_observing_all_or_nothing(shared):
    model = fitted(shared)
    close(model.log_prob(X, Y, observed=torch.ones(D).bool()), model.log_prob(X, Y))
    close(model.log_prob(X, observed=torch.zeros(D).bool()), torch.zeros(N))
    close(model.log_prob(X, Y, observed=torch.zeros(D).bool()), model.log_prior[Y])
    close(model.predict_proba(X, observed=torch.zeros(D).bool()), model.log_prior.exp().expand(N, K))


@BOTH
def test_the_chain_rule_holds_for_the_mean_log_loss(shared):
    model = fitted(shared)
    conditional = -model.predict_proba(X)[torch.arange(N), Y].log().mean()
    close(model.loss((X, Y)), conditional - model.log_prob(X).mean(), 1e-12)


def test_two_classes_of_one_covariance_have_a_linear_logit():
    x, y = X[Y < 2], Y[Y < 2]
    model = fitted(x=x, y=y)
    w, b = model.logit_weights()
    assert (w.shape, b.shape) == ((D,), ())
    close(torch.sigmoid(X @ w + b), model.predict_proba(X)[:, 1])
    inverse, (m0, m1) = torch.linalg.inv(model.covariance), model.mean
    close(w, inverse @ (m1 - m0))
    close(b, model.log_prior[1] - model.log_prior[0] - (m1 @ inverse @ m1 - m0 @ inverse @ m0) / 2)


@BOTH
def test_the_error_reaches_the_bayes_error_phi_of_minus_half_delta(shared):
    """Two equally frequent Gaussians of one covariance: no rule errs less than Phi(-Delta / 2), and ours comes near."""
    n, cov = 20_000, torch.tensor([[2.0, 0.6], [0.6, 0.5]], dtype=F64)
    mean = torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=F64)
    delta = ((mean[1] - mean[0]) @ torch.linalg.inv(cov) @ (mean[1] - mean[0])).sqrt()
    bayes = norm.cdf(-delta.item() / 2)
    truth = with_parameters(torch.tensor([0.5, 0.5], dtype=F64).log(), mean, cov)
    y = torch.arange(n) % 2
    x = truth.sample(n, y)
    wrong = (truth.predict_proba(x).argmax(1) != y).double().mean()
    assert abs(wrong - bayes) < 5 * math.sqrt(bayes * (1 - bayes) / n)
    model = fitted(shared, x, y)
    wrong = (model.predict_proba(x).argmax(1) != y).double().mean()
    assert abs(wrong - bayes) < 5 * math.sqrt(bayes * (1 - bayes) / n)
    if shared:  # the error of a linear rule is known exactly: each side is one-dimensional
        w, b = model.logit_weights()
        margin, sigma = (mean @ w + b) * torch.tensor([-1.0, 1.0]).double(), (w @ cov @ w).sqrt()
        error = norm.cdf(-(margin / sigma).numpy()).mean()
        assert bayes <= error < bayes + 10 / n  # the excess falls like 1 / n


def test_rows_of_smaller_variance_score_higher_and_the_centre_highest():
    """E_q[log p] - E_p[log p] = -1/2 sum (s_q^2 - s_p^2) / s_p^2 for centred Gaussians; 2D points carry a variance exactly."""
    dim, variance = 16, torch.linspace(0.5, 2, 16, dtype=F64)
    model = with_parameters(torch.tensor([0.5, 0.5], dtype=F64).log(), torch.zeros(2, dim, dtype=F64), variance.diag())

    def mean_score(v):
        points = torch.cat([(dim * v).sqrt().diag(), -(dim * v).sqrt().diag()])  # [2D, D], covariance diag(v)
        return model.log_prob(points).mean()

    for factor in (0.3, 2.0):
        known = -0.5 * ((factor - 1) * variance / variance).sum()
        close(mean_score(factor * variance) - mean_score(variance), known)
    x = model.sample(2000)
    assert (model.log_prob(x) < model.log_prob(torch.zeros(1, dim, dtype=F64))).all()
    norm2 = (x**2 / variance).sum(1)
    assert (norm2 - dim).mean().abs() < 5 * math.sqrt(2 * dim / 2000)
    assert norm2.min() > 1  # the centre is likelier than all of them, and none of them is near it


# limits ---------------------------------------------------------------------------------------------------------------


def test_qda_with_equal_covariances_is_lda():
    cloud = X[:30] - X[:30].mean(0)
    x, y = torch.cat([cloud, cloud + 1, cloud - 2]), torch.arange(3).repeat_interleave(30)
    linear, quadratic = fitted(True, x, y), fitted(False, x, y)
    close(quadratic.covariance, linear.covariance.expand(K, D, D))
    close(quadratic.log_prob(X, Y), linear.log_prob(X, Y))
    close(quadratic.predict_proba(X), linear.predict_proba(X))


def test_two_equal_classes_are_one_gaussian():
    x, y = torch.cat([X, X]), torch.arange(2).repeat_interleave(N)
    known = multivariate_normal(X.mean(0).numpy(), np.cov(X.T.numpy(), ddof=0)).logpdf(X.numpy())
    close(fitted(x=x, y=y).log_prob(X), known)
    close(fitted(x=x, y=y).predict_proba(X), torch.full((N, 2), 0.5))


@BOTH
def test_full_shrinkage_leaves_a_ball_of_the_mean_variance(shared):
    model = fitted(shared, shrinkage=1.0)
    free = fitted(shared).covariance
    size = free.diagonal(dim1=-2, dim2=-1).mean(-1)
    close(model.covariance, size[..., None, None] * torch.eye(D))
    close(fitted(shared, shrinkage=0.5).covariance, (free + model.covariance) / 2)


@BOTH
def test_features_of_very_different_scale_are_no_singular_covariance(shared):
    scale = torch.tensor([1e-6, 1.0, 1e6], dtype=F64)
    close(fitted(shared, X * scale).predict_proba(X * scale), fitted(shared).predict_proba(X))


@BOTH
@pytest.mark.parametrize("shrinkage", [0.1, "ledoit_wolf"])
def test_digits_with_their_constant_pixels_are_classified_once_shrunk(shared, shrinkage):
    data = digits("unit", flat=True)
    model = fitted(shared, data.train, data.train_labels, shrinkage=shrinkage)
    right = (model.predict_proba(data.test).argmax(1) == data.test_labels).float().mean()
    assert right > 0.9  # chance is 0.1
    with pytest.raises(ValueError, match="constant"):
        fitted(shared, data.train, data.train_labels)


# errors ---------------------------------------------------------------------------------------------------------------

FEW = torch.arange(6) % 3


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize(
    "x",
    [
        torch.cat([X, torch.full((N, 1), 0.1)], 1),  # a constant
        torch.cat([X, X[:, :1] - 0.3 * X[:, 1:2]], 1),  # a combination of others
        torch.cat([X, 7 * X[:, 2:] + 1], 1),  # a copy
    ],
    ids=["constant", "combination", "copy"],
)
def test_a_singular_covariance_names_the_cure(shared, dtype, x):
    with pytest.raises(ValueError, match=r"not positive definite.*constant.*rows than features.*shrinkage="):
        fitted(shared, x.to(dtype), Y)
    assert fitted(shared, x.to(dtype), Y, shrinkage=0.1).log_prob(x).isfinite().all()


def test_too_few_rows_name_the_cure_and_the_class():
    with pytest.raises(ValueError, match=r"the covariance is not positive definite.*shrinkage="):
        fitted(x=X[:5], y=torch.tensor([0, 0, 1, 1, 2]))  # 5 rows less 3 means span 2 of 3 dimensions
    assert fitted(x=X[:6], y=FEW).covariance.isfinite().all()
    with pytest.raises(ValueError, match="the covariance of class 2 is not positive definite"):
        fitted(False, X[:11], torch.tensor([0] * 4 + [1] * 4 + [2] * 3))
    with pytest.raises(ValueError, match="not positive definite"):
        fitted(x=torch.ones(6, 2), y=FEW, shrinkage="ledoit_wolf")  # no variance at all
    for shrinkage in (0.0, 0.5, "ledoit_wolf"):
        with pytest.raises(ValueError, match="of class 0 is not positive definite"):
            fitted(False, X[:3], torch.arange(3), shrinkage=shrinkage)


@pytest.mark.parametrize(
    ("x", "y", "options", "words"),
    [
        (X, Y.float(), {}, "whole numbers"),
        (X, Y[:-1], {}, "one label a row"),
        (X, Y, {"classes": 2}, r"0\.\.1"),
        (X, Y, {"classes": 4}, "class 3 has none"),
        (X, Y * 0, {}, "two classes"),
        (X[:0], Y[:0], {}, "batch >= 1"),
        (X * float("nan"), Y, {}, "finite"),
        (X.view(N, 1, 1, D), Y, {}, r"use x\.flatten\(1\)"),
    ],
)
def test_bad_data_say_what_must_hold(x, y, options, words):
    with pytest.raises(ValueError, match=words):
        GaussianClassifier(**options).fit(x, y)


@pytest.mark.parametrize("shrinkage", [-0.1, 1.1, float("nan"), "auto", None])
def test_bad_options_say_what_must_hold(shrinkage):
    with pytest.raises(ValueError, match=r"shrinkage must be a number in \[0, 1\] or 'ledoit_wolf', got"):
        GaussianClassifier(shrinkage=shrinkage)
    with pytest.raises(ValueError, match="classes must be"):
        GaussianClassifier(classes=1)


@pytest.mark.parametrize("use", ["log_prob", "predict_proba", "sample", "logit_weights", "loss"])
def test_use_before_fit_says_so(use):
    arguments = {"sample": (3,), "logit_weights": (), "loss": ((X, Y),)}.get(use, (X,))
    with pytest.raises(ValueError, match="not fitted"):
        getattr(GaussianClassifier(), use)(*arguments)


def test_bad_rows_are_not_scored():
    model = fitted()
    for score in (model.log_prob, model.predict_proba):
        with pytest.raises(ValueError, match=r"\[batch, 3\]"):
            score(X[:, :2])
        with pytest.raises(ValueError, match="observed must be"):
            score(X, observed=torch.ones(2).bool())
    with pytest.raises(ValueError, match=r"y must be 0\.\.2"):
        model.log_prob(X, Y + 1)
    with pytest.raises(ValueError, match="one label a row"):
        model.log_prob(X, Y[:1])
    with pytest.raises(ValueError, match="two classes and a shared covariance, got 3 classes"):
        model.logit_weights()
    with pytest.raises(ValueError, match="two classes and a shared covariance"):
        fitted(False, X[Y < 2], Y[Y < 2]).logit_weights()
