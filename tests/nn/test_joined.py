"""Joined: all inputs reach the network, in their order."""

import pytest
import torch
from torch import nn

from genedu.nn import Joined


def test_it_is_a_sum_of_linear_maps_one_an_input():
    net = nn.Linear(2 + 12, 3)
    a, b = torch.randn(5, 2), torch.randn(5, 3, 2, 2)
    expected = a @ net.weight[:, :2].T + b.flatten(1) @ net.weight[:, 2:].T + net.bias
    torch.testing.assert_close(Joined(net)(a, b), expected)
    torch.testing.assert_close(Joined(net)(a[:1], b[:1]), expected[:1])


def test_inputs_of_unequal_rows_are_refused():
    with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
        Joined(nn.Linear(3, 1))(torch.zeros(2, 1), torch.zeros(3, 2))
