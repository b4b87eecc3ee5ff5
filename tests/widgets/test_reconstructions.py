"""The view of the autoencoder shows what was given to it and what came back, and says how far both are from the image."""

import matplotlib.pyplot as plt
import pytest
import torch

from genedu.widgets import draw_reconstructions

X, EPS = torch.rand(3, 1, 2, 4), torch.randn(3, 1, 2, 4)


def draw(**changes):
    asked = []

    def run(code, noise):
        asked.append((code, noise))
        return lambda images: 0.5 * images

    figure, axes = plt.subplots()
    try:
        draw_reconstructions(axes, **({"code": 4, "noise": 0.5, "x": X, "eps": EPS, "run": run} | changes))
        return axes, asked
    finally:
        plt.close(figure)


def test_the_rows_are_the_images_what_was_shown_and_what_came_back():
    axes, asked = draw()
    assert asked == [(4, 0.5)]
    shown = X + 0.5 * EPS
    for panel, name, images in zip(axes.child_axes, ("image", "shown", "given back"), (X, shown, 0.5 * shown), strict=True):
        assert panel.get_ylabel() == name and panel.images[0].get_clim() == (0, 1)
        row = torch.as_tensor(panel.images[0].get_array().filled(torch.nan))
        assert row.shape == (2, 15)
        torch.testing.assert_close(row.view(2, 3, 5)[..., :4].transpose(0, 1), images[:, 0])
    heights = [panel.get_position().y0 for panel in axes.child_axes]
    assert heights == sorted(heights, reverse=True)


def test_the_title_tells_both_errors():
    shown = X + 0.5 * EPS
    before, after = (((y - X) ** 2).sum((1, 2, 3)).mean().item() for y in (shown, 0.5 * shown))
    assert draw()[0].get_title() == f"4 numbers, noise 0.5: squared error {before:.2f} before, {after:.2f} after"
    assert "0.00 before" in draw(noise=0.0)[0].get_title()


@pytest.mark.parametrize("changes", [{"x": X[:, 0]}, {"eps": EPS[:2]}, {"x": X[:0], "eps": EPS[:0]}])
def test_what_cannot_be_drawn(changes):
    with pytest.raises(ValueError, match=r"images \[N, 1, H, W\] of one shape"):
        draw(**changes)
