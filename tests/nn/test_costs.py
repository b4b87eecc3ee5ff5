"""Costs: small networks by hand, torch's own counter on a real forward and backward pass, and equal counts without memory."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from genedu.nn import GrowingCritic, GrowingGenerator, cost, growing_widths, strided_discriminator, strided_generator

SIDES = [4, 8, 16, 32, 64, 128]
WIDTHS = growing_widths(SIDES, 512, 32)


# oracles --------------------------------------------------------------------------------------------------------------


def test_small_networks_by_hand():
    """A row of 3 -> 5 -> 2: kept are the rows, and the bent layer, which is the next one's input."""
    found = cost(nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2)), torch.rand(4, 3))
    assert found == (3 * 5 + 5 + 5 * 2 + 2, 4 * (3 * 5 + 5 * 2), 4 * 4 * (3 + 5))
    conv = cost(nn.Conv2d(2, 3, 3, padding=1), torch.rand(4, 2, 8, 8))
    assert conv == (2 * 3 * 9 + 3, 4 * 64 * 3 * 2 * 9, 4 * 4 * 2 * 64)
    transposed = cost(nn.ConvTranspose2d(2, 3, 4, 2, 1, bias=False), torch.rand(4, 2, 8, 8))
    assert transposed == (2 * 3 * 16, 4 * 2 * 64 * 3 * 16, 4 * 4 * 2 * 64)
    along = cost(nn.ConvTranspose1d(2, 3, 4, 2, 1, bias=False), torch.rand(1, 2, 8))
    assert along.multiply_adds == 2 * 8 * 3 * 4
    assert cost(nn.Embedding(10, 5), torch.zeros(3).long()).multiply_adds == 0


@pytest.mark.parametrize("which", ["generator", "critic", "strided generator", "strided discriminator"])
def test_a_real_forward_and_backward_pass_at_128(which):
    """torch counts FLOPs of its kernels while they run: twice (1), and (3) with backward. Without memory all is the same."""
    build, shape, stage, first = {
        "generator": (lambda: GrowingGenerator(16, 3, SIDES, WIDTHS), (2, 16), (128, 1.0), 16 * 4 * 4),
        "critic": (lambda: GrowingCritic(3, SIDES, WIDTHS), (2, 3, 128, 128), (128, 1.0), 3),
        "strided generator": (lambda: strided_generator(16, (3, 128, 128), width=4), (2, 16), (), 16),
        "strided discriminator": (lambda: strided_discriminator((3, 128, 128), width=4), (2, 3, 128, 128), (), 3 * 4 * 4),
    }[which]
    network, x = build(), torch.rand(shape)
    outputs = {"generator": 2 * 32 * 16, "critic": 2 * 4 * 128**2, "strided generator": 2 * 4 * 128}
    first *= outputs.get(which, 2 * 4 * 64**2)  # multiply-adds of the layer whose input needs no slope
    with FlopCounterMode(display=False) as forward:
        out = network(x, *stage)
    with FlopCounterMode(display=False) as backward:
        out.square().mean().backward()
    found = cost(network, x, *stage)
    assert forward.get_total_flops() == 2 * found.multiply_adds
    assert backward.get_total_flops() == 2 * (2 * found.multiply_adds - first)
    assert found.parameters == sum(w.numel() for w in network.parameters() if w.grad is not None)
    with torch.device("meta"):
        assert cost(build(), torch.empty(shape), *stage) == found


# limits ---------------------------------------------------------------------------------------------------------------


def test_four_times_the_pixels_cost_four_times_the_convolutions():
    layer = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1))
    with torch.device("meta"):
        small, large = (cost(layer.to("meta"), torch.empty(1, 3, n, n)) for n in (512, 1024))
    assert large.parameters == small.parameters
    assert large.multiply_adds == 4 * small.multiply_adds and large.activations == 4 * small.activations


def test_hooks_are_taken_off_again_even_after_an_error():
    layer = nn.Linear(3, 2)
    with pytest.raises(RuntimeError):
        cost(layer, torch.rand(4, 5))
    assert not layer._forward_hooks
    assert cost(layer, torch.rand(4, 3)) == cost(layer, torch.rand(4, 3))
