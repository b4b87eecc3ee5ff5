"""Strided networks: sides and channels of every stage, where batch norm is, how the weights start, and even coverage."""

import math

import pytest
import torch
from torch import nn

from genedu.core import seeded
from genedu.nn import strided_discriminator, strided_generator


def layers(network: nn.Module, *kinds: type) -> list[nn.Module]:
    return [m for m in network.modules() if isinstance(m, kinds)]


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resize", ["stride", "pool"])
@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 8, 8), (3, 16, 16), (2, 32, 32)])
def test_each_stage_doubles_or_halves_the_side_and_halves_or_doubles_the_channels(shape, resize):
    side, h = shape[1], torch.randn(5, 7)
    for i, stage in enumerate(strided_generator(7, shape, width=3, resize=resize)):
        h = stage(h)
        now = 2 ** (i + 1)
        assert h.shape == (5, 3 * side // 2 // now if now < side else shape[0], now, now)
    assert h.shape == (5, *shape) and (h > 0).all() and (h < 1).all()
    *stages, last = strided_discriminator(shape, width=3, resize=resize)
    for i, stage in enumerate(stages):
        h = stage(h)
        assert h.shape == (5, 3 * 2**i, side // 2 ** (i + 1), side // 2 ** (i + 1))
    assert h.shape[-1] == 2 and last(h).shape == (5, 1)


@pytest.mark.parametrize(("k", "s", "p"), [(4, 2, 1), (5, 2, 2), (3, 1, 1), (3, 3, 0), (2, 2, 0), (5, 3, 1)])
def test_the_sizes_of_eq_1_and_the_transposed_matrix(k, s, p):
    """<A x, y> = <x, A' y>: the transposed convolution is the transpose of the convolution with the same weights."""
    conv = nn.Conv2d(2, 3, k, s, p, bias=False).double()
    back = nn.ConvTranspose2d(3, 2, k, s, p, bias=False).double()
    back.weight = conv.weight
    y = torch.randn(1, 3, 6, 6, dtype=torch.float64)
    x = torch.randn(1, 2, *[(6 - 1) * s - 2 * p + k] * 2, dtype=torch.float64)
    assert back(y).shape == x.shape and conv(x).shape[-1] == (x.shape[-1] + 2 * p - k) // s + 1 == 6
    torch.testing.assert_close((conv(x) * y).sum(), (x * back(y)).sum())


def test_a_kernel_that_the_stride_divides_reaches_all_inner_pixels_equally_often():
    def reached(k, p):
        layer = nn.ConvTranspose2d(1, 1, k, 2, p, bias=False)
        nn.init.ones_(layer.weight)
        return layer(torch.ones(1, 1, 8, 8))[0, 0, 4:-4, 4:-4].unique().tolist()

    assert reached(4, 1) == [4]
    assert reached(5, 2) == [4, 6, 9] and reached(3, 1) == [1, 2, 4]  # a checkerboard
    for layer in layers(strided_generator(3, (1, 32, 32)), nn.ConvTranspose2d):
        assert layer.kernel_size[0] % layer.stride[0] == 0


@pytest.mark.parametrize(
    ("norm", "of_generator", "of_discriminator"),
    [("hidden", [1, 1, 1, 0], [0, 1, 1, 0]), ("none", [0, 0, 0, 0], [0, 0, 0, 0]), ("everywhere", [1, 1, 1, 1], [1, 1, 1, 0])],
)
def test_where_batch_norm_is(norm, of_generator, of_discriminator):
    for network, where in (
        (strided_generator(5, (1, 16, 16), norm=norm), of_generator),
        (strided_discriminator((1, 16, 16), norm=norm), of_discriminator),
    ):
        assert [len(layers(stage, nn.BatchNorm2d)) for stage in network] == where
        for stage, normed in zip(network, where, strict=True):
            weighty = layers(stage, nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
            assert len(weighty) == 1 and (weighty[0].bias is None) == bool(normed)  # batch norm would make it idle


def test_which_bends_there_are_and_who_has_pooling():
    generator, discriminator = strided_generator(5, (1, 16, 16)), strided_discriminator((1, 16, 16))
    assert len(layers(generator, nn.ReLU)) == 3 and len(layers(generator, nn.Sigmoid)) == 1
    assert [m.negative_slope for m in layers(discriminator, nn.LeakyReLU)] == [0.2] * 3 and not layers(discriminator, nn.ReLU)
    assert len(layers(discriminator, nn.Conv2d)) == 4 and not layers(discriminator, nn.AvgPool2d)
    assert len(layers(strided_discriminator((1, 16, 16), resize="pool"), nn.AvgPool2d)) == 3
    assert not layers(strided_generator(5, (1, 16, 16), resize="pool"), nn.ConvTranspose2d)
    with seeded(1):
        relu = strided_discriminator((1, 8, 8), slope=0.0)[0]
    assert (relu(torch.rand(9, 1, 8, 8)) >= 0).all()


@pytest.mark.parametrize("resize", ["stride", "pool"])
def test_how_the_weights_start(resize):
    """Standard deviation .02, to five standard errors; no bias; all gains 1. Else torch's own start."""
    for network in (
        strided_generator(40, (1, 16, 16), resize=resize),
        strided_discriminator((1, 16, 16), resize=resize),
    ):
        for layer in layers(network, nn.Linear, nn.Conv2d, nn.ConvTranspose2d):
            w = layer.weight.detach()
            assert abs(w.mean()) < 5 * 0.02 / w.numel() ** 0.5
            assert abs(w.std() - 0.02) < 5 * 0.02 / (2 * w.numel()) ** 0.5
            assert layer.bias is None or (layer.bias == 0).all()
        assert all((m.weight == 1).all() and (m.bias == 0).all() for m in layers(network, nn.BatchNorm2d))
    own = layers(strided_discriminator((1, 16, 16), init=None), nn.Conv2d)[0].weight
    assert own.abs().max() <= 1 / math.sqrt(16)  # U(-1, 1) / sqrt(fan in)
    assert own.std() > 0.1


# limits ---------------------------------------------------------------------------------------------------------------


def test_batch_norm_hides_brightness_and_contrast_of_a_batch():
    """After norm at the input a batch and the same batch 3 x - 1 give the same logits; after norm inside they do not."""
    x = torch.rand(8, 1, 8, 8, dtype=torch.float64)
    for norm, hidden in (("everywhere", True), ("hidden", False)):
        network = strided_discriminator((1, 8, 8), norm=norm, init=1.0).double()
        network[0][0].padding = (0, 0)  # at the border a padding of 0 would tell
        network[1] = nn.Identity()
        network[2] = nn.Flatten()
        a, b = network(x), network(3 * x - 1)
        assert torch.allclose(a, b, atol=1e-4) == hidden


def test_one_row_is_enough():
    x = strided_generator(3, (1, 4, 4), width=2)(torch.randn(1, 3))
    assert torch.isfinite(strided_discriminator((1, 4, 4), width=2)(x)).all()


def test_a_width_of_one_is_enough():
    x = strided_generator(3, (1, 8, 8), width=1)(torch.randn(2, 3))
    assert x.shape == (2, 1, 8, 8) and strided_discriminator((1, 8, 8), width=1)(x).shape == (2, 1)


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shape": (1, 8, 4)}, r"side of 4, 8, 16, ..., got \(1, 8, 4\)"),
        ({"shape": (1, 12, 12)}, "side of 4, 8, 16"),
        ({"shape": (1, 2, 2)}, "side of 4, 8, 16"),
        ({"shape": (8, 8)}, r"got \(8, 8\)"),
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"norm": "all"}, "norm must be one of .* got 'all'"),
        ({"resize": "max"}, "resize one of .* and 'max'"),
    ],
)
def test_bad_options_say_what_must_hold(options, words):
    rest = {k: v for k, v in options.items() if k != "shape"}
    with pytest.raises(ValueError, match=words):
        strided_discriminator(options.get("shape", (1, 8, 8)), **rest)
    with pytest.raises(ValueError, match=words):
        strided_generator(3, options.get("shape", (1, 8, 8)), **rest)
