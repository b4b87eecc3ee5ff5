"""Oracles for probabilistic PCA: closed forms of Tipping and Bishop (1999), scikit-learn's PCA, and dense Gaussians of torch."""

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch.distributions import MultivariateNormal

from genedu.core import seeded
from genedu.data import digits
from genedu.fit import fit
from genedu.latent import ProbabilisticPCA

D, Q = 6, 2
with seeded(3):
    SCALES = torch.tensor([3.0, 1.5, 0.5, 0.4, 0.6, 0.5], dtype=torch.float64)
    X = torch.randn(300, D).double() * SCALES @ torch.linalg.qr(torch.randn(D, D).double())[0] - 0.7
LAMBDA, U = (part.flip(-1) for part in torch.linalg.eigh(X.T.cov(correction=0)))
S2 = LAMBDA[Q:].mean()


@pytest.fixture
def fitted() -> ProbabilisticPCA:
    return ProbabilisticPCA(Q, D).double().fit(X)


@pytest.fixture
def arbitrary() -> ProbabilisticPCA:
    """Not a maximum of anything: W is not orthogonal, so that M is not diagonal."""
    model = ProbabilisticPCA(Q, D).double()
    with torch.no_grad():
        model.mean.normal_()
        model.log_sigma.fill_(-0.4)
    return model


def gaussian(model) -> MultivariateNormal:
    return MultivariateNormal(model.mean, model.W @ model.W.T + model.sigma**2 * torch.eye(model.dim).double())


# oracles --------------------------------------------------------------------------------------------------------------


def test_the_density_is_the_dense_gaussian(arbitrary):
    torch.testing.assert_close(arbitrary.log_prob(X), gaussian(arbitrary).log_prob(X), rtol=0, atol=1e-9)
    torch.testing.assert_close(arbitrary.covariance, gaussian(arbitrary).covariance_matrix, rtol=0, atol=1e-12)


def test_the_density_of_tiny_noise_does_not_cancel(arbitrary):
    with torch.no_grad():
        arbitrary.log_sigma.fill_(math.log(1e-6))
    x = arbitrary.sample(50)
    difference = (x - arbitrary.mean).T  # [D, B]
    z = torch.linalg.lstsq(arbitrary.W, difference).solution  # [Q, B]: the posterior mean as sigma -> 0
    known = -0.5 * (
        (difference - arbitrary.W @ z).square().sum(0) / 1e-12
        + z.square().sum(0)
        + torch.logdet(arbitrary.W.T @ arbitrary.W)
        + (D - Q) * math.log(1e-12)
        + D * math.log(2 * math.pi)
    )
    torch.testing.assert_close(arbitrary.log_prob(x), known, rtol=1e-6, atol=0)


def test_the_maximum_has_the_likelihood_of_the_closed_form(fitted):
    known = -0.5 * (D * math.log(2 * math.pi) + LAMBDA[:Q].log().sum() + (D - Q) * S2.log() + D)  # eq. (6)
    torch.testing.assert_close(fitted.log_prob(X).mean(), known, rtol=0, atol=1e-9)
    torch.testing.assert_close(fitted.loss(X), -known, rtol=0, atol=1e-9)


def test_the_maximum_has_the_parameters_of_the_closed_form(fitted):
    torch.testing.assert_close(fitted.sigma**2, S2)
    torch.testing.assert_close(fitted.mean, X.mean(0))
    torch.testing.assert_close(fitted.W @ fitted.W.T, (U[:, :Q] * (LAMBDA[:Q] - S2)) @ U[:, :Q].T)
    m = fitted.W.T @ fitted.W
    torch.testing.assert_close(m, torch.diag(LAMBDA[:Q] - S2))  # R = I, largest variance first
    assert (fitted.W.gather(0, fitted.W.abs().argmax(0, keepdim=True)) > 0).all()


@pytest.mark.parametrize("latent", [1, 3, 40])
def test_scikit_learn_gives_the_same_density_of_digits(latent):
    """Its PCA uses the covariance divided by n - 1, so its rows are stretched by sqrt((n - 1) / n) about the mean first."""
    data = digits("unit", flat=True)
    x = data.train.double()
    stretched = x.mean(0) + (x - x.mean(0)) * math.sqrt((len(x) - 1) / len(x))
    sklearn = PCA(latent, svd_solver="full").fit(stretched.numpy())
    ours = ProbabilisticPCA(latent, 64).double().fit(x)
    known = torch.from_numpy(sklearn.score_samples(data.test.double().numpy()))
    torch.testing.assert_close(ours.log_prob(data.test), known, rtol=0, atol=1e-6)
    assert math.isclose(ours.sigma.item() ** 2, sklearn.noise_variance_, rel_tol=1e-9)


def test_the_posterior_is_that_of_bayes_rule(arbitrary):
    z = torch.randn(7, Q).double()
    q = arbitrary.posterior(X[:7])
    joint = arbitrary.prior().log_prob(z) + arbitrary.conditional(z).log_prob(X[:7])
    torch.testing.assert_close(q.log_prob(z), joint - arbitrary.log_prob(X[:7]), rtol=0, atol=1e-9)


def test_samples_have_the_moments_of_the_density(arbitrary):
    draws, cov = arbitrary.sample(50_000), gaussian(arbitrary).covariance_matrix.detach()
    assert ((draws.mean(0) - arbitrary.mean).abs() < 5 * (cov.diagonal() / 50_000).sqrt()).all()
    error = ((cov**2 + torch.outer(cov.diagonal(), cov.diagonal())) / 50_000).sqrt()
    assert ((draws.T.cov() - cov).abs() < 5 * error).all()


@pytest.mark.slow
def test_gradient_steps_reach_the_closed_form(fitted):
    model = ProbabilisticPCA(Q, D).double()
    fit(model, X, rounds=1500, batch_size=300, lr=0.02, schedule=lambda t: 1 - t, progress=False)
    torch.testing.assert_close(model.loss(X), fitted.loss(X), rtol=0, atol=1e-6)
    torch.testing.assert_close(model.W @ model.W.T, fitted.W @ fitted.W.T, rtol=0, atol=1e-2)  # R is free


# limits ---------------------------------------------------------------------------------------------------------------


def test_without_weights_it_is_one_spherical_gaussian(arbitrary):
    torch.nn.init.zeros_(arbitrary.W)
    known = torch.distributions.Normal(arbitrary.mean, arbitrary.sigma).log_prob(X).sum(1)
    torch.testing.assert_close(arbitrary.log_prob(X), known)
    q = arbitrary.posterior(X[:3])
    torch.testing.assert_close(q.mean, torch.zeros(3, Q).double())
    torch.testing.assert_close(q.covariance_matrix, torch.eye(Q).double().expand(3, Q, Q))


def test_one_direction_less_than_all_is_the_full_gaussian():
    """Q = D - 1 leaves one eigenvalue as noise: C is the covariance of the rows."""
    model = ProbabilisticPCA(D - 1, D).double().fit(X)
    torch.testing.assert_close(model.covariance, X.T.cov(correction=0))


def test_single_precision_comes_close_and_one_row_is_scored(fitted):
    single = ProbabilisticPCA(Q, D).fit(X)
    assert single.W.dtype == torch.float32 and single.log_prob(X[:1]).shape == (1,)
    torch.testing.assert_close(single.log_prob(X).double(), fitted.log_prob(X), rtol=1e-4, atol=1e-4)


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(2, 1, 2, 3), r"\[batch, 6\].*use x.flatten\(1\)"),
        (torch.zeros(2, 5), r"\[batch, 6\].*got \[2, 5\]"),
        (torch.zeros(0, 6), "batch >= 1"),
        (torch.full((2, 6), np.nan), "finite"),
    ],
)
@pytest.mark.parametrize("method", ["log_prob", "posterior", "loss", "fit"])
def test_bad_rows_say_what_must_hold(x, words, method):
    with pytest.raises(ValueError, match=words):
        getattr(ProbabilisticPCA(2, 6), method)(x)


def test_bad_options_say_what_must_hold():
    for latent, dim in [(0, 6), (6, 6), (7, 6)]:
        with pytest.raises(ValueError, match="latent must be at least 1 and below dim"):
            ProbabilisticPCA(latent, dim)
    with pytest.raises(ValueError, match="n must be at least 1"):
        ProbabilisticPCA(2, 6).sample(0)
    for flat in [torch.zeros(9, 6), X[:3], X[:1]]:
        with pytest.raises(ValueError, match="no maximum"):
            ProbabilisticPCA(2, 6).fit(flat)
