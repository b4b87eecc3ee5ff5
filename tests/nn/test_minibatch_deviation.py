"""Minibatch deviation: a small example by hand, rows that are alike, and slopes that stay finite."""

import torch

from genedu.nn import MinibatchDeviation

# oracles --------------------------------------------------------------------------------------------------------------


def test_a_small_example_by_hand():
    """Two rows; channel 0 differs by 2 (deviation 1), channel 1 by 0 and by 6 (0 and 3): the mean of 1, 1, 0, 3 is 1.25."""
    h = torch.tensor([[[[1.0, 5.0]], [[7.0, -2.0]]], [[[3.0, 7.0]], [[7.0, 4.0]]]], dtype=torch.float64)
    out = MinibatchDeviation()(h)
    assert out.shape == (2, 3, 1, 2) and torch.equal(out[:, :2], h)
    eps = 1e-8
    expected = (2 * (1 + eps) ** 0.5 + eps**0.5 + (9 + eps) ** 0.5) / 4 - eps**0.5
    torch.testing.assert_close(out[:, 2], torch.full((2, 1, 2), expected, dtype=torch.float64), rtol=1e-13, atol=0)
    assert abs(expected - 1.25) < 1e-4


def test_the_order_of_the_rows_and_a_common_shift_do_not_matter():
    h = torch.randn(6, 2, 3, 3, dtype=torch.float64)
    s = MinibatchDeviation()(h)[0, -1, 0, 0]
    torch.testing.assert_close(MinibatchDeviation()(h.flip(0) + 5)[0, -1, 0, 0], s)
    torch.testing.assert_close(MinibatchDeviation()(4 * h)[0, -1, 0, 0] + 1e-4, 4 * (s + 1e-4), rtol=1e-6, atol=0)


# limits ---------------------------------------------------------------------------------------------------------------


def test_rows_that_are_alike_give_zero_with_finite_first_and_second_slopes():
    for rows in (1, 4):
        h = torch.randn(1, 2, 3, 3).expand(rows, 2, 3, 3).clone().requires_grad_()
        s = MinibatchDeviation()(h)[:, -1]
        assert (s.abs() < 1e-10).all()  # sqrt(eps) in single precision
        (slope,) = torch.autograd.grad(s.square().sum() + s.sum(), h, create_graph=True)
        (second,) = torch.autograd.grad(slope.square().sum(), h)
        assert torch.isfinite(slope).all() and torch.isfinite(second).all()
