"""Oracles for receptive fields: convolutions whose field is plain, a pixel that sees nothing, a net of constants."""

import pytest
import torch
from torch import nn

from genedu.nn.receptive import receptive_field

X = torch.randn(2, 3, 7, 6)


def test_a_convolution_sees_its_kernel():
    net = nn.Conv2d(3, 2, 3, padding=1)
    seen = receptive_field(lambda x: net(x).permute(0, 2, 3, 1), X, 2, 3)
    want = torch.zeros(7, 6)
    want[1:4, 2:5] = 1
    assert torch.equal(seen > 0, want > 0) and torch.equal(seen[want == 0], torch.zeros(33))


def test_the_numbers_are_the_sizes_of_the_slopes():
    """f = 2 x of the first feature, one output: the slope is 2 for each of two rows of the batch."""
    seen = receptive_field(lambda x: 2 * x[:, :1].permute(0, 2, 3, 1), X, 6, 0)
    want = torch.zeros(7, 6)
    want[6, 0] = 4.0
    torch.testing.assert_close(seen, want)


def test_outputs_that_cancel_are_seen():
    seen = receptive_field(lambda x: torch.cat([x[:, :1], -x[:, :1]], 1).permute(0, 2, 3, 1), X, 0, 5)
    assert seen[0, 5] > 0 and (seen > 0).sum() == 1


def test_a_constant_sees_nothing_even_without_a_graph():
    bias = nn.Parameter(torch.ones(1))
    assert receptive_field(lambda x: bias.expand(2, 7, 6, 1), X, 0, 0).eq(0).all()
    assert receptive_field(lambda x: torch.ones(2, 7, 6, 1), X, 0, 0).eq(0).all()
    with torch.no_grad():
        assert receptive_field(lambda x: x.permute(0, 2, 3, 1), X, 0, 0).gt(0).sum() == 1


@pytest.mark.parametrize(("x", "row", "column"), [(X[0], 0, 0), (X, 7, 0), (X, 0, 6), (X, -1, 0), (X, 0, -1)])
def test_bad_arguments(x, row, column):
    with pytest.raises(ValueError, match="hold the pixel"):
        receptive_field(lambda x: x, x, row, column)


def test_whole_numbers_have_no_gradient():
    with pytest.raises(ValueError, match=r"real numbers, got torch.int64: give what is shown of levels"):
        receptive_field(lambda x: x.permute(0, 2, 3, 1), X.long(), 0, 0)
