"""Oracles for sampling in raster order: the order itself, what is known, and cached features = those of a whole pass."""

from itertools import product

import pytest
import torch
from torch import nn

from genedu.core import seeded
from genedu.nn import PixelNet
from genedu.nn.raster import PixelCache, fill, known_prefix, row_of


def net(channels=1, size=(4, 5), **options):
    groups = options.pop("groups", channels)
    with seeded(6):
        model = PixelNet(3, torch.zeros(channels * 3), (channels, *size), groups=groups, hidden=6, layers=2, **options).double()
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.3)
    return model.eval()


# oracles --------------------------------------------------------------------------------------------------------------


def test_places_are_filled_in_order_and_each_sees_those_before():
    """Logits that let only one level through: the number of the place, which is 1 more than the one before."""
    x, asked = torch.zeros(2, 2, 2, 3, dtype=torch.long), []

    def logits_at(g, r, c):
        place = len(asked)
        asked.append((r, c, g))
        assert (x.permute(0, 2, 3, 1).flatten(1) > 0).sum(1).tolist() == [place, place]
        return torch.full((2, 13), -torch.inf).index_fill(1, torch.tensor([place + 1]), 0.0)

    assert fill(x, 0, logits_at) is x
    assert asked == list(product(range(2), range(3), range(2)))
    assert x[0].permute(1, 2, 0).flatten().tolist() == list(range(1, 13))


def test_what_is_known_is_left_alone():
    x = torch.full((1, 1, 2, 2), 2)
    fill(x, 3, lambda g, r, c: torch.tensor([[0.0, -torch.inf, -torch.inf]]))
    assert x.flatten().tolist() == [2, 2, 2, 0]


def test_temperature_sharpens():
    x = torch.zeros(200, 1, 1, 1, dtype=torch.long)
    with seeded(1):
        hot = fill(x, 0, lambda g, r, c: torch.tensor([[0.0, 1.0]]).expand(200, 2), 100.0).float().mean().item()
        cold = fill(x, 0, lambda g, r, c: torch.tensor([[0.0, 1.0]]).expand(200, 2), 0.05).float().mean().item()
    assert 0.3 < hot < 0.7 and cold == 1.0


@pytest.mark.parametrize("stack", ["gated", "plain"])
@pytest.mark.parametrize(
    "options", [{}, {"first": 3, "kernel": 5}, {"channels": 3}, {"channels": 2, "groups": 1}, {"size": (1, 1)}]
)
def test_features_one_by_one_are_those_of_the_whole_pass(stack, options):
    model = net(stack=stack, condition=2, **options)
    channels, height, width = len(model.bias[0, 0]) // 3, *model.bias.shape[:2]
    x, z = torch.randint(3, (4, channels, height, width)), torch.randn(4, 2).double()
    for c in (z, torch.randn(4, 2, height, width).double(), None):
        whole, walk = model(x, c), model.walk(x, c)
        for r, k in product(range(height), range(width)):
            torch.testing.assert_close(walk(r, k), whole[:, r, k])


@pytest.mark.parametrize("stack", ["gated", "plain"])
def test_pixels_may_be_skipped_and_asked_for_again(stack):
    model = net(stack=stack, channels=2)
    x = torch.randint(3, (4, 2, 4, 5))
    whole, walk = model(x), model.walk(x)
    for r, c in [(1, 2), (1, 2), (1, 4), (3, 0), (3, 0), (3, 4)]:
        torch.testing.assert_close(walk(r, c), whole[:, r, c])


def test_each_pixel_costs_one_column(monkeypatch):
    model, x, columns = net(), torch.randint(3, (4, 1, 4, 5)), []
    monkeypatch.setattr(PixelCache, "column", lambda self, c, own=PixelCache.column: columns.append(c) or own(self, c))
    walk = model.walk(x)
    for r, c in product(range(4), range(5)):
        walk(r, c)
    assert columns == 4 * list(range(5))  # eq. (2): 20 for 20 pixels


def test_a_colour_that_is_filled_in_changes_the_next_one_of_the_pixel():
    model = net(channels=3)
    x = torch.randint(3, (2, 3, 4, 5))
    walk = model.walk(x)
    for r, c in product(range(2), range(3)):
        before = walk(r, c).unflatten(1, (3, 3))
        x[:, 0, r, c] = (x[:, 0, r, c] + 1) % 3
        after = walk(r, c).unflatten(1, (3, 3))
        assert torch.equal(before[:, 0], after[:, 0]) and not torch.isclose(before[:, 1], after[:, 1]).all()
        torch.testing.assert_close(walk(r, c), model(x)[:, r, c])


def test_rows_of_maps_and_of_vectors():
    assert row_of(0.0, 3) == 0.0
    vector, map_ = torch.randn(2, 3, 1, 1), torch.randn(2, 3, 4, 5)
    assert row_of(vector, 2) is vector and torch.equal(row_of(map_, 2), map_[:, :, 2:3])


def test_known_places_are_counted_in_order():
    known = torch.zeros(2, 3, dtype=torch.bool)
    assert known_prefix(known, (1, 2, 3)) == 0
    known[0] = True
    assert known_prefix(known, (1, 2, 3)) == 3 and known_prefix(known, (2, 2, 3)) == 6
    known[1, 0] = True
    assert known_prefix(known, (1, 2, 3)) == 4
    colours = known.expand(2, 2, 3).clone()
    colours[0, 1, 1] = True  # red of the next pixel
    assert known_prefix(colours, (2, 2, 3)) == 9
    assert known_prefix(torch.ones(2, 3, dtype=torch.bool), (1, 2, 3)) == 6


# errors ---------------------------------------------------------------------------------------------------------------


def test_bad_known():
    right = torch.tensor([[False, True], [False, True]])
    with pytest.raises(
        ValueError, match=r"lower rows can be drawn given the upper ones, but not the right half.*place 0 is unknown"
    ):
        known_prefix(right, (1, 2, 2))
    green = torch.zeros(2, 1, 1, dtype=torch.bool)
    green[1] = True
    with pytest.raises(ValueError, match="raster order"):
        known_prefix(green, (2, 1, 1))
    for wrong in (right.long(), right[:1], right[None, None]):
        with pytest.raises(ValueError, match=r"truth values \[1, 2, 2\] or \[2, 2\]"):
            known_prefix(wrong, (1, 2, 2))
