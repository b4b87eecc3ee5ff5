"""Oracles for the Row LSTM: the equations by loops, torch's own LSTM down a single column, its triangle."""

import pytest
import torch
from torch import nn

from genedu.core import seeded
from genedu.nn.receptive import receptive_field
from genedu.nn.row_lstm import RowLSTM, lstm_step

F64 = torch.float64


def lstm(hidden=3, **options):
    with seeded(2):
        return RowLSTM(hidden, **options).double()


with seeded(3):
    X = torch.randn(2, 3, 5, 9, dtype=F64)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_it_is_the_equations_by_loops(kernel):
    layer, k = lstm(kernel=kernel), kernel // 2
    got = layer(X)
    h = cell = torch.zeros(2, 3, 9, dtype=F64)  # the row above, [B, hidden, W]
    for r in range(5):
        new_h, new_cell = torch.zeros_like(h), torch.zeros_like(cell)
        for c in range(9):
            s = layer.input.bias
            for j in range(k + 1):  # from k//2 to the left up to the pixel
                if c - k + j >= 0:
                    s = s + X[:, :, r, c - k + j] @ layer.input.weight[:, 3 * j : 3 * j + 3].T
            for j in range(kernel):
                if 0 <= c - k + j < 9:
                    s = s + h[:, :, c - k + j] @ layer.state.weight.view(12, 3, kernel)[:, :, j].T
            o, f, i, g = s[:, :3].sigmoid(), s[:, 3:6].sigmoid(), s[:, 6:9].sigmoid(), s[:, 9:].tanh()
            new_cell[:, :, c] = f * cell[:, :, c] + i * g
            new_h[:, :, c] = o * new_cell[:, :, c].tanh()
        h, cell = new_h, new_cell
        want = X[:, :, r] + (h.mT @ layer.out.weight.T + layer.out.bias).mT
        torch.testing.assert_close(got[:, :, r], want)


def test_down_one_column_it_is_torchs_lstm():
    layer, reference = lstm(kernel=1), nn.LSTM(3, 3).double()

    def torchs(w):  # torch's order is i f g o, ours o f i g
        o, f, i, g = w.chunk(4)
        return torch.cat([i, f, g, o])

    with torch.no_grad():
        reference.weight_ih_l0.copy_(torchs(layer.input.weight))
        reference.weight_hh_l0.copy_(torchs(layer.state.weight))
        reference.bias_ih_l0.copy_(torchs(layer.input.bias))
        reference.bias_hh_l0.zero_()
    x = X[..., :1]
    h, _ = reference(x[..., 0].permute(2, 0, 1))  # [H, B, hidden]
    torch.testing.assert_close(layer(x), x + layer.out(h).permute(1, 2, 0)[..., None])


@pytest.mark.parametrize("kernel", [3, 5])
def test_it_sees_its_triangle_and_nothing_else(kernel):
    """In the row u above: from k//2 (u + 1) to the left up to k//2 u to the right."""
    layer, k = lstm(kernel=kernel), kernel // 2
    seen = receptive_field(lambda x: layer(x).permute(0, 2, 3, 1), X, 3, 4) > 0
    want = torch.zeros(5, 9, dtype=torch.bool)
    for r in range(4):
        u = 3 - r
        want[r, max(0, 4 - k * (u + 1)) : 4 + k * u + 1] = True
    assert torch.equal(seen, want)


def test_a_step_can_remember_and_forget():
    cell, high = torch.tensor([0.7, -0.2]), 50.0
    keep = torch.tensor([high, high, high, high, -high, -high, 0.3, 0.3])  # o and f open, i shut
    torch.testing.assert_close(lstm_step(keep, cell), (cell.tanh(), cell))
    renew = torch.tensor([high, high, -high, -high, high, high, 0.3, 0.3])
    new = torch.full((2,), 0.3).tanh()
    torch.testing.assert_close(lstm_step(renew, cell), (new.tanh(), new))


def test_forget_gates_start_open():
    bias = lstm(hidden=2).input.bias
    assert bias[2:4].tolist() == [1.0, 1.0] and bias[4:].abs().max() < 1 and bias[:2].abs().max() < 1


def test_dropout_silences_whole_maps_and_only_in_training():
    layer = lstm(dropout=0.5)
    nn.init.eye_(layer.out.weight)
    nn.init.zeros_(layer.out.bias)
    with seeded(5):
        silent = (layer.train()(X) == X).flatten(2)
    assert torch.equal(silent.all(2), silent.any(2)) and silent.any() and not silent.all()
    assert torch.equal(layer.eval()(X), layer(X)) and not (layer(X) == X).any()


def test_bad_kernel():
    with pytest.raises(ValueError, match="odd whole"):
        RowLSTM(3, kernel=2)
