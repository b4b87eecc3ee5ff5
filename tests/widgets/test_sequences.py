"""The view of the sequence models shows what its functions return for the values of the controls."""

import matplotlib.pyplot as plt
import pytest
import torch

from genedu.widgets import draw_sequences

FILMS = dict(zip(("data", "model"), torch.arange(2 * 3 * 4 * 4).view(2, 3, 4, 4), strict=True))


def draw(**changes):
    asked = []

    def write(word, bias):
        asked.append((word, bias))
        return [torch.tensor([[0.0, 0, 0], [1, 1, 1]]), torch.tensor([[0.0, 0, 0], [2, 0, 1]])]

    def ask(temperature):
        asked.append(temperature)
        return [("is it ?", True), ("it is is", False)]

    figure, axes = plt.subplots()
    options = {"word": "ice", "bias": 0.5, "temperature": 1.5, "frame": 1, "write": write, "ask": ask, "films": FILMS}
    try:
        draw_sequences(axes, **(options | changes))
        return axes, asked
    finally:
        plt.close(figure)


def test_the_panels_show_what_was_drawn():
    axes, asked = draw()
    assert asked == [("ice", 0.5), 1.5]
    words = [text.get_text() for text in axes.texts]
    assert words == ['"ice", bias 0.5', "questions, temperature 1.5", "is it ?", "[it is is]", "films, frame 2"]
    first, second, *films = axes.child_axes
    assert [panel.lines[0].get_xydata().tolist() for panel in (first, second)] == [[[0, 0], [1, 1]], [[0, 0], [2, 0]]]
    assert [(f.images[0].get_array() == FILMS[f.get_title()][1].numpy()).all() for f in films] == [True, True]
    assert {f.images[0].get_clim() for f in films} == {(0, 95)} and not axes.axison


def test_the_panels_stand_one_above_the_other():
    axes, _ = draw()
    places = [text.get_position()[1] for text in axes.texts]
    assert places == sorted(places, reverse=True) and len(set(places)) == 5
    first, *_, last = axes.child_axes
    assert first.get_position().y0 > last.get_position().y1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frame": 3}, "frame must be 0 to 2, got 3"),
        ({"frame": -1}, "got -1"),
        ({"films": {}}, r"\[T, H, W\]"),
        ({"films": {"a": torch.zeros(2, 2)}}, "got {'a'"),
    ],
)
def test_what_cannot_be_drawn(changes, words):
    with pytest.raises(ValueError, match=words):
        draw(**changes)
