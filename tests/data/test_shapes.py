"""Shapes against geometry: areas, centres, colours, mirror images; and against the law that they are drawn from."""

import math

import pytest
import torch
from scipy.stats import chisquare
from torch.nn.functional import avg_pool2d

from genedu.data import shapes
from genedu.data.shapes import BACKGROUND, COLOURS, FACTORS, HALF_SIDES, PLACES, combinations, render

EVERY = combinations()
SIZES = (8, 16, 32)


def cover(images, labels):
    """How much of each pixel the shape covers, by its colour: [N, S, S]."""
    paint = torch.tensor(COLOURS)[labels[:, 1]] - BACKGROUND  # [N, 3]
    return ((images - BACKGROUND) * paint[:, :, None, None]).sum(1) / paint.square().sum(1).view(-1, 1, 1)


# oracles --------------------------------------------------------------------------------------------------------------


def test_the_combinations_are_all_that_there_are():
    assert len(EVERY) == len(EVERY.unique(dim=0)) == math.prod(len(v) for v in FACTORS.values()) == 486


@pytest.mark.parametrize("size", SIZES)
def test_all_shapes_of_one_size_have_the_area_of_its_square(size):
    area = cover(render(EVERY, size), EVERY).flatten(1).sum(1) / size**2
    true = 4 * torch.tensor(HALF_SIDES)[EVERY[:, 2]] ** 2
    assert (area / true - 1).abs().max() < 15 / size**2  # linear edges err at the corners alone, by pixels
    by_size = [area[EVERY[:, 2] == k] for k in range(3)]
    assert by_size[0].max() < by_size[1].min() and by_size[1].max() < by_size[2].min()


@pytest.mark.parametrize("size", SIZES)
def test_the_middle_of_a_shape_is_where_its_levels_say(size):
    c = cover(render(EVERY, size), EVERY)
    at = (torch.arange(size) + 0.5) / size
    x, y = (c * at).sum((1, 2)) / c.sum((1, 2)), (c * at[:, None]).sum((1, 2)) / c.sum((1, 2))
    low = torch.tensor(HALF_SIDES)[EVERY[:, 2]] * 4 / 3**0.25 * math.sqrt(3) / 2 / 6 * (EVERY[:, 0] == 2)  # centroid, box
    assert (x - torch.tensor(PLACES)[EVERY[:, 3]]).abs().max() < 0.3 / size
    assert (y - low - torch.tensor(PLACES)[EVERY[:, 4]]).abs().max() < 0.3 / size


def test_a_small_picture_is_the_mean_of_the_pixels_of_a_larger_one():
    assert (avg_pool2d(render(EVERY, 64), 4) - render(EVERY, 16)).abs().mean() < 0.005
    assert (avg_pool2d(render(EVERY, 64), 4) - render(EVERY, 16)).abs().max() < 0.3


def test_mirror_images():
    x = render(EVERY, 16)
    left, right, top, bottom = (EVERY[:, k] == v for k, v in ((3, 0), (3, 2), (4, 0), (4, 2)))
    assert torch.allclose(x[left].flip(3), x[right], atol=1e-6)
    upright = EVERY[:, 0] != 2  # a triangle stands on its base
    assert torch.allclose(x[top & upright].flip(2), x[bottom & upright], atol=1e-6)
    assert not torch.allclose(x[top & ~upright].flip(2), x[bottom & ~upright], atol=0.1)


@pytest.mark.parametrize("size", SIZES)
def test_the_levels_can_be_read_off_the_picture(size):
    s = shapes(size, sizes=(400, 10, 10))
    noisy = s.train + 0.1 * (0.08 if size == 8 else 1) * torch.randn_like(s.train)
    assert torch.equal(s.read(s.train), s.train_labels)
    assert (s.read(noisy) == s.train_labels).float().mean() > 0.97


def test_levels_are_even_and_factors_independent():
    labels = shapes(8).train_labels
    for k, values in enumerate(FACTORS.values()):
        assert chisquare(labels[:, k].bincount(minlength=len(values)).numpy()).pvalue > 1e-4
    code = (EVERY[:, None] == labels).all(2).sum(1)  # [486]: all combinations are equally likely
    assert code.sum() == 3000 and chisquare(code.numpy()).pvalue > 1e-4


def test_forms_ranges_and_that_the_same_seed_gives_the_same_set():
    before = torch.get_rng_state()
    s, again, other = shapes(8, sizes=(30, 20, 10)), shapes(8, sizes=(30, 20, 10)), shapes(8, sizes=(30, 20, 10), seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert s.train.shape == (30, 3, 8, 8) and s.train_labels.shape == (30, 5) and s.test.shape == (10, 3, 8, 8)
    assert s.train.dtype == torch.float and s.train_labels.dtype == torch.long
    assert s.train.min() >= BACKGROUND - 1e-6 and s.train.max() <= 1
    assert torch.equal(s.train, again.train) and not torch.equal(s.train_labels, other.train_labels)
    assert torch.equal(s.render(s.validation_labels), s.validation)
    assert list(s.factors) == ["shape", "colour", "size", "column", "row"]


def test_the_parts_are_drawn_independently():
    s = shapes(8, sizes=(500, 500, 500))
    agree = [(a == b).float().mean() for a, b in ((s.train_labels, s.validation_labels), (s.train_labels, s.test_labels))]
    by_chance = sum(1 / len(v) for v in FACTORS.values()) / 5
    assert all(abs(a - by_chance) < 5 * 0.5 / 2500**0.5 for a in agree)


# errors ---------------------------------------------------------------------------------------------------------------


def test_pictures_are_drawn_where_the_levels_are():
    assert render(torch.zeros(2, 5, dtype=torch.long, device="meta")).device.type == "meta"
    one = shapes(8, sizes=(2, 2, 2))
    assert one != shapes(8, sizes=(2, 2, 2)) and hash(one) == hash(one)  # compared as objects, like all sets


def test_bad_sizes_and_levels_are_told():
    with pytest.raises(ValueError, match="at least 8 pixels"):
        shapes(7)
    for sizes in ((10, 10), (10, 0, 10), (10, 1.5, 10)):
        with pytest.raises(ValueError, match="three numbers of rows"):
            shapes(8, sizes=sizes)
    with pytest.raises(ValueError, match="labels must be whole numbers"):
        render(torch.zeros(2, 5))
    with pytest.raises(ValueError, match="labels must be whole numbers"):
        render(torch.zeros(2, 4).long())
    with pytest.raises(ValueError, match="colour must be a level 0 to 5; got 6"):
        render(torch.tensor([[0, 6, 0, 0, 0]]))
    with pytest.raises(ValueError, match="images must be"):
        shapes(8, sizes=(1, 1, 1)).read(torch.zeros(2, 3, 16, 16))
    with pytest.raises(ValueError, match="finite"):
        shapes(8, sizes=(1, 1, 1)).read(torch.full((1, 3, 8, 8), math.nan))
