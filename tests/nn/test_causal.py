"""The sum of the docstring, written as loops; nothing looks ahead; the receptive field of a stack is the formula's."""

import pytest
import torch

from genedu.nn import CausalConv1d


def by_loops(layer, x, kernel, dilation):
    """Eq. (1): [B, C, T] -> [B, C', T]."""
    weight, bias = layer.conv.weight, layer.conv.bias
    out = []
    for t in range(x.shape[2]):
        y = bias.expand(len(x), -1)
        for j in range(kernel):
            if t - j * dilation >= 0:
                y = y + x[:, :, t - j * dilation] @ weight[:, :, kernel - 1 - j].T
        out.append(y)
    return torch.stack(out, 2)


@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (2, 1), (2, 4), (3, 2), (2, 30)])
def test_it_is_the_sum_over_the_past(kernel, dilation):
    layer, x = CausalConv1d(3, 5, kernel=kernel, dilation=dilation).double(), torch.randn(2, 3, 11).double()
    torch.testing.assert_close(layer(x), by_loops(layer, x, kernel, dilation))


@pytest.mark.parametrize(("kernel", "dilation"), [(2, 1), (2, 4), (3, 2)])
def test_which_inputs_an_output_sees(kernel, dilation):
    layer, x = CausalConv1d(1, 1, kernel=kernel, dilation=dilation), torch.randn(1, 1, 20, requires_grad=True)
    (seen,) = torch.autograd.grad(layer(x)[0, 0, 12], x)
    assert sorted(12 - j * dilation for j in range(kernel)) == seen[0, 0].nonzero()[:, 0].tolist()


@pytest.mark.parametrize(("kernel", "layers"), [(2, 1), (2, 4), (3, 3)])
def test_a_stack_sees_one_plus_the_sum_of_its_dilations(kernel, layers):
    net = torch.nn.Sequential(*[CausalConv1d(1, 1, kernel=kernel, dilation=2**i) for i in range(layers)])
    x = torch.randn(1, 1, 60, requires_grad=True)
    (seen,) = torch.autograd.grad(net(x)[0, 0, 50], x)
    field = 1 + (kernel - 1) * (2**layers - 1)
    assert seen[0, 0].nonzero()[:, 0].tolist() == list(range(51 - field, 51))


@pytest.mark.parametrize("wrong", ["inputs", "outputs", "kernel", "dilation"])
def test_sizes_are_at_least_one(wrong):
    sizes = {"inputs": 1, "outputs": 1, "kernel": 1, "dilation": 1} | {wrong: 0}
    with pytest.raises(ValueError, match=f"{wrong} must be a whole number of at least 1, got 0"):
        CausalConv1d(sizes.pop("inputs"), sizes.pop("outputs"), **sizes)
