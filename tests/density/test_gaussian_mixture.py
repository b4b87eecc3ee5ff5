"""Oracles for the Gaussian mixture: scipy, scikit-learn at equal parameters, quadrature, Fisher's identity, and its limits."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import kstest, multivariate_normal
from sklearn.mixture import GaussianMixture as Reference

from genedu import fit
from genedu.core import Density, seeded
from genedu.data import ring
from genedu.density import GaussianMixture
from tests.laws import check_one_number_a_row, check_sampler

F64 = torch.float64
KINDS = pytest.mark.parametrize("covariance", ["full", "diag", "spherical"])
with seeded(5):
    X = torch.randn(40, 3, dtype=F64) * 2


def mixture(covariance: str, components: int = 4, dim: int = 3, **options) -> GaussianMixture:
    """All parameters different, in double precision."""
    with seeded(6):
        model = GaussianMixture(components, dim, covariance=covariance, **options).double()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.6)
    return model


def scipy_joint(model: GaussianMixture, x) -> np.ndarray:
    """log [pi_k N(x; mu_k, Sigma_k)]: [B, K]."""
    parts = zip(model.weights.tolist(), model.mean.detach().numpy(), model.covariances().detach().numpy(), strict=True)
    return np.stack([math.log(pi) + multivariate_normal(m, c).logpdf(x.numpy()) for pi, m, c in parts], 1)


def close(got, want, atol=1e-10):
    torch.testing.assert_close(got.detach(), torch.as_tensor(want, dtype=got.dtype), rtol=0, atol=atol)


# laws -----------------------------------------------------------------------------------------------------------------


@KINDS
def test_it_is_a_density_with_one_number_a_row(covariance):
    model = mixture(covariance)
    assert isinstance(model, Density)
    check_sampler(model, X)
    check_one_number_a_row(model.log_prob, X)
    check_one_number_a_row(lambda x: model.responsibilities(x)[:, 1], X)


@KINDS
@settings(deadline=None, max_examples=25)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 7), st.sampled_from([1e-3, 1.0, 1e4]))
def test_any_sizes_and_any_scale_stay_finite(covariance, components, dim, n, scale):
    model = mixture(covariance, components, dim)
    x = scale * torch.randn(n, dim, dtype=F64)
    assert model.log_prob(x).shape == (n,) and torch.isfinite(model.log_prob(x)).all()
    r = model.responsibilities(x)
    assert r.shape == (n, components) and (r >= 0).all()
    close(r.sum(1), torch.ones(n))
    assert model.sample(n).shape == (n, dim) and model.covariances().shape == (components, dim, dim)


# oracles --------------------------------------------------------------------------------------------------------------


@KINDS
def test_the_density_is_scipys(covariance):
    model = mixture(covariance)
    close(model.log_joint(X), scipy_joint(model, X))
    close(model.log_prob(X), logsumexp(scipy_joint(model, X), 1))


@KINDS
def test_scores_and_responsibilities_are_scikit_learns_at_equal_parameters(covariance):
    model = mixture(covariance)
    reference = Reference(4, covariance_type=covariance)
    reference.weights_, reference.means_ = model.weights.detach().numpy(), model.mean.detach().numpy()
    sigma, precision = model.root().detach(), torch.linalg.inv(model.covariances().detach())
    root = {"full": torch.linalg.cholesky(precision), "diag": 1 / sigma, "spherical": 1 / sigma[:, -1]}[covariance]
    reference.precisions_cholesky_ = root.numpy()
    close(model.log_prob(X), reference.score_samples(X.numpy()))
    close(model.responsibilities(X), reference.predict_proba(X.numpy()))


@KINDS
def test_it_integrates_to_one(covariance):
    """On a grid: the midpoint rule is exact to all digits for a smooth function that is zero at the border."""
    model = mixture(covariance, dim=2)
    line = torch.arange(-30, 30, 0.05, dtype=F64)
    log_p = model.log_prob(torch.cartesian_prod(line, line))
    close(log_p.exp().sum() * 0.05**2, 1.0, 1e-9)


@KINDS
def test_samples_have_the_mixtures_mean_and_covariance(covariance):
    """E x = sum pi mu, E xx' = sum pi (Sigma + mu mu'): within five standard errors."""
    model = mixture(covariance)
    x, pi = model.sample(100_000), model.weights.detach()
    mean, second = (
        model.mean.detach(),
        model.covariances().detach() + model.mean.detach()[:, :, None] * model.mean.detach()[:, None],
    )
    products = x[:, :, None] * x[:, None]  # [N, D, D]
    assert ((x.mean(0) - pi @ mean).abs() < 5 * x.std(0) / len(x) ** 0.5).all()
    want = (pi[:, None, None] * second).sum(0)
    assert ((products.mean(0) - want).abs() < 5 * products.std(0) / len(x) ** 0.5).all()


@KINDS
def test_samples_of_one_component_are_normal(covariance):
    """L^-1 (x - mu) against N(0, 1) by Kolmogorov's test: 1.95 / sqrt(n) is passed by chance in one of 1000."""
    model = mixture(covariance, components=1)
    root = torch.linalg.cholesky(model.covariances()[0])
    white = torch.linalg.solve_triangular(root, (model.sample(20_000) - model.mean[0]).mT, upper=False)  # [D, N]
    for line in white.detach().numpy():
        assert kstest(line, "norm").statistic < 1.95 / 20_000**0.5


def test_the_target_is_a_copy():
    target = torch.eye(2, requires_grad=True)
    model = GaussianMixture(2, 2, shrinkage=0.1, target=target)
    assert not model.target.requires_grad
    with torch.no_grad():
        target.mul_(2)
    assert torch.equal(model.target, torch.eye(2))


@KINDS
def test_fishers_identity(covariance):
    """The gradient of sum log p with respect to mu_k is sum_i r_ik Sigma_k^-1 (x_i - mu_k)."""
    model = mixture(covariance)
    (slope,) = torch.autograd.grad(model.log_prob(X).sum(), [model.mean])
    pull = torch.linalg.solve(model.covariances(), (X - model.mean[:, None]).mT)  # [K, D, B]
    close(slope, (model.responsibilities(X).T[:, None] * pull).sum(2).detach())


def test_log_prob_does_not_underflow():
    """Far away exp(log N) is zero in any precision; the nearest component alone is left in the logarithm."""
    model = GaussianMixture(2, 1, covariance="spherical").double()
    model.assign(torch.tensor([0.25, 0.75]), torch.tensor([[0.0], [1.0]]), torch.ones(2, 1))
    x = torch.tensor([[-50.0], [100.0]], dtype=F64)
    want = torch.tensor([math.log(0.25) - 1250.0, math.log(0.75) - 99.0**2 / 2]) - 0.5 * math.log(2 * math.pi)
    close(model.log_prob(x), want.double(), 1e-4)
    close(model.responsibilities(x), torch.eye(2))


def test_the_parameters_are_counted_as_on_the_card():
    """Full covariance: D + D (D + 1) / 2 a component, 2144 for an 8x8 image, 4.7 million for 32x32 pixels in colour."""
    per_component = lambda d: d + d * (d + 1) // 2  # noqa: E731
    for dim, k in ((2, 3), (64, 1)):
        assert sum(p.numel() for p in GaussianMixture(k, dim).parameters()) == k * (1 + per_component(dim))
    assert per_component(64) == 2144 and per_component(32 * 32 * 3) == 4_723_200
    assert sum(p.numel() for p in GaussianMixture(2, 5, covariance="diag").parameters()) == 2 * (1 + 5 + 5)
    assert sum(p.numel() for p in GaussianMixture(2, 5, covariance="spherical").parameters()) == 2 * (1 + 5 + 1)


@KINDS
def test_the_loss_is_minus_the_mean_log_likelihood_and_the_penalty(covariance):
    """(4) written out: 1/2 sum_k [s log|Sigma| + tr(Sigma^-1 (s T + e I))]."""
    target = torch.tensor([[2.0, 0.3, 0.0], [0.3, 1.0, 0.1], [0.0, 0.1, 0.5]], dtype=F64)
    model = mixture(covariance, ridge=0.03, shrinkage=0.2, target=target)
    sigma = model.covariances().detach()
    inverse = torch.linalg.inv(sigma)
    trace = (inverse @ (0.2 * target + 0.03 * torch.eye(3, dtype=F64))).diagonal(dim1=1, dim2=2).sum()
    penalty = 0.5 * (0.2 * torch.logdet(sigma).sum() + trace)
    close(model.loss(X), penalty - model.log_prob(X).mean().detach())
    plain = mixture(covariance, ridge=0.0)
    close(plain.loss(X), -plain.log_prob(X).mean().detach(), 1e-14)


@KINDS
def test_assign_is_the_inverse_of_the_parameters(covariance):
    model, other = mixture(covariance), GaussianMixture(4, 3, covariance=covariance).double()
    other.assign(model.weights.detach(), model.mean.detach(), model.root().detach())
    close(other.log_joint(X), model.log_joint(X).detach())


def test_the_likelihood_has_no_maximum_and_the_ridge_gives_it_one():
    """A component on one row: as sigma goes to 0, log p of that row grows by D log 10 for each tenth; J turns down."""
    x = torch.cat([torch.zeros(1, 2, dtype=F64), torch.randn(19, 2, dtype=F64) + 4])
    model = GaussianMixture(2, 2, covariance="spherical", ridge=1e-4).double()
    likelihood, objective = [], []
    for log10_sigma in range(-1, -9, -1):
        sigma = torch.tensor([[10.0**log10_sigma], [1.0]])
        model.assign(torch.tensor([0.05, 0.95]), torch.tensor([[0.0, 0.0], [4.0, 4.0]]), sigma)
        likelihood.append(model.log_prob(x).sum().item())
        objective.append(-model.loss(x).item())
    rises = np.diff(likelihood)
    assert np.allclose(rises, 2 * math.log(10), atol=1e-6)
    assert objective[0] > objective[2] > objective[-1]


# limits ---------------------------------------------------------------------------------------------------------------


def test_one_component_is_a_gaussian():
    model = mixture("full", components=1)
    normal = torch.distributions.MultivariateNormal(model.mean[0], model.covariances()[0])
    close(model.log_prob(X), normal.log_prob(X).detach())
    assert torch.equal(model.responsibilities(X), torch.ones(40, 1, dtype=F64))


def test_kinds_of_covariance_agree_where_they_can():
    round_ = mixture("spherical")
    pi, mean, sigma = round_.weights.detach(), round_.mean.detach(), round_.root().detach()
    diag, full = (GaussianMixture(4, 3, covariance=c, ridge=0.1).double() for c in ("diag", "full"))
    diag.assign(pi, mean, sigma.expand(4, 3))
    full.assign(pi, mean, sigma.expand(4, 3).diag_embed())
    round_.ridge = 0.1
    for model in (diag, full):
        close(model.log_joint(X), round_.log_joint(X).detach())
        close(model.loss(X), round_.loss(X).detach())


def test_gradient_and_em_reach_one_optimum():
    """From one start, full batches: EM to its fixed point, Adam to within 0.002 nats of it, on the ring."""
    data = ring()
    start = GaussianMixture(8, 2, ridge=1e-5)
    start.fit_em(data.train, 0, seed=1, progress=False)
    by_em, by_gradient = GaussianMixture(8, 2, ridge=1e-5), GaussianMixture(8, 2, ridge=1e-5)
    for model in (by_em, by_gradient):
        model.load_state_dict(start.state_dict())
        with torch.no_grad():
            model.log_sigma += 1.0  # away from the optimum
    history = by_em.fit_em(data.train, 100, 0.0, "current", progress=False)
    fit.fit(by_gradient, data.train, rounds=400, batch_size=len(data.train), lr=0.02, schedule=lambda t: 1 - t, progress=False)
    assert by_em.loss(data.train).item() == pytest.approx(history.losses["em"][-1], abs=1e-4)
    assert history.losses["em"][-1] < history.losses["em"][0] - 0.5
    gap = by_gradient.loss(data.train).item() - by_em.loss(data.train).item()
    assert -1e-4 < gap < 0.002


@KINDS
def test_gradient_steps_keep_equal_components_equal(covariance):
    """The symmetric start is a saddle: responsibilities 1/K for ever."""
    model = GaussianMixture(3, 3, covariance=covariance).double()
    torch.nn.init.zeros_(model.mean)
    fit.fit(model, X, rounds=20, batch_size=40, lr=0.3, optimizer=torch.optim.SGD, progress=False)  # Adam blows rounding up
    close(model.responsibilities(X), torch.full((40, 3), 1 / 3, dtype=F64), 1e-12)
    assert model.mean.abs().max() > 0.1, "it did move"


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"components": 0}, "components must be a whole number of at least 1, got 0"),
        ({"components": 2.0}, "components must be a whole"),
        ({"dim": 0}, "dim must be a whole"),
        ({"covariance": "tied"}, "'full', 'diag' or 'spherical', got 'tied'"),
        ({"ridge": -1e-9}, "ridge must be finite and at least 0"),
        ({"shrinkage": math.inf}, "shrinkage must be finite"),
        ({"shrinkage": 0.1}, r"shrinkage needs a target, a symmetric covariance \[3, 3\]"),
        ({"shrinkage": 0.1, "target": torch.eye(2)}, "needs a target"),
        ({"shrinkage": 0.1, "target": torch.full((3, 3), math.inf)}, "needs a target"),
        ({"target": torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 0, 1]])}, "symmetric"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        GaussianMixture(**{"components": 2, "dim": 3, **options})


@pytest.mark.parametrize("method", ["log_prob", "responsibilities", "log_joint", "loss", "fit_em"])
@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(4, 2), r"\[batch, 3\]"),
        (torch.zeros(2, 1, 3), r"flatten\(1\)"),
        (torch.zeros(0, 3), "batch >= 1"),
        (torch.tensor([[0.0, 1.0, math.nan]]), "finite"),
    ],
)
def test_bad_rows(method, x, words):
    with pytest.raises(ValueError, match=words):
        getattr(GaussianMixture(2, 3), method)(x)


def test_bad_number_of_samples():
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        GaussianMixture(2, 3).sample(0)
