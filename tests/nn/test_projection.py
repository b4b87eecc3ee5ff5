"""Projection: the best logit of two mixtures of Gaussians, and what its parts are."""

import math

import torch
from torch import nn
from torch.nn.functional import one_hot

from genedu.nn import Projection


def test_it_can_be_the_best_logit_where_both_posteriors_are_linear():
    """Data N(m_y, I), samples N(n_y, I): log p(x|y)/q(x|y) = (m_y - n_y) . x - |m_y|^2/2 + |n_y|^2/2, with phi(x) = (x, 1)."""

    class WithOne(nn.Module):
        def forward(self, x):
            return torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)

    m, n = torch.randn(2, 3, 2, dtype=torch.float64)  # three classes
    net = Projection(WithOne(), 3, 3).double()
    nn.init.zeros_(net.of_all.weight), nn.init.zeros_(net.of_all.bias)
    with torch.no_grad():
        net.of_class.weight.copy_(torch.cat([m - n, (n**2 - m**2).sum(1, keepdim=True) / 2], 1).T)
    x, y = torch.randn(50, 2, dtype=torch.float64), torch.arange(50) % 3
    log_normal = lambda mean: -((x - mean[y]) ** 2).sum(1) / 2 - math.log(2 * math.pi)  # noqa: E731
    torch.testing.assert_close(net(x, one_hot(y, 3).double()), log_normal(m) - log_normal(n))


def test_without_class_vectors_it_ignores_the_class():
    net = Projection(nn.Linear(2, 4), 4, 3)
    x, y = torch.randn(6, 2), torch.arange(6) % 3
    assert not torch.allclose(net(x, one_hot(y, 3).float()), net(x, one_hot((y + 1) % 3, 3).float()))
    nn.init.zeros_(net.of_class.weight)
    expected = net.of_all(net.body(x))[:, 0]
    torch.testing.assert_close(net(x, one_hot(y, 3).float()), expected)
    assert net(x[:1], one_hot(y[:1], 3).float()).shape == (1,)


def test_psi_has_one_output_and_class_vectors_start_small():
    """Standard deviation 0.1, to five standard errors."""
    net = Projection(nn.Identity(), 400, 30)
    assert net.of_all.weight.shape == (1, 400)
    assert abs(net.of_class.weight.std() - 0.1) < 5 * 0.1 / math.sqrt(2 * 400 * 30)
