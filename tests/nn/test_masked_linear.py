"""Oracles for the masked linear layer: the sum written out, its gradient, and an optimiser that pushes masked weights."""

import pytest
import torch

from genedu.nn import MaskedLinear

F64 = torch.float64
MASK = torch.tensor([[True, False, True], [False, False, False], [True, True, True], [False, True, False]])


def test_it_is_the_sum_over_the_inputs_that_each_output_may_see():
    layer, x = MaskedLinear(MASK).double(), torch.randn(5, 3, dtype=F64)
    y = layer(x)
    assert y.shape == (5, 4)
    for i in range(4):
        want = layer.bias[i] + sum((layer.weight[i, j] * x[:, j] for j in range(3) if MASK[i, j]), torch.zeros(5).double())
        torch.testing.assert_close(y[:, i], want, rtol=0, atol=1e-14)
    assert torch.equal(y[:, 1], layer.bias[1].expand(5))


def test_a_masked_weight_gets_no_gradient_and_the_others_that_of_a_linear_layer():
    layer, x, weight = MaskedLinear(MASK).double(), torch.randn(5, 3, dtype=F64), torch.randn(5, 4, dtype=F64)
    (got,) = torch.autograd.grad((weight * layer(x)).sum(), [layer.weight])
    torch.testing.assert_close(got, MASK * (weight.T @ x), rtol=0, atol=1e-14)


def test_the_mask_holds_whatever_is_done_to_the_weights():
    layer, x = MaskedLinear(MASK), torch.randn(5, 3)
    with torch.no_grad():
        layer.weight += 1.0
    moved = x.clone()
    moved[:, 1] += 10
    assert torch.equal(layer(x)[:, [0, 1]], layer(moved)[:, [0, 1]])
    assert not torch.equal(layer(x)[:, 3], layer(moved)[:, 3])


def test_sums_start_equally_large_however_many_inputs_are_seen():
    """Weights are even on +-1 / sqrt(inputs seen), so that a sum of n inputs of variance 1 has variance 1/3 for every n."""
    torch.manual_seed(0)
    seen = torch.ones(4000, 64).tril(-1).bool()[torch.tensor([1, 4, 32, 64]).repeat_interleave(1000)]  # [4000, 64]
    layer = MaskedLinear(seen, bias=False)
    assert layer.bias is None
    variance = (seen * layer.weight).square().sum(1).view(4, 1000)  # of the sum, for inputs of variance 1
    assert (seen.sum(1).view(4, 1000)[:, 0] == torch.tensor([1, 4, 32, 64])).all()
    assert ((variance.mean(1) - 1 / 3).abs() < 5 * variance.std(1) / 1000**0.5).all()


def test_a_full_mask_is_a_linear_layer():
    layer, x = MaskedLinear(torch.ones(4, 3, dtype=torch.bool)), torch.randn(5, 3)
    assert torch.equal(layer(x), torch.nn.functional.linear(x, layer.weight, layer.bias))


def test_the_mask_is_a_copy_and_goes_with_the_state():
    mask = MASK.clone()
    layer = MaskedLinear(mask)
    mask.logical_not_()
    assert torch.equal(layer.state_dict()["mask"], MASK)


@pytest.mark.parametrize("mask", [torch.ones(3, dtype=torch.bool), torch.ones(3, 2)])
def test_bad_mask(mask):
    with pytest.raises(ValueError, match=r"mask must be \[outputs, inputs\] truth values"):
        MaskedLinear(mask)
