"""Pictures show what they were given: read back from the artists, not from the pixels."""

import matplotlib.pyplot as plt
import pytest
import torch

from genedu.plots import PALETTE, curves, decision_map, density_map, histograms, image_rows, points


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_images_share_one_scale_and_stand_in_their_rows():
    data = torch.arange(2 * 16.0).view(2, 1, 4, 4)
    figure = image_rows({"data": data, "half": data[:, 0] / 2}, titles=["a", "b"])
    grid = figure.axes
    assert len(grid) == 4 and [a.get_title() for a in grid] == ["a", "b", "", ""]
    assert [a.get_ylabel() for a in grid] == ["data", "", "half", ""]
    shown = [a.images[0] for a in grid]
    assert {s.get_clim() for s in shown} == {(0.0, 31.0)}
    assert (torch.tensor(shown[1].get_array().data) == data[1, 0]).all()
    assert (torch.tensor(shown[2].get_array().data) == data[0, 0] / 2).all()
    plt.close(figure)
    figure = image_rows({"data": data}, top=16)
    assert figure.axes[0].images[0].get_clim() == (0, 16)
    plt.close(figure)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({}, "same number"),
        ({"a": torch.zeros(2, 4, 4), "b": torch.zeros(3, 4, 4)}, "'a': 2, 'b': 3"),
        ({"a": torch.zeros(0, 4, 4)}, "at least one"),
        ({"a": torch.zeros(2, 3, 4, 4)}, r"row 'a' is \[2, 3, 4, 4\]"),
        ({"a": torch.zeros(2, 64)}, r"row 'a' is \[2, 64\]"),
    ],
)
def test_bad_images(rows, words):
    with pytest.raises(ValueError, match=words):
        image_rows(rows)


def test_titles_must_name_the_columns():
    with pytest.raises(ValueError, match="name the 2 columns, got 1"):
        image_rows({"a": torch.zeros(2, 4, 4)}, titles=["one"])


def test_curves_with_bands_and_bounds(axes):
    series, errors = {"nb": [0.5, 0.7], "lr": [0.4, 0.9]}, {"lr": [0.1, 0.2]}
    curves(axes, [10, 100], series, xlabel="rows", ylabel="accuracy", errors=errors, log_x=True, bounds={"best": 0.95})
    nb, lr, best = axes.lines
    assert list(nb.get_ydata()) == [0.5, 0.7] and list(lr.get_xdata()) == [10, 100] and list(best.get_ydata()) == [0.95, 0.95]
    assert nb.get_color() != lr.get_color() and nb.get_marker() != lr.get_marker()
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert len(axes.collections) == 1 and {round(v, 6) for v in band} == {0.3, 0.5, 0.7, 1.1}
    assert [t.get_text() for t in axes.get_xticklabels()] == ["10", "100"]
    assert (axes.get_xscale(), axes.get_xlabel(), axes.get_ylabel()) == ("log", "rows", "accuracy")
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["nb", "lr"] and axes.texts[0].get_text() == "best"
    assert axes.texts[0].xy == (0.01, 0.95)  # inside, on its level
    with pytest.raises(ValueError, match="for each of the 3 x, got 2"):
        curves(axes, [1, 2, 3], series, xlabel="", ylabel="")


def test_histograms_have_area_one_and_common_bins(axes):
    histograms(axes, {"a": torch.zeros(10), "b": torch.linspace(0, 4, 100)}, xlabel="nats", bins=8)
    a, b = axes.containers
    assert a.patches[0].get_height() == pytest.approx(2.0) and a.patches[1].get_height() == 0
    assert sum(p.get_height() * p.get_width() for p in b.patches) == pytest.approx(1)
    assert a.patches[3].get_x() == b.patches[3].get_x() and axes.get_xlabel() == "nats"
    five = {str(k): torch.tensor([k + 1.0, 9.0 - k], requires_grad=True) for k in range(5)}
    histograms(axes, five, xlabel="", bins=8)
    assert {c.patches[0].get_x() for c in axes.containers[2:]} == {1.0}
    histograms(axes, {"a": torch.tensor([-9.0, 1.0, 9.0, 9.0])}, xlabel="", bins=2, limits=(0, 2))
    assert [p.get_height() for p in axes.containers[-1].patches] == [0.25, 0.75]
    for bad in ({}, {"a": torch.zeros(0)}, {"a": torch.tensor([1.0, float("inf")])}):
        with pytest.raises(ValueError, match="finite"):
            histograms(axes, bad, xlabel="")


def test_points_have_a_colour_a_label(axes):
    points(axes, torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]), torch.tensor([0, 1, 1]), names=["no", "yes"])
    no, yes = axes.collections
    assert no.get_offsets().tolist() == [[0, 1]] and yes.get_offsets().tolist() == [[2, 3], [4, 5]]
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["no", "yes"]
    points(axes, torch.zeros(1, 2, requires_grad=True))
    with pytest.raises(ValueError, match=r"got \[3\]"):
        points(axes, torch.zeros(3))


def test_maps_are_not_mirrored(axes):
    """p = 1 right of x_1 = 1 and nowhere else: the black line stands at x_1 = 1, upright."""
    decision_map(axes, lambda x: torch.sigmoid(50 * (x[:, 0] - 1)), limits=(-2, 4, 0, 1))
    line = axes.collections[-1].get_paths()[0].vertices
    assert abs(line[:, 0] - 1).max() < 0.05 and line[:, 1].min() < 0.05 and line[:, 1].max() > 0.95
    assert torch.allclose(torch.tensor(axes.collections[0].levels), torch.linspace(0, 1, 11).double())
    assert axes.get_xlim() == (-2, 4) and axes.get_ylim() == (0, 1)


def test_a_map_with_one_winner_has_no_line(axes):
    before = len(axes.collections)
    decision_map(axes, lambda x: torch.full((len(x),), 0.2), limits=(0, 1, 0, 1))
    filled = len(axes.collections)
    decision_map(axes, lambda x: x[:, 1], limits=(0, 1, 0, 1))
    assert len(axes.collections) - filled > filled - before


def test_the_top_of_a_density_is_where_it_should_be(axes):
    seen = []
    density_map(
        axes, lambda x: seen.append(x) or -0.5 * ((x - torch.tensor([2.0, -1.0])) ** 2).sum(-1) * 9, limits=(-3, 3, -3, 3)
    )
    high = [p for p in axes.collections[0].get_paths() if len(p.vertices)][-1].vertices
    assert abs(high[:, 0].mean() - 2) < 0.3 and abs(high[:, 1].mean() + 1) < 0.3
    assert seen[0].shape == (120 * 120, 2)


def test_the_palette_is_told_apart_without_colour():
    """No two of the eight colours lie close in lightness and under red-green blindness at once (linear RGB, luma)."""

    def rgb(hex_):
        return torch.tensor([int(hex_[i : i + 2], 16) / 255 for i in (1, 3, 5)])

    deutan = torch.tensor([[0.625, 0.375, 0.0], [0.70, 0.30, 0.0], [0.0, 0.30, 0.70]])  # a coarse simulation
    seen = torch.stack([deutan @ rgb(c) for c in PALETTE])
    distance = torch.cdist(seen, seen) + torch.eye(len(PALETTE)) * 9
    assert distance.min() > 0.12
