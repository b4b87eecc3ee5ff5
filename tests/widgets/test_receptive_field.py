"""The map of what a net sees: kinds written out, what the picture says, names and pixels that are not there."""

import matplotlib.pyplot as plt
import pytest
import torch

from genedu.widgets import draw_receptive_field
from genedu.widgets.receptive_field import kinds

SEEN = torch.tensor([[True, False, True], [True, False, True], [False, True, False]])


def test_kinds_written_out():
    """Pixel (1, 1): four come before it."""
    assert kinds(SEEN, 1, 1).tolist() == [[1, 2, 1], [1, 0, 3], [0, 3, 0]]
    assert kinds(~SEEN, 1, 1)[1, 1] == 3, "to see the pixel itself is a leak, too"


@pytest.mark.parametrize(("net", "leaks"), [("a", True), ("b", False)])
def test_the_picture_says_what_is_seen(net, leaks):
    fields = {"a": lambda r, c: SEEN, "b": lambda r, c: torch.zeros(3, 3, dtype=torch.bool)}
    figure, axes = plt.subplots()
    draw_receptive_field(axes, net=net, row=1, column=1, fields=fields)
    assert axes.get_title() == ("a: sees 3 of 4 earlier pixels" if leaks else "b: sees 0 of 4 earlier pixels")
    words = [t.get_text() for t in axes.get_legend().get_texts()]
    assert any("leak" in w for w in words) == leaks and "drawn before, but not seen" in words
    assert axes.images[0].get_array().tolist() == kinds(fields[net](1, 1), 1, 1).tolist()
    (mark,) = axes.patches
    assert (mark.get_x(), mark.get_y()) == (0.5, 0.5)
    plt.close(figure)


def test_bad_arguments():
    figure, axes = plt.subplots()
    with pytest.raises(ValueError, match=r"net must be one of \['a'\], got 'c'"):
        draw_receptive_field(axes, net="c", row=0, column=0, fields={"a": lambda r, c: SEEN})
    for row, column in [(3, 0), (0, 3), (-1, 0)]:
        with pytest.raises(ValueError, match="pixel must lie in the image of 3 x 3"):
            draw_receptive_field(axes, net="a", row=row, column=column, fields={"a": lambda r, c: SEEN})
    plt.close(figure)
