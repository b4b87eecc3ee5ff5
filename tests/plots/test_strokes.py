"""The lines on the paper are those of the pen."""

import matplotlib.pyplot as plt
import pytest
import torch

from genedu.plots import ink

STEPS = torch.tensor([[1.0, 0, 0], [1, 1, 1], [5, 0, 1], [1, 0, 0], [0, 2, 0]])


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_each_stroke_is_a_line_and_a_lone_point_a_dot(axes):
    ink(axes, STEPS, title="two lines and a dot")
    lines = [line.get_xydata().tolist() for line in axes.lines]
    assert lines == [[[1, 0], [2, 1]], [[7, 1]], [[8, 1], [8, 3]]]
    assert [line.get_marker() for line in axes.lines] == ["", ".", ""]
    assert {line.get_color() for line in axes.lines} == {"black"}
    assert axes.get_aspect() == 1 and not axes.axison and axes.get_title() == "two lines and a dot"


def test_strokes_can_be_told_apart(axes):
    ink(axes, STEPS, colours=True)
    assert len({line.get_color() for line in axes.lines}) == 3 and axes.get_title() == ""


def test_one_row_at_a_time(axes):
    with pytest.raises(ValueError, match=r"steps must be \[T, 3\]"):
        ink(axes, STEPS[None])
