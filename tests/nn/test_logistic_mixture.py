"""Oracles for the discretised mixture of logistics: scipy's logistic, sums to one, slopes far out, narrow and wide, recovery."""

import math

import pytest
import torch
from scipy.stats import logistic as reference

from genedu.core import seeded
from genedu.nn.logistic_mixture import (
    LOG_SIGMA,
    initial_bias,
    log_bin,
    mixture_log_prob,
    mixture_logits,
    parameters_of,
    values,
)

F64 = torch.float64


def tensor(*numbers):
    return torch.tensor(numbers, dtype=F64)


# oracles --------------------------------------------------------------------------------------------------------------


def test_levels_lie_evenly_on_minus_one_to_one():
    assert values(torch.arange(17), 17, tensor(0.0)).tolist() == [-1 + level / 8 for level in range(17)]
    assert values(torch.tensor([0, 255]), 256, tensor(0.0)).tolist() == [-1.0, 1.0]


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize(("mu", "sigma"), [(0.0, 0.3), (-0.7, 0.05), (1.4, 0.5), (0.03, 3.0)])
def test_a_bin_is_a_difference_of_scipys_distribution_function(levels, mu, sigma):
    """Half width 1 / (levels - 1): 1/16 for 17 levels, 1/255 for 256; the outer bins are open."""
    level, half = torch.arange(levels), 1 / (levels - 1)
    edges = values(level, levels, tensor(0.0)) + half
    below = tensor(0.0, *reference(mu, sigma).cdf(edges[:-1].numpy()), 1.0)
    got = log_bin(level, tensor(mu), tensor(math.log(sigma)), levels)
    torch.testing.assert_close(got.exp(), below.diff(), rtol=1e-9, atol=1e-14)
    torch.testing.assert_close(got.exp().sum(), tensor(1.0).squeeze(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("levels", [17, 256])
def test_masses_sum_to_one_wherever_the_parameters_are(levels):
    mu, log_sigma = torch.cartesian_prod(tensor(-1e3, -1.0, 0.01, 0.99, 30.0), tensor(-50.0, -7.0, -3.0, 0.0, 6.0, 50.0)).T
    got = log_bin(torch.arange(levels)[:, None], mu, log_sigma, levels)
    torch.testing.assert_close(got.exp().sum(0), torch.ones_like(mu), rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("level", [0, 1, 8, 15, 16])
@pytest.mark.parametrize("mu", [-1e3, -1.0, 0.0, 1.0, 1e3])
@pytest.mark.parametrize("log_sigma", [-1e3, -7.0, 0.0, 7.0, 1e3])
def test_values_and_slopes_are_finite_far_out(dtype, level, mu, log_sigma):
    mu, log_sigma = (torch.tensor(v, dtype=dtype, requires_grad=True) for v in (mu, log_sigma))
    out = log_bin(torch.tensor(level), mu, log_sigma, 17)
    out.backward()
    assert torch.isfinite(out) and out <= 0 and torch.isfinite(mu.grad) and torch.isfinite(log_sigma.grad)


def test_far_out_the_slope_still_points_home():
    """Where the mass itself is 0 in any precision, log P falls as |x - mu| / sigma: slope 1 / sigma."""
    mu = tensor(500.0).requires_grad_()
    log_bin(torch.tensor([8]), mu, tensor(math.log(0.1)), 17).sum().backward()
    torch.testing.assert_close(mu.grad, tensor(-10.0))


def test_a_wide_curve_gives_density_times_width():
    """Midpoint rule: the error falls as (width / sigma)^2 / 24."""
    for sigma in (1.0, 2.0, 4.0):
        level = torch.arange(1, 16)
        got = log_bin(level, tensor(0.3), tensor(math.log(sigma)), 17).exp()
        want = torch.from_numpy(reference(0.3, sigma).pdf(values(level, 17, tensor(0.0)).numpy())) / 8
        torch.testing.assert_close(got, want, rtol=(0.125 / sigma) ** 2 / 12, atol=0)


def test_a_narrow_curve_is_one_level():
    got = log_bin(torch.arange(17), values(torch.tensor(5), 17, tensor(0.0)), tensor(-7.0), 17).exp()
    torch.testing.assert_close(got, torch.eye(17, dtype=F64)[5], rtol=0, atol=1e-12)


def test_sigma_is_kept_in_bounds():
    assert LOG_SIGMA == (-7.0, 7.0)  # the paper's code has the lower one
    for side in LOG_SIGMA:
        assert torch.equal(*(log_bin(torch.arange(17), tensor(0.1), tensor(s), 17) for s in (side, 3 * side)))


def test_a_fit_recovers_mu_and_sigma():
    """Expected counts of a known curve in place of draws: the optimum of the likelihood is the curve itself."""
    p = log_bin(torch.arange(17), tensor(0.2), tensor(math.log(0.15)), 17).exp()
    mu, log_sigma = tensor(-0.5).requires_grad_(), tensor(0.0).requires_grad_()
    optimizer = torch.optim.LBFGS([mu, log_sigma], max_iter=100, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = -(p * log_bin(torch.arange(17), mu, log_sigma, 17)).sum()
        value.backward()
        return value

    optimizer.step(loss)
    torch.testing.assert_close(torch.cat([mu, log_sigma.exp()]).detach(), tensor(0.2, 0.15), rtol=0, atol=1e-5)


def grey(components=3):
    with seeded(8):
        return torch.randn(components, 3, dtype=F64)  # weight, mu, log sigma


def test_a_grey_mixture_is_the_weighted_sum():
    """Components lie one after the other, each as (weight, mu, log sigma)."""
    p = grey()
    w = p[:, 0].softmax(0)
    want = sum(w[k] * log_bin(torch.arange(17), p[k, 1], p[k, 2], 17).exp() for k in range(3))
    parameters = p.flatten().expand(17, -1)
    x = torch.arange(17)[:, None]
    torch.testing.assert_close(mixture_log_prob(parameters, x, 17).exp(), want)
    torch.testing.assert_close(mixture_logits(parameters, x, 17)[0, 0].exp(), want)


def colours():
    with seeded(9):
        return torch.randn(2, 1 + 3 + 3 + 3, dtype=F64)  # weight, mu of r g b, log sigma of r g b, alpha beta gamma


def by_hand(p, x, levels):
    """(3) with loops."""
    v = values(x, levels, p)
    total = 0.0
    for k, w in enumerate(p[:, 0].softmax(0)):
        alpha, beta, gamma = p[k, 7:].tanh()
        mu = p[k, 1], p[k, 2] + alpha * v[0], p[k, 3] + beta * v[0] + gamma * v[1]
        total = total + w * math.prod(log_bin(x[g], mu[g], p[k, 4 + g], levels).exp() for g in range(3))
    return total


def test_colours_are_the_sum_over_components_of_products():
    p, x = colours(), torch.cartesian_prod(*[torch.arange(3)] * 3)  # [27, 3]
    got = mixture_log_prob(p.flatten().expand(27, -1), x, 3).exp()
    torch.testing.assert_close(got, torch.stack([by_hand(p, row, 3) for row in x]))
    torch.testing.assert_close(got.sum(), tensor(1.0).squeeze())


def test_conditionals_of_the_colours_multiply_to_the_whole_and_see_no_later_colour():
    p, x = colours().flatten().expand(27, -1), torch.cartesian_prod(*[torch.arange(3)] * 3)
    log_p = mixture_logits(p, x, 3)  # [27, 3, 3]
    torch.testing.assert_close(log_p.exp().sum(-1), torch.ones(27, 3, dtype=F64))
    torch.testing.assert_close(log_p.gather(-1, x[..., None]).sum((1, 2)), mixture_log_prob(p, x, 3))
    first, second, third = log_p.view(3, 3, 3, 3, 3).unbind(3)  # [r, g, b, level]
    torch.testing.assert_close(first, first[:1, :1, :1].expand_as(first))
    torch.testing.assert_close(second, second[:, :1, :1].expand_as(second))
    torch.testing.assert_close(third, third[:, :, :1].expand_as(third))
    assert (second[0, 0, 0] - second[1, 0, 0]).abs().max() > 0.1 and (third[0, 0, 0] - third[0, 1, 0]).abs().max() > 0.1


# limits ---------------------------------------------------------------------------------------------------------------


def test_colours_without_ties_and_with_one_component_are_three_grey_pixels():
    with seeded(10):
        p = torch.randn(1, 10, dtype=F64)
    p[:, 7:] = 0.0
    x = torch.tensor([[2, 9, 16]])
    alone = [mixture_log_prob(torch.stack([p[0, 0], p[0, 1 + g], p[0, 4 + g]])[None], x[:, g : g + 1], 17) for g in range(3)]
    torch.testing.assert_close(mixture_log_prob(p.flatten()[None], x, 17), sum(alone))


def test_parameters_are_counted_and_start_spread_out():
    assert parameters_of(5, 1) == 15 and parameters_of(10, 3) == 100  # the paper's count for three colours
    bias = initial_bias(3, 3).view(3, 10)
    assert bias[:, 0].eq(0).all() and bias[:, 7:].eq(0).all() and bias[:, 1:4].tolist() == [[m] * 3 for m in (-0.5, 0.0, 0.5)]
    torch.testing.assert_close(bias[:, 4:7].exp(), torch.full((3, 3), 0.2))
