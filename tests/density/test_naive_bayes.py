"""Oracles for naive Bayes: all 2^D vectors, scikit-learn at equal parameters, the linear logit of the card."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.naive_bayes import BernoulliNB, GaussianNB

from genedu.core import Density, seeded
from genedu.data.digits import digits
from genedu.density import GaussianClassifier, NaiveBayes
from tests.laws import NoCPU, check_loss_is_a_mean, check_one_number_a_row, check_sampler

K, D, N = 3, 4, 60
F64 = torch.float64
with seeded(4):
    Y = torch.arange(N) % K
    Y[:10] = 1  # unequal priors
    BITS = torch.bernoulli(torch.rand(K, D, dtype=F64)[Y]).long()
    REAL = torch.randn(N, D, dtype=F64) * (1 + torch.rand(K, D, dtype=F64))[Y] + 2 * torch.randn(K, D, dtype=F64)[Y]
ALL = torch.cartesian_prod(*[torch.arange(2)] * D)  # [16, 4]
KINDS = pytest.mark.parametrize(("kind", "x"), [("bernoulli", BITS), ("gaussian", REAL)], ids=["bernoulli", "gaussian"])


def close(got, want, atol=1e-10):
    torch.testing.assert_close(got, torch.as_tensor(want, dtype=got.dtype), rtol=0, atol=atol)


def fitted(kind="bernoulli", x=BITS, y=Y, **options) -> NaiveBayes:
    return NaiveBayes(kind=kind, **options).double().fit(x, y)


# laws -----------------------------------------------------------------------------------------------------------------


@KINDS
def test_it_is_a_density_with_one_number_a_row(kind, x):
    model = fitted(kind, x)
    assert isinstance(model, Density)
    check_sampler(model, x)
    check_one_number_a_row(model.log_prob, x)
    check_one_number_a_row(lambda x: model.log_prob(x, Y[: len(x)]), x)
    check_one_number_a_row(lambda x: model.predict_proba(x)[:, 0], x)


@KINDS
def test_the_loss_is_the_mean_over_rows_of_minus_the_log_joint(kind, x):
    model = fitted(kind, x)
    close(model.loss((x, Y)), -model.log_prob(x, Y).mean())
    check_loss_is_a_mean(model.loss, (x, Y))


@pytest.mark.parametrize("laplace", [0.0, 1.0])
def test_all_vectors_have_mass_one(laplace):
    model = fitted(laplace=laplace)
    close(model.log_prob(ALL).exp().sum(), 1)
    for k in range(K):
        close(model.log_prob(ALL, torch.full((16,), k)).exp().sum(), model.log_prior[k].exp())


def test_the_gaussian_kind_has_mass_one():
    model = fitted("gaussian", REAL[:, :2])
    axis = torch.linspace(-25, 25, 501, dtype=F64)
    joint = [model.log_prob(torch.cartesian_prod(axis, axis), torch.full((501**2,), k)).exp().sum() * 0.01 for k in range(K)]
    close(torch.stack(joint), model.log_prior.exp(), 1e-9)


def test_bits_are_drawn_as_often_as_log_prob_says():
    model, n = fitted(), 40_000
    code = torch.tensor([8, 4, 2, 1])
    p = model.log_prob(ALL).exp()
    hits = (model.sample(n) @ code).bincount(minlength=16) / n
    assert ((hits - p).abs() < 5 * (p / n).sqrt()).all()
    with seeded(0):
        y = torch.multinomial(model.log_prior.exp(), n, replacement=True)
    x = model.sample(n, y)
    for k in range(K):
        p = model.log_prob(ALL, torch.full((16,), k)).exp()
        hits = (x[y == k] @ code).bincount(minlength=16) / n
        assert ((hits - p).abs() < 5 * (p / n).sqrt()).all()
        alone = (model.sample(n, k) @ code).bincount(minlength=16) / n
        p = p / model.log_prior[k].exp()
        assert ((alone - p).abs() < 5 * (p / n).sqrt()).all()


def test_real_samples_have_the_moments_of_their_class():
    model, n = fitted("gaussian", REAL), 40_000
    for k in range(K):
        x = model.sample(n, k)
        assert ((x.mean(0) - model.mean[k]).abs() < 5 * (model.variance[k] / n).sqrt()).all()
        assert ((x.var(0) / model.variance[k] - 1).abs() < 5 * math.sqrt(2 / n)).all()
        assert (x.T.corrcoef() - torch.eye(D).double()).abs().max() < 5 / math.sqrt(n)
    share, x = model.log_prior.exp(), model.sample(n)
    mean = share @ model.mean
    second = share @ (model.variance + model.mean**2) - mean**2
    assert ((x.mean(0) - mean).abs() < 5 * (second / n).sqrt()).all()


@KINDS
def test_the_state_goes_into_a_fresh_model(kind, x):
    model, fresh = fitted(kind, x), NaiveBayes(kind=kind)
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(fresh.log_prob(x, Y), model.log_prob(x, Y))


@KINDS
def test_precision_follows_the_data_and_the_model(kind, x):
    assert NaiveBayes(kind=kind).fit(x.double(), Y).log_prior.dtype == F64
    single = NaiveBayes(kind=kind).fit(x.float(), Y)
    assert single.log_prob(x).dtype == torch.float32
    assert torch.allclose(single.log_prob(x).double(), fitted(kind, x).log_prob(x), rtol=1e-5, atol=1e-5)
    assert single.sample(3).dtype == (torch.long if kind == "bernoulli" else torch.float32)
    assert NaiveBayes(kind=kind).double().fit(x.float(), Y).log_prior.dtype == F64


def test_single_precision_keeps_the_log_of_a_rare_zero():
    """A bit that is on in all of a million rows is off with p = 1 / (n + 2): 1 - p would have lost all but two digits."""
    n = 1_000_000
    x, y = torch.ones(n, 1, dtype=torch.long), torch.arange(n) % 2
    model = NaiveBayes().fit(x, y)
    off = model.log_prob(torch.zeros(1, 1, dtype=torch.long)).double()
    close(off, [-math.log(n / 2 + 2)], 1e-5)


@KINDS
def test_on_the_meta_device_nothing_touches_the_cpu(kind, x):
    model, x, y = fitted(kind, x).to("meta"), x.to("meta"), Y.to("meta")
    observed = torch.ones(D, dtype=torch.bool, device="meta")
    with NoCPU():
        assert model.log_prob(x).shape == (N,)
        assert model.log_prob(x, y, observed=observed).shape == (N,)
        assert model.predict_proba(x, observed=observed).shape == (N, K)
        assert model.loss((x, y)).shape == ()
        assert model.sample(5).shape == model.sample(5, 1).shape == model.sample(5, y[:5]).shape == (5, D)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, K - 1), st.floats(-1e3, 1e3), st.lists(st.floats(-1, 1), min_size=D, max_size=D))
def test_a_single_row_a_thousand_sigma_away_is_scored(k, far, direction):
    for dtype in (torch.float32, F64):
        model = NaiveBayes(kind="gaussian").fit(REAL.to(dtype), Y)
        x = (model.mean[k] + far * model.variance[k].sqrt() * torch.tensor(direction, dtype=dtype))[None]
        assert model.log_prob(x).isfinite().all()
        torch.testing.assert_close(model.predict_proba(x).sum(1), torch.ones(1, dtype=dtype))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 2000), st.integers(0, 1), st.sampled_from([0.0, 1e-6, 1.0, 1e6]))
def test_many_equal_bits_give_no_nan(dim, bit, laplace):
    x, y = torch.tensor([[0], [1], [0], [1]]).repeat(1, dim), torch.tensor([0, 0, 1, 1])
    x[0], x[2:] = bit, 1 - bit  # class 1 never shows `bit`
    model = NaiveBayes(laplace=laplace).fit(x, y)
    row = torch.full((1, dim), bit)
    p = model.predict_proba(row)
    assert not model.log_prob(row).isnan().any()
    torch.testing.assert_close(p.sum(1), torch.ones(1))
    assert p[0, 0] >= 0.5


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("laplace", [0.01, 1.0, 7.0])
def test_the_bernoulli_kind_agrees_with_scikit_learn(laplace):
    known = BernoulliNB(alpha=laplace).fit(BITS.numpy(), Y.numpy())
    model = fitted(laplace=laplace)
    close(model.log_joint(ALL), known.predict_joint_log_proba(ALL.numpy()))
    close(model.predict_proba(ALL), known.predict_proba(ALL.numpy()))
    close(torch.nn.functional.logsigmoid(model.log_odds), known.feature_log_prob_)
    close(model.log_prior, known.class_log_prior_)


@pytest.mark.parametrize("smoothing", [1e-9, 0.1, 2.0])
def test_the_gaussian_kind_agrees_with_scikit_learn(smoothing):
    x = REAL * torch.tensor([1.0, 10.0, 0.1, 2.0])  # the largest variance is that of one feature
    known = GaussianNB(var_smoothing=smoothing).fit(x.numpy(), Y.numpy())
    model = fitted("gaussian", x, var_smoothing=smoothing)
    close(model.mean, known.theta_)
    close(model.variance, known.var_)
    close(model.log_joint(x), known.predict_joint_log_proba(x.numpy()), 1e-9)
    close(model.predict_proba(x), known.predict_proba(x.numpy()))


def test_scores_are_those_of_the_definitions():
    model = fitted()
    for k in range(K):
        count = Y.eq(k).sum()
        p = (BITS[Y == k].sum(0) + 1) / (count + 2.0).double()
        want = (count / N).log() + torch.where(ALL == 1, p, 1 - p).log().sum(1)
        close(model.log_prob(ALL, torch.full((16,), k)), want, 1e-7)  # count / N is in single precision
    model = fitted("gaussian", REAL, var_smoothing=0.0)
    own = REAL[Y == 1].numpy()
    want = norm(own.mean(0), own.std(0)).logpdf(REAL.numpy()).sum(1) + math.log((Y == 1).sum() / N)
    close(model.log_prob(REAL, torch.ones(N).long()), want, 1e-6)
    close(model.log_prob(REAL).exp(), sum(model.log_prob(REAL, torch.full((N,), k)).exp() for k in range(K)))


def test_scoring_some_bits_sums_the_others_out():
    model, seen = fitted(), torch.tensor([True, False, False, True])
    for k in (None, 0, 2):
        y = None if k is None else torch.full((16,), k)
        total = model.log_prob(ALL, y).exp().view(2, 4, 2).sum(1, keepdim=True).expand(2, 4, 2).reshape(-1)
        close(model.log_prob(ALL, y, observed=seen).exp(), total)
    joint = model.log_joint(ALL).exp().view(2, 4, 2, K).sum(1, keepdim=True).expand(2, 4, 2, K).reshape(-1, K)
    close(model.predict_proba(ALL, observed=seen), joint / joint.sum(1, keepdim=True))
    close(model.log_prob(ALL, observed=torch.zeros(D).bool()), torch.zeros(16))
    close(model.log_prob(ALL, observed=torch.ones(D).bool()), model.log_prob(ALL))


def test_scoring_some_real_features_integrates_the_others_out():
    model, seen = fitted("gaussian", REAL), torch.tensor([True, True, False, True])
    axis = torch.linspace(-40, 40, 4001, dtype=F64)
    x = REAL[:3, None].repeat(1, len(axis), 1)
    x[:, :, 2] = axis
    integral = (model.log_prob(x.flatten(0, 1)).exp() * 0.02).view(3, -1).sum(1).log()
    close(model.log_prob(REAL[:3], observed=seen), integral, 1e-9)
    hidden = REAL.clone()
    hidden[:, 2] = float("nan")
    assert torch.equal(model.log_prob(hidden, observed=seen), model.log_prob(REAL, observed=seen))


@KINDS
def test_the_chain_rule_holds_for_the_mean_log_loss(kind, x):
    model = fitted(kind, x)
    conditional = -model.predict_proba(x)[torch.arange(N), Y].log().mean()
    close(model.loss((x, Y)), conditional - model.log_prob(x).mean(), 1e-12)


def test_two_classes_of_bits_have_a_linear_logit():
    model = fitted(x=BITS[Y < 2], y=Y[Y < 2])
    w, b = model.logit_weights()
    assert (w.shape, b.shape) == ((D,), ())
    close(torch.sigmoid(ALL.double() @ w + b), model.predict_proba(ALL)[:, 1], 1e-12)
    p0, p1 = torch.sigmoid(model.log_odds)
    prior = model.log_prior.exp()
    close(w, (p1 * (1 - p0) / (p0 * (1 - p1))).log())
    close(b, (prior[1] / prior[0]).log() + ((1 - p1) / (1 - p0)).log().sum())


@pytest.mark.parametrize("m", [2, 5])
def test_a_copied_feature_counts_as_often_as_it_is_copied(m):
    """The over-confidence of naive Bayes: m copies of a bit scale its log-odds by m exactly."""
    x, y = BITS[Y < 2], Y[Y < 2]
    w, b = fitted(x=x, y=y).logit_weights()
    copied = torch.cat([x[:, :1].repeat(1, m), x[:, 1:]], 1)
    more, shift = fitted(x=copied, y=y).logit_weights()
    off, on = torch.zeros(m + D - 1).double(), torch.zeros(m + D - 1).double()
    on[:m] = 1
    close((on - off) @ more, m * w[0])
    close(more[m:], w[1:])
    _, without = fitted(x=x[:, 1:], y=y).logit_weights()
    close(shift - without, m * (b - without))


@pytest.mark.slow
def test_digits_are_classified_far_above_chance():
    data = digits("binary", flat=True)
    model = NaiveBayes().fit(data.train, data.train_labels)
    known = BernoulliNB().fit(data.train.numpy(), data.train_labels.numpy())
    theirs = known.predict_joint_log_proba(data.test.numpy())
    torch.testing.assert_close(model.log_joint(data.test).double(), torch.from_numpy(theirs), rtol=1e-5, atol=1e-4)
    assert (model.predict_proba(data.test).argmax(1) == data.test_labels).float().mean() > 0.8
    assert -model.log_prob(data.test).mean() < 25.17 - 2  # independent pixels, no classes: 25.17 nats (method card)


# limits ---------------------------------------------------------------------------------------------------------------


def test_without_smoothing_what_never_came_is_impossible_and_nothing_is_nan():
    x = torch.tensor([[0, 0], [0, 1], [1, 1], [1, 1]])
    y = torch.tensor([0, 0, 1, 1])
    model = NaiveBayes(laplace=0.0).double().fit(x, y)
    log_p = model.log_joint(torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]))
    half, none = math.log(0.5), -math.inf
    close(log_p, [[2 * half, none], [2 * half, none], [none, none], [none, half]])
    close(model.log_prob(torch.tensor([[1, 0], [1, 1]])), [none, half])
    close(model.predict_proba(torch.tensor([[0, 0], [1, 1]])), torch.eye(2))
    assert torch.equal(model.sample(50, 1), torch.ones(50, 2).long())
    assert not model.log_prob(torch.tensor([[1, 0]]), observed=torch.tensor([True, False])).isinf().any()
    assert model.loss((x, y)).isfinite()


def test_endless_smoothing_leaves_fair_coins():
    close(fitted(laplace=1e15).log_prob(ALL), [-D * math.log(2)] * 16)


def test_the_gaussian_kind_is_qda_with_the_covariances_cut_to_their_diagonals():
    model, quadratic = fitted("gaussian", REAL, var_smoothing=0.0), GaussianClassifier(shared_covariance=False).fit(REAL, Y)
    quadratic.covariance = torch.diag_embed(quadratic.covariance.diagonal(dim1=1, dim2=2))
    close(model.log_prob(REAL, Y), quadratic.log_prob(REAL, Y))
    close(model.log_prob(REAL), quadratic.log_prob(REAL))


def test_a_constant_pixel_is_smoothed():
    x = torch.cat([REAL, torch.zeros(N, 1)], 1)
    assert fitted("gaussian", x).log_prob(x).isfinite().all()
    with pytest.raises(ValueError, match=r"feature 4 has no variance in class 0.*var_smoothing"):
        fitted("gaussian", x, var_smoothing=0.0)
    with pytest.raises(ValueError, match="feature 0 has no variance in class 0"):
        fitted("gaussian", torch.ones(N, 2))
    with pytest.raises(ValueError, match="feature 0 has no variance in class 0"):
        fitted("gaussian", torch.full((N, 2), 0.1))
    x[Y == 0, 4] = torch.arange((Y == 0).sum()).double()
    with pytest.raises(ValueError, match="feature 4 has no variance in class 1"):
        fitted("gaussian", x, var_smoothing=0.0)


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "options", "words"),
    [
        (BITS * 2, Y, {}, r"x must be 0 or 1.*digits\('binary'\).*got 2"),
        (BITS * 0.5, Y, {}, "x must be 0 or 1"),
        (BITS - 1, Y, {}, "x must be 0 or 1"),
        (BITS, Y.float(), {}, "whole numbers"),
        (BITS, Y[:-1], {}, "one label a row"),
        (BITS, Y, {"classes": 2}, r"0\.\.1"),
        (BITS, Y, {"classes": 4}, "class 3 has none"),
        (BITS, Y * 0, {}, "two classes"),
        (BITS[:0], Y[:0], {}, "batch >= 1"),
        (REAL * float("nan"), Y, {"kind": "gaussian"}, "finite"),
        (BITS.view(N, 1, 1, D), Y, {}, r"use x\.flatten\(1\)"),
    ],
)
def test_bad_data_say_what_must_hold(x, y, options, words):
    with pytest.raises(ValueError, match=words):
        NaiveBayes(**options).fit(x, y)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kind": "normal"}, "kind must be 'bernoulli' or 'gaussian', got 'normal'"),
        ({"laplace": -1.0}, "laplace must be at least 0 and finite, got -1"),
        ({"laplace": float("nan")}, "laplace must be"),
        ({"laplace": float("inf")}, "laplace must be"),
        ({"var_smoothing": -1e-9}, "var_smoothing must be at least 0 and finite"),
        ({"var_smoothing": float("inf")}, "var_smoothing must be"),
        ({"classes": 1}, "classes must be"),
    ],
)
def test_bad_options_say_what_must_hold(options, words):
    with pytest.raises(ValueError, match=words):
        NaiveBayes(**options)


@pytest.mark.parametrize("use", ["log_prob", "predict_proba", "sample", "logit_weights", "loss"])
def test_use_before_fit_says_so(use):
    arguments = {"sample": (3,), "logit_weights": (), "loss": ((BITS, Y),)}.get(use, (BITS,))
    for kind in ("bernoulli", "gaussian"):
        with pytest.raises(ValueError, match=r"not fitted|bernoulli kind"):
            getattr(NaiveBayes(kind=kind), use)(*arguments)


def test_bad_rows_are_not_scored():
    model = fitted()
    for score in (model.log_prob, model.predict_proba):
        with pytest.raises(ValueError, match=r"\[batch, 4\]"):
            score(BITS[:, :2])
        with pytest.raises(ValueError, match="x must be 0 or 1"):
            score(BITS * 3)
        with pytest.raises(ValueError, match="observed must be"):
            score(BITS, observed=torch.ones(2).bool())
    with pytest.raises(ValueError, match=r"y must be 0\.\.2"):
        model.log_prob(BITS, Y + 1)
    with pytest.raises(ValueError, match="the bernoulli kind with two classes, got 'bernoulli' with 3"):
        model.logit_weights()
    with pytest.raises(ValueError, match="the bernoulli kind with two classes"):
        fitted("gaussian", REAL[Y < 2], Y[Y < 2]).logit_weights()


def test_an_undefined_posterior_and_endless_weights_are_refused():
    x, y = torch.tensor([[0, 0], [0, 1], [1, 1], [1, 1]]), torch.tensor([0, 0, 1, 1])
    model = NaiveBayes(laplace=0.0).fit(x, y)
    with pytest.raises(ValueError, match=r"possible under some class.*laplace > 0"):
        model.predict_proba(torch.tensor([[0, 0], [1, 0]]))
    with pytest.raises(ValueError, match="laplace > 0"):
        model.logit_weights()


def test_a_variance_beyond_the_precision_is_refused():
    x, y = torch.tensor([[0.0], [1.0], [2.0], [4.0]]), torch.tensor([0, 0, 1, 1])
    model = NaiveBayes(kind="gaussian")
    with pytest.raises(ValueError, match="variances must be finite: use smaller units, or double precision"):
        model.fit(1e20 * x, y)
    assert model.log_prior.numel() == 0, "it is not fitted by half"
    assert NaiveBayes(kind="gaussian").fit(1e20 * x.double(), y).log_prob(1e20 * x.double()).isfinite().all()
