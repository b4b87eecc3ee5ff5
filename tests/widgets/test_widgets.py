"""Views are thin: the pure function is tested without a browser, an exception in a callback is not swallowed."""

import base64
import io

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.collections import PathCollection
from PIL import Image

from genedu.widgets import Explorer, draw_boundary, draw_mixture

TRAIN = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [-1.2, 0.1], [1.2, 0.2]]), torch.tensor([0, 1, 0, 1])


def test_controls_redraw_and_the_words_stay():
    seen = []
    view = Explorer(
        lambda axes, **v: seen.append(v) or axes.plot([v["a"], v["b"]]),
        alt="A line from a to b.",
        a=(0, 2, 1, 0),
        b=(0.0, 2.0, 0.5, 1.0),
        c=["x", "y"],
        d=([1, 2, 3], 2),
    )
    before, metadata = view._repr_mimebundle_()
    view.controls["a"].value = 2
    view.controls["c"].value = "y"
    after, _ = view._repr_mimebundle_()
    assert seen == [
        {"a": 0, "b": 1.0, "c": "x", "d": 2},
        {"a": 2, "b": 1.0, "c": "x", "d": 2},
        {"a": 2, "b": 1.0, "c": "y", "d": 2},
    ]
    assert (
        before["text/plain"] == after["text/plain"] == "A line from a to b. Controls: a, b, c, d." == metadata["image/png"]["alt"]
    )
    assert before["image/png"] != after["image/png"] and isinstance(before["image/png"], str)
    shown = before["application/vnd.jupyter.widget-view+json"]
    assert shown == {"version_major": 2, "version_minor": 0, "model_id": view.box.model_id}
    assert view.image in view.box.children
    assert view.image.layout.width == "360px" and view.box.layout.align_items == "flex-start"
    png = Image.open(io.BytesIO(base64.b64decode(before["image/png"])))
    assert png.size == (360, 288), "drawn in the size in which it is shown"
    assert not plt.get_fignums(), "an open figure would be printed a second time"


def test_an_exception_in_a_callback_is_seen():
    view = Explorer(lambda axes, n: axes.plot([1 / n]), alt="One over n.", n=(0, 3, 1, 1))
    with pytest.raises(ZeroDivisionError):
        view.controls["n"].value = 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alt": "plot", "a": (0, 1, 1, 0)}, "in words"),
        ({"alt": "A line goes up."}, "at least one control"),
        ({"alt": "A line goes up.", "a": (0, 1)}, "a must be"),
        ({"alt": "A line goes up.", "a": []}, "a must be"),
        ({"alt": "A line goes up.", "a": ([1, 2], 3)}, "one of its values"),
    ],
)
def test_bad_views(options, words):
    with pytest.raises(ValueError, match=words):
        Explorer(lambda axes, **_: None, **options)


def nearest_mean(x, y):
    means = torch.stack([x[y == k].mean(0) for k in (0, 1)])
    return lambda x: torch.cdist(x, means).neg().softmax(1)[:, 1]


def draw(**changes):
    figure, axes = plt.subplots()
    options = {
        "rows": 4,
        "model": "mean",
        "train": TRAIN,
        "test": TRAIN,
        "learners": {"mean": nearest_mean},
        "limits": (-2, 2, -1, 1),
    }
    try:
        draw_boundary(axes, **(options | changes))
        return axes
    finally:
        plt.close(figure)


def test_the_boundary_is_that_of_the_rows_seen():
    assert draw().get_title() == "mean, 4 rows: 100.0 % of test rows right"
    assert draw(test=(TRAIN[0], 1 - TRAIN[1])).get_title().endswith(" 0.0 % of test rows right")
    shown = [c.get_offsets() for c in draw(rows=2).collections if isinstance(c, PathCollection)]
    assert sorted(s[0, 0] for s in shown) == [-1, 1]


@pytest.mark.parametrize("changes", [{"model": "tree"}, {"rows": 0}, {"rows": 1}, {"rows": 5}])
def test_what_cannot_be_drawn(changes):
    with pytest.raises(ValueError, match="must be"):
        draw(**changes)


class TwoBalls:
    """A mixture in the plane as the view sees it: at -1 and 1, of width `sigma`."""

    def __init__(self, sigma):
        self.weights, self.mean, self.sigma = torch.tensor([0.5, 0.5]), torch.tensor([[-1.0, 0.0], [1.0, 0.0]]), sigma

    def covariances(self):
        return self.sigma**2 * torch.eye(2).expand(2, 2, 2)

    def responsibilities(self, x):
        return torch.cdist(x, self.mean).neg().softmax(1)

    def log_prob(self, x):
        return torch.full((len(x),), -float(self.sigma))


def draw_balls(**changes):
    figure, axes = plt.subplots()
    options = {"step": 1, "components": 2, "x": TRAIN[0], "run": lambda k: [TwoBalls(k), TwoBalls(0.5)], "limits": (-3, 3, -2, 2)}
    try:
        draw_mixture(axes, **(options | changes))
        return axes
    finally:
        plt.close(figure)


def test_the_mixture_is_that_of_the_step():
    assert draw_balls().get_title() == "2 components, step 1: mean log p = -0.500 nats"
    assert draw_balls(step=0, components=3).get_title() == "3 components, step 0: mean log p = -3.000 nats"
    axes = draw_balls()
    assert [round(e.width, 3) for e in axes.patches] == [2.0, 2.0]  # four times the standard deviation
    shown = [c.get_offsets() for c in axes.collections if isinstance(c, PathCollection)]
    assert len(shown) == 2 and (shown[0][:, 0] < 0).all() and (shown[1][:, 0] > 0).all()
    assert axes.get_xlim() == (-3, 3) and axes.get_ylim() == (-2, 2) and axes.get_aspect() == 1


@pytest.mark.parametrize("step", [-1, 2])
def test_a_step_that_was_not_made(step):
    with pytest.raises(ValueError, match=f"step must be 0 to 1, got {step}"):
        draw_balls(step=step)
