"""The picture of what a latent is worth: its numbers are those of the source."""

import matplotlib.pyplot as plt
import pytest

from genedu.data import coin_chain
from genedu.widgets import draw_window_size


def cost(window, copy):
    return coin_chain(bits=6, copy=copy, rows=(1, 1, 1)).windowed(window)


@pytest.mark.parametrize("window", [0, 1, 5])
@pytest.mark.parametrize("copy", [0.0, 0.6])
def test_the_picture_shows_the_sums(window, copy):
    figure, axes = plt.subplots()
    draw_window_size(axes, window=window, copy=copy, cost=cost, bits=6)
    known, first = [cost(k, copy) for k in range(6)], min(window, 1)  # window 0 is off the scale of the others
    without, given, entropy = axes.lines
    assert list(without.get_ydata()) == [a for a, _ in known[first:]] and list(given.get_ydata()) == [b for _, b in known[first:]]
    assert abs(entropy.get_ydata()[0] - coin_chain(bits=6, copy=copy).entropy) < 1e-9
    worth = known[window][0] - known[window][1]
    assert f"window {window}" in axes.get_title() and f"{abs(worth):.2f} nats" in axes.get_title()
    plt.close(figure)


def test_a_window_that_is_not_drawn():
    figure, axes = plt.subplots()
    for window in (-1, 6):
        with pytest.raises(ValueError, match="window must be 0 to 5"):
            draw_window_size(axes, window=window, copy=0.5, cost=cost, bits=6)
    plt.close(figure)
