"""Pixel norm: mean square one at each place, whatever the scale."""

import torch

from genedu.nn import PixelNorm

H = torch.randn(3, 5, 4, 4, dtype=torch.float64)

# oracles --------------------------------------------------------------------------------------------------------------


def test_the_mean_square_over_channels_is_one_at_each_place():
    torch.testing.assert_close(PixelNorm()(H).square().mean(1), torch.ones(3, 4, 4).double(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(PixelNorm()(torch.tensor([[3.0, -4.0]])), torch.tensor([[3.0, -4.0]]) / 12.5**0.5)


# limits ---------------------------------------------------------------------------------------------------------------


def test_directions_stay_scale_goes_and_nothing_gives_nothing():
    torch.testing.assert_close(PixelNorm()(100 * H), PixelNorm()(H), rtol=1e-5, atol=1e-8)
    torch.testing.assert_close(nn_cosine(PixelNorm()(H), H), torch.ones(3, 4, 4).double())
    zero = torch.zeros(1, 2, 1, 1, requires_grad=True)
    PixelNorm()(zero).sum().backward()
    assert torch.isfinite(zero.grad).all() and (PixelNorm()(zero) == 0).all()


def nn_cosine(a, b):
    return torch.nn.functional.cosine_similarity(a, b, dim=1)
