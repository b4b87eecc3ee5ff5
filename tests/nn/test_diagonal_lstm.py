"""Oracles for the Diagonal BiLSTM: skewing written out and undone, the recurrence by loops, what is seen, the leak."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from genedu.core import seeded
from genedu.nn import diagonal_lstm
from genedu.nn.diagonal_lstm import DiagonalBiLSTM, DiagonalLSTM, skew, unskew
from genedu.nn.receptive import receptive_field
from genedu.nn.row_lstm import lstm_step

F64 = torch.float64
with seeded(3):
    X, E = torch.randn(2, 2, 3, 4, 5, dtype=F64)


def bidirectional(**options):
    with seeded(2):
        return DiagonalBiLSTM(3, **options).double()


def test_skewing_written_out():
    x = torch.arange(1, 7).view(1, 1, 2, 3)
    assert skew(x)[0, 0].tolist() == [[1, 2, 3, 0], [0, 4, 5, 6]]
    assert skew(torch.ones(1, 1, 3, 1))[0, 0].tolist() == torch.eye(3).tolist()


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 3))
def test_unskew_undoes_skew(height, width, features):
    x = torch.randn(2, features, height, width)
    skewed = skew(x)
    assert skewed.shape == (2, features, height, height + width - 1) and torch.equal(unskew(skewed), x)
    torch.testing.assert_close(skewed.sum(), x.sum())


def test_one_direction_is_the_recurrence_by_loops():
    """Pixel (r, c) follows on its left neighbour, whose cell it takes over, and on the pixel above."""
    with seeded(2):
        layer = DiagonalLSTM(3).double()
    got, zero = layer(X), torch.zeros(2, 3, dtype=F64)
    h, cell = {}, {}
    for r in range(4):
        for c in range(5):
            left, above = h.get((r, c - 1), zero), h.get((r - 1, c), zero)
            s = layer.input(X[:, :, r, c]) + torch.cat([left, above], 1) @ layer.state.weight.T
            h[r, c], cell[r, c] = lstm_step(s, cell.get((r, c - 1), zero))
            torch.testing.assert_close(got[:, :, r, c], h[r, c])


def test_both_directions_are_added_the_right_one_a_row_below():
    layer = bidirectional()
    h = layer.left(X)
    h[:, :, 1:] += layer.right((X + E).flip(3)).flip(3)[:, :, :-1]
    torch.testing.assert_close(layer(X, E), X + layer.out(h.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


def test_x_is_seen_up_to_the_pixel_and_e_up_to_the_row_above():
    layer = bidirectional()
    of_x = receptive_field(lambda x: layer(x, E).permute(0, 2, 3, 1), X, 2, 1) > 0
    of_e = receptive_field(lambda e: layer(X, e).permute(0, 2, 3, 1), E, 2, 1) > 0
    assert of_x[:2].all() and of_x[2].tolist() == [True, True, False, False, False] and not of_x[3].any()
    assert of_e[:2, 1:].all() and not of_e[:, :1].any() and not of_e[2:].any()


def test_without_the_shift_the_future_leaks(monkeypatch):
    layer = bidirectional()
    monkeypatch.setattr(diagonal_lstm, "down", lambda x: x)
    seen = receptive_field(lambda x: layer(x, E).permute(0, 2, 3, 1), X, 2, 1) > 0
    assert seen[2].all(), "the rest of the row"


def test_forget_gates_start_open():
    assert DiagonalLSTM(2).input.bias[2:4].tolist() == [1.0, 1.0]


def test_dropout_silences_whole_maps_and_only_in_training():
    layer = bidirectional(dropout=0.5)
    nn.init.eye_(layer.out.weight)
    nn.init.zeros_(layer.out.bias)
    with seeded(5):
        silent = (layer.train()(X, E) == X).flatten(2)
    assert torch.equal(silent.all(2), silent.any(2)) and silent.any() and not silent.all()
    assert torch.equal(layer.eval()(X, E), layer(X, E)) and not (layer(X, E) == X).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1)])
def test_thin_images(shape):
    x = torch.randn(2, 3, *shape, dtype=F64)
    assert bidirectional()(x, x).shape == x.shape
