"""The letters are continuous lines of even steps, each its own."""

import pytest
import torch

from genedu.data.letters import HEIGHT, LETTERS, arc, ideal, letter, line


def test_an_arc_lies_on_its_ellipse_and_turns_as_told():
    points = torch.tensor(arc(1, 2, 3, 0.5, 1, 2, 4))
    assert torch.allclose(((points[:, 0] - 1) / 3).square() + ((points[:, 1] - 2) / 0.5).square(), torch.ones(5))
    assert torch.allclose(points[[0, 2, 4]], torch.tensor([[1, 2.5], [-2, 2], [1, 1.5]]), atol=1e-6)


def test_a_line_goes_through_its_corners():
    assert line((0, 0, 0), (2, 0, 2), (2, 3, 3)) == [(0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (2, 3)]


@pytest.mark.parametrize("name", LETTERS)
def test_a_letter_stands_on_its_line_in_even_steps(name):
    strokes, width = letter(name)
    points = torch.tensor([p for stroke in strokes for p in stroke])
    assert -0.01 <= points.min(0).values[0] and points.max(0).values[0] <= width + 0.16 and points.min() > -0.01
    tall = {"l": 1.9, "t": 1.5, "i": 1.55}.get(name, 1.0)
    assert points[:, 1].max() == pytest.approx(tall, abs=0.05)
    for stroke in strokes:
        assert 0.04 < torch.tensor(stroke).diff(dim=0).norm(dim=1).max() < 0.85


def test_a_word_is_its_letters_one_after_the_other():
    steps = ideal("it")
    assert steps.shape == (4 + 2 + 6 + 3, 3)
    assert steps[:, 2].nonzero().flatten().tolist() == [3, 5, 11, 14], "lifted after the stem, the dot, the stem and the bar"
    path = steps[:, :2].cumsum(0)
    want = [p for name, at in (("i", 0.0), ("t", 0.2 + 0.35)) for s in letter(name)[0] for p in [(at + x, y) for x, y in s]]
    assert torch.allclose(path, HEIGHT * torch.tensor(want, dtype=torch.float64))


def test_no_letter_is_another():
    assert len({tuple(ideal(name).flatten().tolist()) for name in LETTERS}) == len(LETTERS)


@pytest.mark.parametrize("word", ["", "dog", "Cat"])
def test_what_cannot_be_written(word):
    with pytest.raises(ValueError, match="made of the letters"):
        ideal(word)
