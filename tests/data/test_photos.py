"""The patches against scikit-learn's own arrays: every pixel from its place, every split from its strips."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from genedu.data import photos

PARTS = ("train", "validation", "test")
STRIPS = {"train": (0, 1, 3, 5, 6, 8), "validation": (2, 7), "test": (4, 9)}
PHOTOS = load_sample_images().images  # two arrays [427, 640, 3] of bytes


def places(part, size, stride):
    """(photo, top, left) of each patch, in the order in which they must come."""
    for photo in range(2):
        for strip in STRIPS[part]:
            for top in range(0, 427 - size + 1, stride):
                for left in range(64 * strip, 64 * strip + 64 - size + 1, stride):
                    yield photo, top, left


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "stride"), [(8, None), (5, 11), (64, 16), (3, 1)])
def test_each_patch_is_the_photos_pixels_at_its_place(size, stride):
    data, step = photos(size=size, stride=stride, channels=3), stride or size
    for part in PARTS:
        found, known = getattr(data, part), list(places(part, size, step))
        assert found.shape == (len(known), 3, size, size) and found.dtype == torch.long
        each = range(0, len(known), max(1, len(known) // 50))
        for i in [*each, len(known) - 1]:
            photo, top, left = known[i]
            assert (found[i].numpy() == PHOTOS[photo][top : top + size, left : left + size].transpose(2, 0, 1)).all()


def test_counts_by_formula():
    """floor((427 - size) / stride) + 1 rows, floor((64 - size) / stride) + 1 columns, in 2 photos of 6, 2 and 2 strips."""
    for size, stride, one in ((8, 8, 53 * 8), (8, 4, 105 * 15), (64, 64, 6), (1, 64, 7)):
        data = photos(size=size, stride=stride)
        assert [len(getattr(data, p)) for p in PARTS] == [12 * one, 4 * one, 4 * one]
        assert data.train.shape[1:] == (1, size, size)


def test_grey_is_the_luma_of_bt_601():
    """Against Pillow's own, which takes weights in 65536ths: it may round another way where luma lies at a half."""
    colour, grey = photos(size=16, channels=3), photos(size=16, channels=1)
    assert grey.train.dtype == torch.long and int(grey.train.min()) >= 0 and int(grey.train.max()) <= 255
    exact = (colour.test.double() * torch.tensor([0.299, 0.587, 0.114]).double().view(3, 1, 1)).sum(1, keepdim=True)
    assert (grey.test - exact).abs().max() <= 0.5 + 1e-9
    pillow = np.asarray(Image.fromarray(PHOTOS[1]).convert("L")).astype(int)
    last = grey.train[-1, 0].numpy()  # of the flower: the last row of patches, the last columns of strip 8
    off = last - pillow[25 * 16 : 26 * 16, 8 * 64 + 48 : 9 * 64]
    assert abs(off).max() <= 1 and (off == 0).mean() > 0.95


def test_luma_rounds_a_half_up_in_whole_numbers(monkeypatch):
    """(0, 0, 250) has luma 28.5; (0, 250, 0) 146.75; (250, 0, 0) 74.75; grey keeps its level."""
    pixels = np.zeros((427, 640, 3), dtype=np.uint8)
    pixels[0, :4] = [(0, 0, 250), (0, 250, 0), (250, 0, 0), (255, 255, 255)]
    monkeypatch.setattr("sklearn.datasets.load_sample_images", lambda: type("Bunch", (), {"images": [pixels, pixels]}))
    assert photos(size=4).train[0, 0, 0].tolist() == [29, 147, 75, 255]


def test_unit_values_are_levels_over_255():
    levels, unit = photos(channels=3), photos(channels=3, values="unit")
    for part in PARTS:
        assert getattr(unit, part).dtype == torch.float32
        assert torch.equal((getattr(unit, part) * 255).round().long(), getattr(levels, part))
    assert unit.train.min() == 0 and unit.train.max() == 1


# laws -----------------------------------------------------------------------------------------------------------------


def test_no_pixel_is_in_two_splits(monkeypatch):
    """Photos whose every pixel has its own colour: the colours of the splits do not meet."""
    number = np.arange(2 * 427 * 640).reshape(2, 427, 640)
    coded = np.stack([number % 256, number // 256 % 256, number // 65536], -1).astype(np.uint8)
    monkeypatch.setattr("sklearn.datasets.load_sample_images", lambda: type("Bunch", (), {"images": list(coded)}))
    for size, stride in ((8, 3), (64, None), (1, 1)):
        data = photos(size=size, stride=stride, channels=3)
        seen = [set((getattr(data, p) * torch.tensor([1, 256, 65536]).view(3, 1, 1)).sum(1).flatten().tolist()) for p in PARTS]
        assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    assert len(set.union(*seen)) == number.size  # and together they are the photos


def test_rows_draws_without_repetition_the_same_for_a_seed_and_costs_no_global_randomness():
    before = torch.get_rng_state()
    one, again, other = (photos(size=6, rows=(300, 20, 50), seed=s) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    whole = photos(size=6)
    assert [len(getattr(one, p)) for p in PARTS] == [300, 20, 50]
    for part in PARTS:
        assert torch.equal(getattr(one, part), getattr(again, part)) and not torch.equal(getattr(one, part), getattr(other, part))
        every = sorted(getattr(whole, part).flatten(1).tolist())
        for patch in getattr(one, part).flatten(1).tolist():
            every.remove(patch)  # fails on a patch that is not there (any more)
    colour = photos(size=6, rows=(300, 20, 50), seed=1, channels=3, values="unit")
    luma = (colour.test * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True) * 255
    assert (luma - one.test).abs().max() < 0.51  # the same patches in every form
    assert len(photos(rows=7).train) == len(photos(rows=7).validation) == len(photos(rows=7).test) == 7
    assert torch.equal(photos(rows=7).train, photos(rows=7, seed=0).train)
    most = photos(size=64, rows=(72, 24, 24))
    assert sorted(most.test.flatten(1).tolist()) == sorted(photos(size=64).test.flatten(1).tolist())


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"size": 0}, "size must be a whole number from 1 to 64.*got 0"),
        ({"size": 65}, "strip.*got 65"),
        ({"size": 8.0}, r"got 8\.0"),
        ({"stride": 0}, "stride must be a whole number of at least 1, got 0"),
        ({"stride": 1.5}, r"got 1\.5"),
        ({"channels": 2}, r"channels must be 1 \(grey\) or 3 \(colour\), got 2"),
        ({"values": "grey"}, r"values must be one of \['levels', 'unit'\], got 'grey'"),
        ({"rows": 0}, "rows must be"),
        ({"rows": -1}, "rows must be"),
        ({"rows": (1, 2)}, r"rows must be.*got \(1, 2\)"),
        ({"rows": (1, 2, 0)}, "rows must be"),
        ({"rows": "all"}, "rows must be"),
        ({"rows": 1.5}, "rows must be"),
        ({"rows": 1697}, "rows must be at most 1696 for validation, got 1697: take a smaller stride"),
        ({"rows": (5089, 1, 1)}, "at most 5088 for train, got 5089"),
    ],
)
def test_bad_arguments_say_what_must_hold(wrong, words):
    with pytest.raises(ValueError, match=words):
        photos(**wrong)
