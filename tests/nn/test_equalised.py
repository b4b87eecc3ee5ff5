"""Equalised learning rate: He's deviation at run time, the variance it keeps, and steps of one relative size."""

import math

import pytest
import torch
from torch import nn

from genedu.core import seeded
from genedu.nn import EqualisedConv2d

# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", [1, 3, 4])
def test_the_weights_that_are_used_have_the_deviation_of_he(kernel):
    with seeded(1):
        layer = EqualisedConv2d(40, 50, kernel)
    w = layer.weight.detach()
    assert abs(w.std() - 1) < 5 / math.sqrt(2 * w.numel()) and abs(w.mean()) < 5 / math.sqrt(w.numel())
    used = layer(torch.eye(40).view(40, 40, 1, 1).expand(-1, -1, kernel, kernel) / kernel**2).detach()  # sums of the kernels
    torch.testing.assert_close(used[:, :, 0, 0].T, w.mean((2, 3)) * math.sqrt(2 / (40 * kernel**2)))
    assert (layer.bias == 0).all()


def test_it_is_a_convolution_with_scaled_weights():
    layer = EqualisedConv2d(2, 3, 3, padding=1, gain=1.0).double()
    plain = nn.Conv2d(2, 3, 3, padding=1).double()
    nn.init.normal_(layer.bias)
    plain.weight = nn.Parameter(layer.weight / math.sqrt(18))
    plain.bias = layer.bias
    x = torch.randn(4, 2, 5, 5, dtype=torch.float64)
    torch.testing.assert_close(layer(x), plain(x))


def test_the_mean_square_stays_over_twenty_layers_of_relu():
    with seeded(2), torch.no_grad():
        h = torch.randn(200, 100, 1, 1)
        for _ in range(20):
            h = EqualisedConv2d(100, 100, 1)(h.relu())
        assert 0.3 < h.square().mean() < 3  # without sqrt 2 in the gain it would be 2^-20


def test_one_step_of_adam_moves_layers_of_all_widths_by_the_same_share():
    for channels in (2, 800):
        with seeded(3):
            layer = EqualisedConv2d(channels, 4, 1)
        before = layer.weight.detach().clone()
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
        layer(torch.randn(8, channels, 1, 1)).square().mean().backward()
        optimizer.step()
        torch.testing.assert_close((layer.weight - before).abs(), torch.full_like(before, 0.01), rtol=1e-3, atol=1e-5)


# errors ---------------------------------------------------------------------------------------------------------------


def test_sizes_below_one_are_refused():
    with pytest.raises(ValueError, match="at least 1, got 0, 2 and 3"):
        EqualisedConv2d(0, 2, 3)
