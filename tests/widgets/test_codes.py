"""The view of the codes changes one thing in a row, and counts what is read back."""

import matplotlib.pyplot as plt
import pytest
import torch

from genedu.widgets import draw_codes

Z, STEPS = torch.rand(3, 2), torch.tensor([-2.0, 0.0, 2.0])


def generate(z, category, u):
    """A picture of five pixels in a line: noise, category, numbers."""
    return torch.cat([z, torch.full((len(z), 1), float(category)), u], 1).view(-1, 1, 1, 5)


def draw(**changes):
    figure, axes = plt.subplots()
    read = lambda x: x[:, 0, 0, 2].long() - (x[:, 0, 0, 3] < -1).long()  # noqa: E731
    given = {"category": 2, "first": 0.5, "second": -1.0, "z": Z, "generate": generate, "read": read, "steps": STEPS}
    try:
        draw_codes(axes, **(given | changes))
        return axes
    finally:
        plt.close(figure)


def test_a_row_changes_one_thing():
    rows = [torch.as_tensor(panel.images[0].get_array().filled(torch.nan)).view(3, 6)[:, :5] for panel in draw().child_axes]
    noise, first, second = rows
    torch.testing.assert_close(noise[:, :2], Z)
    assert (noise[:, 3] == 0.5).all() and (noise[:, 4] == -1).all()
    for row, moving, still in ((first, 3, 4), (second, 4, 3)):
        torch.testing.assert_close(row[:, :2], Z[:1].expand(3, 2))
        assert torch.equal(row[:, moving], STEPS) and (row[:, still] == {3: 0.5, 4: -1.0}[still]).all()
    assert all((row[:, 2] == 2).all() for row in rows)


def test_the_title_counts_what_is_read_back():
    axes = draw()
    assert axes.get_title() == "Q reads 8 of 9 pictures as category 2"
    assert [panel.get_ylabel() for panel in axes.child_axes] == ["noise", "$c_2$", "$c_3$"]
    heights = [panel.get_position().y0 for panel in axes.child_axes]
    assert heights == sorted(heights, reverse=True)


@pytest.mark.parametrize("changes", [{"steps": STEPS[:2]}, {"z": Z[0]}, {"z": Z[:0], "steps": STEPS[:0]}])
def test_what_cannot_be_drawn(changes):
    with pytest.raises(ValueError, match=r"z and steps must be \[N, Z\] and \[N\]"):
        draw(**changes)
