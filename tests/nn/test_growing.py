"""Growing networks: the old network at alpha 0, no old way at alpha 1, nothing jumps between, and the paper's sizes."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from genedu.core import seeded
from genedu.nn import EqualisedConv2d, GrowingCritic, GrowingGenerator, at_stage, double, growing_widths, halve

SIDES, WIDTHS = [2, 4, 8], [6, 5, 3]
with seeded(1):
    GENERATOR, CRITIC = GrowingGenerator(7, 2, SIDES, WIDTHS).double(), GrowingCritic(2, SIDES, WIDTHS).double()
    Z, X = torch.randn(5, 7).double(), torch.rand(5, 2, 8, 8).double()


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [4, 8])
def test_alpha_0_is_the_old_network_exactly(side):
    assert torch.equal(GENERATOR(Z, side, 0.0), double(GENERATOR(Z, side // 2, 1.0)))
    x = at_stage(X, side, 1.0)
    torch.testing.assert_close(CRITIC(x, side, 0.0), CRITIC(halve(x), side // 2, 1.0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("side", [4, 8])
def test_the_image_is_linear_in_alpha_and_the_score_does_not_jump(side):
    old, new = double(GENERATOR(Z, side // 2, 1.0)), GENERATOR(Z, side, 1.0)
    for alpha in (0.25, 0.6):
        torch.testing.assert_close(GENERATOR(Z, side, alpha), (1 - alpha) * old + alpha * new)
    x = at_stage(X, side, 1.0)
    for alpha in (0.0, 0.3, 0.999999):
        assert (CRITIC(x, side, alpha + 1e-6) - CRITIC(x, side, alpha)).abs().max() < 1e-4


def test_bends_leak_a_fifth_and_colours_have_half_the_gain_and_the_score_one():
    leaks = [m.negative_slope for network in (GENERATOR, CRITIC) for m in network.modules() if isinstance(m, nn.LeakyReLU)]
    assert set(leaks) == {0.2} and len(leaks) > 10
    assert [c.scale for c in GENERATOR.to_rgb] == pytest.approx([0.5 / width**0.5 for width in WIDTHS])
    score = [m for m in CRITIC.blocks[0].modules() if isinstance(m, EqualisedConv2d)][-1]
    assert score.scale == pytest.approx(1 / WIDTHS[0] ** 0.5)


@pytest.mark.parametrize(("network", "x", "colours"), [(GENERATOR, Z, "to_rgb"), (CRITIC, X, "from_rgb")])
def test_which_parameters_have_a_part(network, x, colours):
    for side, alpha in ((2, 1.0), (4, 0.5), (4, 1.0), (8, 0.0), (8, 0.5), (8, 1.0)):
        network.zero_grad()
        network(x if network is GENERATOR else at_stage(X, side, alpha), side, alpha).square().sum().backward()
        used = set(map(id, network.used(side, alpha)))
        for w in network.parameters():
            assert (id(w) in used) == (w.grad is not None)
    newest = [id(w) for w in getattr(network, colours)[1].parameters()]
    assert set(newest) <= set(map(id, network.used(8, 0.5))) and not set(newest) & set(map(id, network.used(8, 1.0)))


def test_data_at_a_stage():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    small = torch.tensor([[2.5, 4.5], [10.5, 12.5]]).view(1, 1, 2, 2)
    assert torch.equal(at_stage(x, 2, 1.0), small) and torch.equal(at_stage(x, 4, 1.0), x)
    assert torch.equal(at_stage(x, 4, 0.0), small.repeat_interleave(2, 2).repeat_interleave(2, 3))
    torch.testing.assert_close(at_stage(x, 4, 0.25), 0.75 * double(small) + 0.25 * x)
    torch.testing.assert_close(at_stage(x, 2, 0.5), torch.full((1, 1, 2, 2), 7.5) / 2 + small / 2)
    assert torch.equal(halve(double(small)), small)


def test_features_have_mean_square_one_and_the_critic_sees_variety():
    h = Z
    for block, width, side in zip(GENERATOR.blocks, WIDTHS, SIDES, strict=True):
        h = block(h)
        assert h.shape == (5, width, side, side)
        torch.testing.assert_close(h.square().mean(1), torch.ones(5, side, side).double(), rtol=1e-4, atol=1e-4)
    alone, together = CRITIC(X[:1], 8, 1.0), CRITIC(X, 8, 1.0)[:1]
    assert (alone - together).abs() > 1e-6
    same = CRITIC(X[:1].expand(4, -1, -1, -1), 8, 1.0)
    torch.testing.assert_close(same, alone.expand(4, 1), rtol=0, atol=1e-9)  # four alike are as one: no variety


def test_the_paper_s_widths_and_numbers_of_parameters():
    """The paper's table 2 from 4 to 1024, counted by hand: w w' 9 + w' a convolution. It states 23.1 million each."""
    sides = [4 * 2**i for i in range(9)]
    widths = growing_widths(sides, 16384, 512)
    assert widths == [512, 512, 512, 512, 256, 128, 64, 32, 16]
    with torch.device("meta"):
        generator, critic = GrowingGenerator(512, 3, sides, widths), GrowingCritic(3, sides, widths)

    def conv(a, b, k=3):
        return a * b * k * k + b

    pairs = list(pairwise(widths))
    g = conv(512, 512, 4) + conv(512, 512) + sum(conv(a, b) + conv(b, b) for a, b in pairs) + conv(16, 3, 1)
    d = conv(3, 16, 1) + sum(conv(b, b) + conv(b, a) for a, b in pairs) + conv(513, 512) + conv(512, 512, 4) + 513
    for network, count in ((generator, g), (critic, d)):
        assert sum(w.numel() for w in network.used(1024, 1.0)) == count
        assert round(count / 1e6, 1) == 23.1


# limits ---------------------------------------------------------------------------------------------------------------


def test_widths_are_never_below_one_and_all_layers_are_equalised():
    assert growing_widths([4, 8, 16], 8, 3) == [2, 1, 1] and growing_widths([2, 4], 64, 3) == [3, 3]
    assert all((layer.bias == 0.5).all() for layer in GENERATOR.to_rgb)  # the middle of [0, 1]
    for network in (GENERATOR, CRITIC):
        owners = [m for m in network.modules() if list(m.parameters(recurse=False))]
        assert all(isinstance(m, EqualisedConv2d) for m in owners)
