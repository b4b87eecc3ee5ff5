"""Oracles for the plain layers: the equation, the field of one layer, the blind spot of many."""

import pytest
import torch
from torch import nn

from genedu.core import seeded
from genedu.nn.masked_block import MaskedBlock, MaskedInput
from genedu.nn.receptive import receptive_field

F64 = torch.float64


def block(hidden=4, **options):
    with seeded(2):
        layer = MaskedBlock(hidden, **options).double()
        for parameter in layer.parameters():
            nn.init.normal_(parameter, std=0.5)
    return layer


with seeded(3):
    X = torch.randn(3, 4, 5, 6, dtype=F64)


def test_it_is_the_equation():
    layer, z = block(condition=2), torch.randn(3, 2, dtype=F64)
    own = layer.conv(X) + (z @ layer.conditioned.weight.T)[:, :, None, None]
    want = X + torch.einsum("bfhw,gf->bghw", own.relu(), layer.out.weight) + layer.out.bias[:, None, None]
    torch.testing.assert_close(layer(X, z), want)
    torch.testing.assert_close(layer(X, z[:, :, None, None].expand(3, 2, 5, 6)), want)
    assert not torch.allclose(layer(X), want)


def test_one_layer_of_each_kind_sees_its_mask():
    seen = receptive_field(lambda x: block()(x).permute(0, 2, 3, 1), X, 2, 3)
    assert (seen > 0).nonzero().tolist() == [[1, 2], [1, 3], [1, 4], [2, 2], [2, 3]]
    with seeded(4):
        first = MaskedInput(4, 8, kernel=3).double()
    seen = receptive_field(lambda x: first(x).permute(0, 2, 3, 1), X, 2, 3)
    assert (seen > 0).nonzero().tolist() == [[1, 2], [1, 3], [1, 4], [2, 2]]


def test_colours_see_only_those_before_them():
    layer = block(6, channels=3)
    x = torch.randn(4, 6, 2, 2, dtype=F64, requires_grad=True)
    for g in range(3):
        (slope,) = torch.autograd.grad(layer(x)[:, 2 * g : 2 * g + 2, 1, 1].sum(), [x])
        assert ((slope[:, :, 1, 1].abs().sum(0).view(3, 2).sum(1)) > 0).tolist() == [j <= g for j in range(3)]


def test_dropout_silences_whole_maps_and_only_in_training():
    layer = block(dropout=0.5)
    nn.init.eye_(layer.out.weight)
    nn.init.zeros_(layer.out.bias)
    nn.init.constant_(layer.conv.bias, 50.0)  # relu passes all
    with seeded(5):
        silent = (layer.train()(X) == X).flatten(2)
    assert torch.equal(silent.all(2), silent.any(2)) and silent.any() and not silent.all()
    assert torch.equal(layer.eval()(X), layer(X)) and not (layer(X) == X).any()


def test_bad_arguments():
    with pytest.raises(ValueError, match="at least 3, got 1: nothing would be seen"):
        MaskedInput(2, 4, kernel=1)
    with pytest.raises(ValueError, match="odd whole"):
        MaskedBlock(4, kernel=4)
    with pytest.raises(ValueError, match="multiples"):
        MaskedBlock(4, channels=3)
