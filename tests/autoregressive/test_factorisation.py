"""What holds for a product of conditionals whoever computes it: any order, continuous or discrete, and the test of a sampler by
the probability integral transform (PIT), which is applied to every model of bits in this room's table."""

import math
from itertools import pairwise, permutations

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import kstest, multivariate_normal, norm

from genedu.core import seeded
from genedu.density import GaussianMixture
from tests.autoregressive.models_vectors import VECTORS

F64 = torch.float64
with seeded(31):
    ROOT = torch.randn(4, 4, dtype=F64)
SIGMA = ROOT @ ROOT.T + 0.1 * torch.eye(4, dtype=F64)


def gaussian_chain(x: torch.Tensor, order: tuple[int, ...]) -> torch.Tensor:
    """sum_i log N(x_i; its mean and variance given the earlier ones): rows [B, D] with covariance SIGMA -> [B]."""
    total = torch.zeros(len(x), dtype=F64)
    for i, place in enumerate(order):
        before = list(order[:i])
        weight = torch.linalg.solve(SIGMA[before][:, before], SIGMA[before, place])  # regression on the earlier ones
        sigma = (SIGMA[place, place] - SIGMA[place, before] @ weight).sqrt()
        total += torch.distributions.Normal(x[:, before] @ weight, sigma).log_prob(x[:, place])
    return total


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_chain_of_regressions_is_the_joint_gaussian_in_every_order(order):
    x = torch.randn(7, 4, dtype=F64) @ ROOT.T
    want = multivariate_normal(cov=SIGMA.numpy()).logpdf(x.numpy())
    torch.testing.assert_close(gaussian_chain(x, order), torch.from_numpy(want), rtol=0, atol=1e-10)


def test_its_mean_negative_log_likelihood_is_the_gaussians_entropy():
    """1/2 log det 2 pi e Sigma, within five standard errors."""
    x = torch.randn(100_000, 4, dtype=F64) @ torch.linalg.cholesky(SIGMA).T
    nll = -gaussian_chain(x, (2, 0, 3, 1))
    entropy = 0.5 * torch.logdet(2 * math.pi * math.e * SIGMA)
    assert (nll.mean() - entropy).abs() < 5 * nll.std() / 100_000**0.5


@pytest.mark.parametrize("low", [-3, 0, 2])
def test_dequantised_data_bound_the_mass_of_a_level_from_below(low):
    """E_u log p(x + u) <= log P(x), P(x) the integral of p over the step; equal where p is constant on it."""
    with seeded(32):
        mixture = GaussianMixture(3, 1).double()
        torch.nn.init.normal_(mixture.mean, std=2)
        torch.nn.init.normal_(mixture.log_sigma, std=0.5)

    def log_p(v: float) -> float:
        return mixture.log_prob(torch.tensor([[v]], dtype=F64)).item()

    bound = quad(log_p, low, low + 1)[0]
    parts = zip(mixture.weights.tolist(), mixture.mean[:, 0].tolist(), mixture.root()[:, 0, 0].tolist(), strict=True)
    mass = sum(pi * (norm.cdf(low + 1, mu, sigma) - norm.cdf(low, mu, sigma)) for pi, mu, sigma in parts)
    assert quad(lambda v: math.exp(log_p(v)), low, low + 1)[0] == pytest.approx(mass, abs=1e-8)
    assert bound < math.log(mass) - 1e-6
    with torch.no_grad():
        mixture.log_sigma.fill_(6.0)  # nearly flat on the step
    assert quad(log_p, low, low + 1)[0] == pytest.approx(math.log(quad(lambda v: math.exp(log_p(v)), low, low + 1)[0]), abs=1e-6)


def test_a_density_on_levels_without_noise_has_no_upper_bound():
    """A Gaussian whose mean is the level: each tenth of sigma adds log 10 nats, for ever."""
    values = [torch.distributions.Normal(3.0, 10.0**-k).log_prob(torch.tensor(3.0)).item() for k in range(6)]
    assert all(b - a == pytest.approx(math.log(10), abs=1e-5) for a, b in pairwise(values))


def transformed(model, x: torch.Tensor) -> torch.Tensor:
    """u = F(x_i - 1 | x_<i) + v p(x_i | x_<i) with v even on [0, 1]: bits [B, D] -> [B, D], even and independent for x from p."""
    with torch.no_grad():
        p = model.logits(x).sigmoid()  # [B, D]
    v = torch.rand(p.shape)
    return torch.where(x == 1, 1 - p + v * p, v * (1 - p))


def worst(u: torch.Tensor) -> float:
    """The smallest p-value of Kolmogorov's test over all places, times their number (Bonferroni)."""
    return min(kstest(column.numpy(), "uniform").pvalue for column in u.T.double()) * u.shape[1]


@pytest.mark.parametrize("name", VECTORS)
def test_own_samples_become_even_and_those_of_a_flatter_sampler_do_not(name):
    model = VECTORS[name].build()
    u = transformed(model, model.sample(20_000))
    assert worst(u) > 1e-4
    correlation = torch.corrcoef(u.T) - torch.eye(u.shape[1])
    assert correlation.abs().max() < 5 / 20_000**0.5
    assert worst(transformed(model, model.sample(20_000, temperature=2.0))) < 1e-4


@pytest.mark.parametrize("name", VECTORS)
def test_samples_twice_through_the_sigmoid_are_found_out(name):
    """The mistake that mass one cannot see: probabilities used as logits."""
    model = VECTORS[name].build()
    logits, drawn = model.logits, model.sample(20_000)
    assert worst(transformed(model, drawn)) > 1e-4
    model.logits = lambda x: logits(x).sigmoid()
    assert worst(transformed(model, drawn)) < 1e-4
