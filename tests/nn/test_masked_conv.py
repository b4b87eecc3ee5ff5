"""Oracles for masked convolutions: the mask written out, a convolution by loops, exact zeros of the Jacobian."""

import pytest
import torch

from genedu.core import seeded
from genedu.nn import MaskedConv2d
from genedu.nn.masked_conv import centre_mask, odd

F64 = torch.float64


def conv(inputs, outputs, kernel, **options):
    with seeded(1):
        return MaskedConv2d(inputs, outputs, kernel, **options).double()


# oracles --------------------------------------------------------------------------------------------------------------


def test_the_masks_of_one_colour_written_out():
    above = [[1, 1, 1], [1, 0, 0], [0, 0, 0]]
    assert conv(1, 1, 3, kind="A").mask[0, 0].tolist() == above
    above[1][1] = 1
    assert conv(2, 3, 3, kind="B").mask.tolist() == [[above] * 2] * 3


def test_the_centre_of_three_colours_written_out():
    """Rows are outputs R, G, B, columns inputs R, G, B: A lets green see red, blue see red and green; B adds each itself."""
    assert centre_mask(3, 3, "A", 3).int().tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0]]
    assert centre_mask(3, 3, "B", 3).int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert centre_mask(6, 3, "A", 3).int().tolist() == [[0, 0, 0], [0, 0, 0], [1, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 0]]
    assert centre_mask(2, 4, "B", 2).int().tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]


@pytest.mark.parametrize("kind", ["A", "B"])
def test_it_is_the_sum_over_the_past(kind):
    """Written as loops over the pixels before, and for B the pixel itself."""
    layer = conv(2, 3, 5, kind=kind)
    x = torch.randn(2, 2, 4, 6, dtype=F64)
    want = layer.bias.detach()[None, :, None, None].repeat(2, 1, 4, 6)
    for r in range(4):
        for c in range(6):
            for dr in range(-2, 1):
                for dc in range(-2, 3):
                    past = dr < 0 or dc < 0 or (kind == "B" and dc == 0)
                    if past and 0 <= r + dr and 0 <= c + dc < 6:
                        want[:, :, r, c] += x[:, :, r + dr, c + dc] @ layer.weight[:, :, dr + 2, dc + 2].detach().T
    torch.testing.assert_close(layer(x).detach(), want)


def test_what_an_optimiser_does_to_masked_weights_changes_nothing():
    layer = conv(1, 2, 3, kind="A")
    x = torch.randn(1, 1, 4, 4, dtype=F64)
    before = layer(x)
    layer(x).sum().backward()
    assert (layer.weight.grad[layer.mask == 0] == 0).all() and (layer.weight.grad[layer.mask == 1] != 0).all()
    with torch.no_grad():
        layer.weight[layer.mask == 0] = 99.0
    assert torch.equal(layer(x), before)


@pytest.mark.parametrize(("kind", "channels"), [("A", 1), ("B", 1), ("A", 3), ("B", 3)])
def test_rows_above_and_own_row_add_up_to_the_whole(kind, channels):
    """`above` of the two rows before and `taps` on the window of the own row give each pixel of the convolution."""
    layer = conv(3, 6, 5, kind=kind, channels=channels)
    x = torch.randn(2, 3, 4, 5, dtype=F64)
    whole, padded = layer(x), torch.nn.functional.pad(x, (2, 2, 2, 0))
    for r in range(4):
        above = layer.above(padded[:, :, r : r + 2, 2:-2])[:, :, 0]  # [B, 6, W]
        for c in range(5):
            window = padded[:, :, r + 2, c : c + 3].permute(0, 2, 1).flatten(1)  # [B, 3 taps x 3]
            torch.testing.assert_close(above[:, :, c] + window @ layer.taps(), whole[:, :, r, c])


# limits ---------------------------------------------------------------------------------------------------------------


def test_one_colour_is_three_colours_with_one():
    for kind in "AB":
        assert torch.equal(centre_mask(4, 2, kind, 1), torch.full((4, 2), kind == "B"))


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((1, 1, 2), {}, "odd whole number, so that a kernel has a centre, got 2"),
        ((1, 1, 0), {}, "odd whole"),
        ((1, 1, 3.0), {}, "odd whole"),
        ((1, 1, 3), {"kind": "C"}, r"'A' \(the first layer\) or 'B' \(all others\), got 'C'"),
        ((3, 4, 3), {"channels": 3}, "multiples of channels = 3, got 3 and 4"),
        ((4, 3, 3), {"channels": 3}, "multiples"),
        ((1, 1, 3), {"channels": 0}, "multiples"),
    ],
)
def test_bad_arguments(arguments, options, words):
    with pytest.raises(ValueError, match=words):
        MaskedConv2d(*arguments, **options)
    assert odd("kernel", 1) == 1
