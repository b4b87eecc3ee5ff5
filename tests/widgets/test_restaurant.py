"""The view of a Chinese restaurant: which rows share a colour, and what its title counts."""

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.collections import PathCollection

from genedu.widgets import draw_restaurant

X = torch.arange(24.0).view(12, 2)
SEATED = [torch.zeros(12, dtype=torch.long), torch.tensor([5, 5, 5, 2, 2, 9, 9, 9, 9, 9, 9, 9]), torch.arange(12)]


def draw(asked=None, **options):
    _, axes = plt.subplots()
    asked = [] if asked is None else asked
    values = {"alpha": 2.0, "sweep": 1} | options
    draw_restaurant(axes, x=X, run=lambda alpha: asked.append(alpha) or SEATED, expected=lambda n, alpha: n + alpha, **values)
    groups = [c.get_offsets().tolist() for c in axes.collections if isinstance(c, PathCollection)]
    plt.close(axes.figure)
    return axes, groups


def test_tables_are_coloured_from_the_largest_on():
    asked = []
    axes, groups = draw(asked)
    assert asked == [2.0]
    assert [len(g) for g in groups] == [7, 3, 2, 0]  # the last are those of small tables
    assert groups[0][0] == X[5].tolist() and groups[2][0] == X[3].tolist()
    assert axes.get_title() == (
        "alpha = 2, sweep 1: 3 tables, the largest has 7 of 12 rows\nexpected before any row is seen: 14.0"
    )


def test_tables_beyond_eight_are_grey():
    axes, groups = draw(sweep=2)
    assert [len(g) for g in groups] == [1] * 8 + [4] and "12 tables" in axes.get_title()


def test_a_single_table():
    axes, groups = draw(sweep=0)
    assert [len(g) for g in groups] == [12, 0] and "1 tables, the largest has 12 of 12" in axes.get_title()


@pytest.mark.parametrize("sweep", [-1, 3])
def test_a_sweep_that_was_not_made(sweep):
    with pytest.raises(ValueError, match=f"sweep must be 0 to 2, got {sweep}"):
        draw(sweep=sweep)
