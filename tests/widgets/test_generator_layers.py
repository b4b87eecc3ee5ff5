"""The view of a generator's layers shows each channel on its own scale, and the image beside them."""

import matplotlib.pyplot as plt
import pytest
import torch

from genedu.widgets import draw_generator_layers

MAPS = [torch.randn(3, 5, 2, 2), torch.randn(3, 4, 4, 4), torch.rand(3, 1, 8, 8)]


def draw(**changes):
    figure, axes = plt.subplots()
    try:
        draw_generator_layers(axes, **({"image": 1, "layer": 0, "maps": MAPS} | changes))
        return axes.child_axes
    finally:
        plt.close(figure)


def test_the_image_is_on_the_left_and_every_channel_on_the_right():
    left, right = draw()
    torch.testing.assert_close(torch.as_tensor(left.images[0].get_array().data).view(8, 8), MAPS[2][1, 0])
    assert left.get_title() == "image 1" and right.get_title() == "layer 0: 5 maps of 2 x 2"
    sheet = torch.as_tensor(right.images[0].get_array().filled(torch.nan))
    assert sheet.shape == (5, 8)  # 2 lines and 3 columns of 2 x 2, blank lines between
    for c in range(5):
        tile = sheet[c // 3 * 3 : c // 3 * 3 + 2, c % 3 * 3 : c % 3 * 3 + 2]
        m = MAPS[0][1, c]
        torch.testing.assert_close(tile, (m - m.min()) / (m.max() - m.min()))
    assert sheet[3:, 6:].isnan().all() and sheet[2].isnan().all()


def test_the_last_layer_is_the_image():
    assert draw(layer=2)[1].get_title() == "the image: 1 map of 8 x 8"
    colour = draw(layer=1, maps=[MAPS[1], torch.rand(3, 3, 16, 16)])
    assert colour[1].get_title() == "the image: 3 maps of 16 x 16" and colour[0].images[0].get_array().shape == (16, 16, 3)
    assert draw(maps=[torch.zeros(3, 100, 2, 2), MAPS[2]])[1].images[0].get_array().shape == (8 * 3 - 1, 8 * 3 - 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"maps": []}, "maps must be"),
        ({"maps": MAPS[:2]}, "C = 1 or 3"),
        ({"maps": [MAPS[0][:2], MAPS[2]]}, "maps must be"),
        ({"layer": 3}, "3 layers and 3 images, got layer 3"),
        ({"image": -1}, "image -1"),
    ],
)
def test_what_cannot_be_drawn(changes, words):
    with pytest.raises(ValueError, match=words):
        draw(**changes)
