"""Strips of images: every pixel at its place, a blank line after each image, names from top to bottom."""

import matplotlib.pyplot as plt
import torch

from genedu.widgets.image_strips import draw_strips


def test_strips_hold_all_images_in_order_and_fill_the_axes():
    rows = {name: torch.rand(3, 1, 4, 5) for name in ("first", "second", "third")}
    _, axes = plt.subplots()
    draw_strips(axes, list(rows.items()))
    strips = axes.child_axes
    assert [s.get_ylabel() for s in strips] == list(rows)
    for strip, images in zip(strips, rows.values(), strict=True):
        shown = torch.from_numpy(strip.images[0].get_array().filled(float("nan"))).view(4, 3, 6)
        torch.testing.assert_close(shown[..., :5], images[:, 0].permute(1, 0, 2))
        assert shown[..., 5].isnan().all() and strip.images[0].get_clim() == (0, 1)
    bottoms = [s.get_position().y0 for s in strips]
    assert bottoms == sorted(bottoms, reverse=True) and strips[0].get_position().y1 <= axes.get_position().y1
