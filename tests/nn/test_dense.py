import pytest
import torch
from torch import nn

from genedu.nn import mlp


def test_it_is_linear_maps_with_a_bend_between_them():
    net = mlp(3, 5, 4, 2, activation=nn.Tanh)
    x = torch.randn(7, 3)
    h = x
    for layer in (net[0], net[2]):
        h = torch.tanh(h @ layer.weight.T + layer.bias)
    torch.testing.assert_close(net(x), h @ net[4].weight.T + net[4].bias)
    assert len(net) == 5


def test_two_widths_are_one_linear_map():
    (layer,) = mlp(3, 2)
    assert isinstance(layer, nn.Linear) and layer.weight.shape == (2, 3)


@pytest.mark.parametrize("widths", [(), (3,), (3, 0, 2)])
def test_bad_widths_say_what_must_hold(widths):
    with pytest.raises(ValueError, match="two or more numbers of at least 1"):
        mlp(*widths)
