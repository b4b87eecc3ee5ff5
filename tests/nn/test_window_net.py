"""The window by the gradient's zeros, written out pixel by pixel; the walk; the map."""

import pytest
import torch
from torch import nn

from genedu.core import seeded
from genedu.nn import WindowNet, receptive_field


def net(window, height=5, width=6, levels=3, layers=2):
    with seeded(1):
        made = WindowNet(levels, (1, height, width), window=window, condition=4, hidden=8, layers=layers, embedding=3).double()
        for weight in made.parameters():
            nn.init.normal_(weight, std=0.5)
    return made


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [1, 2, 5, 9])
@pytest.mark.parametrize(("height", "width"), [(5, 6), (1, 9), (6, 1)])
def test_the_window_is_what_it_says(window, height, width):
    made, shown, c = (
        net(window, height, width),
        torch.randn(3, 3, height, width).double(),
        torch.randn(3, 4, height, width).double(),
    )
    for row in range(height):
        for column in range(width):
            seen = receptive_field(lambda v: made.see(v, c), shown, row, column) > 0
            known = [
                [
                    (r, j) < (row, column) and row - r <= window and abs(j - column) <= window  # raster order, then eq. (1)
                    for j in range(width)
                ]
                for r in range(height)
            ]
            assert seen.tolist() == known


@torch.no_grad()
def test_window_0_sees_no_pixel_and_a_wide_one_all_earlier_pixels():
    x, c = torch.randint(3, (2, 1, 5, 6)), torch.randn(2, 4, 5, 6).double()
    torch.testing.assert_close(net(0)(x, c), net(0)(torch.zeros_like(x), c), rtol=0, atol=0)
    before = net(5)(x, c)
    x[:, :, 0, 0] = (x[:, :, 0, 0] + 1) % 3
    moved = (net(5)(x, c) - before).abs().amax((0, 3)) > 0
    assert moved.sum() == 29 and not moved[0, 0]


def test_the_map_reaches_its_own_pixel_only():
    made, shown, c = net(1), torch.randn(2, 3, 5, 6).double(), torch.randn(2, 4, 5, 6).double()
    reached = receptive_field(lambda v: made.see(shown, v), c, 2, 3) > 0
    assert reached.nonzero().tolist() == [[2, 3]]


@pytest.mark.parametrize("window", [0, 1, 2, 9])
@torch.no_grad()
def test_the_walk_says_what_a_whole_pass_says(window):
    made, x, c = net(window), torch.randint(3, (4, 1, 5, 6)), torch.randn(4, 4, 5, 6).double()
    walk, whole = made.walk(x, c), made(x, c)
    for r in range(5):
        for column in range(6):
            torch.testing.assert_close(walk(r, column), whole[:, r, column], rtol=0, atol=1e-12)


# limits ---------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_two_pixels_by_hand():
    """A line of two pixels, no layer: f_2 = P relu(Q relu(W E[x_1] + place + b) ...) written out."""
    made = net(1, 1, 2, layers=0)
    x, c = torch.tensor([[[[2, 0]]]]), torch.zeros(1, 4, 1, 2).double()
    h = made.embedding[2] @ made.first.weight[:, :, 0, 0].T + made.place[:, 0, 1]
    torch.testing.assert_close(made(x, c)[0, 0, 1], made.head(h) + made.bias[0, 1])
    torch.testing.assert_close(made(x, c)[0, 0, 0], made.head(made.place[:, 0, 0]) + made.bias[0, 0])


def test_window_0_has_no_idle_weights():
    made = net(0)
    made(torch.zeros(2, 1, 5, 6).long(), torch.randn(2, 4, 5, 6).double()).square().sum().backward()
    assert all(w.grad is not None and w.grad.abs().sum() > 0 for w in made.parameters())


@pytest.mark.parametrize(("window", "shape"), [(-1, (1, 5, 6)), (1, (3, 5, 6))])
def test_a_window_below_0_and_colours_are_refused(window, shape):
    with pytest.raises(ValueError, match=r"window must be at least 0 and shape \(1, H, W\), got"):
        WindowNet(4, shape, window=window, condition=4)
