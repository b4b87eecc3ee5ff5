"""Oracles for the two stacks: the equations pixel by pixel, what each stack sees, and the leak without the shift."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from genedu.core import seeded
from genedu.nn import TwoStack, TwoStackInput, two_stack
from genedu.nn.receptive import receptive_field

F64 = torch.float64


def stack(hidden=4, **options):
    with seeded(2):
        layer = TwoStack(hidden, **options).double()
        for parameter in layer.parameters():
            nn.init.normal_(parameter, std=0.5)
    return layer


def maps(*shape):
    with seeded(3):
        return torch.randn(2, *shape, dtype=F64), torch.randn(2, *shape, dtype=F64)


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_it_is_the_equations_pixel_by_pixel(kernel):
    layer, (v, h) = stack(kernel=kernel, condition=3), maps(4, 4, 5)
    z = torch.randn(2, 3, dtype=F64)
    got_v, got_h = layer(v, h, z)
    k, (R, L) = kernel // 2, layer.weights()
    A_v, A_h = layer.conditioned.weight.chunk(2)

    def at(x, r, c):  # zeros around
        return x[:, :, r, c] if 0 <= r < 4 and 0 <= c < 5 else torch.zeros(2, 4, dtype=F64)

    def gate(s):
        return s[:, :4].tanh() * s[:, 4:].sigmoid()

    for r in range(4):
        for c in range(5):
            a = layer.vertical.bias + z @ A_v.T
            for i in range(k + 1):
                for j in range(kernel):
                    a = a + at(v, r - k + i, c - k + j) @ layer.vertical.weight[:, :, i, j].T
            torch.testing.assert_close(got_v[:, :, r, c], gate(a))  # eq. (1)
            b = layer.horizontal.bias + z @ A_h.T + at(got_v, r - 1, c) @ L
            for j in range(k + 1):
                b = b + at(h, r, c - k + j) @ R[4 * j : 4 * (j + 1)]
            torch.testing.assert_close(got_h[:, :, r, c], h[:, :, r, c] + layer.out(gate(b)))  # eq. (2)


def test_the_first_layer_is_the_equations_pixel_by_pixel():
    with seeded(4):
        layer, x = TwoStackInput(2, 3, kernel=5).double(), torch.randn(1, 2, 4, 4, dtype=F64)
    v, h = layer(x)
    padded = F.pad(x, (2, 2, 2, 0))
    torch.testing.assert_close(v, F.conv2d(padded, layer.vertical.weight, layer.vertical.bias))
    for r in range(4):
        for c in range(4):
            window = padded[:, :, r + 2, c : c + 2].permute(0, 2, 1).flatten(1)  # the two pixels on the left
            torch.testing.assert_close(h[:, :, r, c], window @ layer.taps() + layer.left.bias)


def test_what_each_stack_sees():
    """v: the rows up to its own, both sides; h: the rows above, both sides, and its own row up to the pixel."""
    layer, (v, h) = stack(), maps(4, 5, 5)
    cases = {
        (0, 0): [(r, c) for r in (1, 2) for c in (1, 2, 3)],  # v' of v
        (0, 1): [],  # v' of h
        (1, 0): [(r, c) for r in (0, 1) for c in (1, 2, 3)],  # h' of v: one row higher
        (1, 1): [(2, 1), (2, 2)],  # h' of h
    }
    for (out, into), want in cases.items():
        pair = [v, h]

        def see(x, out=out, into=into, pair=pair):
            return layer(*[x if i == into else pair[i] for i in range(2)])[out].permute(0, 2, 3, 1)

        assert (receptive_field(see, pair[into], 2, 2) > 0).nonzero().tolist() == [list(p) for p in want]


def past_only(pixels_per_row: int, row: int, column: int, seen: torch.Tensor) -> bool:
    return not (seen.flatten()[row * pixels_per_row + column :] > 0).any()


def test_without_the_shift_the_future_leaks(monkeypatch):
    layer, (v, h) = stack(), maps(4, 5, 5)

    def see(x):
        return layer(x, h)[1].permute(0, 2, 3, 1)

    assert past_only(5, 2, 2, receptive_field(see, v, 2, 2))
    monkeypatch.setattr(two_stack, "down", lambda x: x)
    assert not past_only(5, 2, 2, receptive_field(see, v, 2, 2))


def test_colours_see_only_those_before_them():
    """Hidden features in three groups: group g of h' at a pixel depends on groups up to g of h there, and on all of v above."""
    layer, (v, h) = stack(6, channels=3), maps(6, 3, 3)
    h.requires_grad_()
    v.requires_grad_()
    _, out = layer(v, h)
    for g in range(3):
        of_h, of_v = torch.autograd.grad(out[:, 2 * g : 2 * g + 2, 1, 1].sum(), [h, v], retain_graph=True)
        groups = of_h[:, :, 1, 1].abs().sum(0).view(3, 2).sum(1) > 0
        assert groups.tolist() == [j <= g for j in range(3)]
        assert (of_h[:, :, 1, 0].abs().sum(0) > 0).all() and (of_v[:, :, 0, 1].abs().sum(0) > 0).all()
    first = TwoStackInput(3, 6, kernel=3, channels=3).double()
    x = torch.randn(2, 3, 3, 3, dtype=F64, requires_grad=True)
    for g in range(3):
        (slope,) = torch.autograd.grad(first(x)[1][:, 2 * g : 2 * g + 2, 1, 1].sum(), [x])
        assert (slope[:, :, 1, 1].abs().sum(0) > 0).tolist() == [j < g for j in range(3)]


def test_a_map_conditions_each_pixel_and_a_vector_all_of_them():
    layer, (v, h) = stack(condition=2), maps(4, 3, 3)
    z = torch.randn(2, 2, dtype=F64)
    for got, want in zip(layer(v, h, z), layer(v, h, z[:, :, None, None].expand(2, 2, 3, 3)), strict=True):
        torch.testing.assert_close(got, want)
    z = torch.randn(2, 2, 3, 3, dtype=F64)
    seen = receptive_field(lambda z: layer(v, h, z)[1].permute(0, 2, 3, 1), z, 1, 1)
    assert (seen > 0).nonzero().tolist() == [[0, 1], [1, 1]], "the pixel's own condition, and by v' the one above"
    for got, want in zip(layer(v, h), stack()(v, h), strict=True):
        assert got.shape == want.shape


def test_dropout_silences_whole_maps_and_only_in_training():
    layer, (v, h) = stack(dropout=0.5), maps(4, 3, 3)
    nn.init.eye_(layer.out.weight)
    nn.init.zeros_(layer.out.bias)
    with seeded(5):
        gated = layer.train()(v, h)[1] - h
    silent = (gated == 0).flatten(2)
    assert torch.equal(silent.all(2), silent.any(2)) and silent.any() and not silent.all()
    assert torch.equal(layer.eval()(v, h)[1], layer(v, h)[1])
    assert not (layer(v, h)[1] == h).any()


# errors ---------------------------------------------------------------------------------------------------------------


def test_bad_arguments():
    with pytest.raises(ValueError, match="odd whole"):
        TwoStack(4, kernel=2)
    with pytest.raises(ValueError, match="multiples of channels = 3"):
        TwoStack(4, channels=3)
    with pytest.raises(ValueError, match="at least 3, got 1: nothing would be seen"):
        TwoStackInput(2, 4, kernel=1)
    with pytest.raises(ValueError, match="multiples"):
        TwoStackInput(3, 4, channels=3)
