"""Pictures show what they were given: read back from the artists, not from the pixels."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from genedu.plots import (
    PALETTE,
    curves,
    decision_map,
    density_map,
    ellipses,
    histograms,
    image_grid,
    image_rows,
    loss_history,
    points,
)
from genedu.plots.plane import mass_level


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
    ("titles", "size", "inches"), [(None, 0.75, (4 * 0.75 + 1.1, 3 * 0.75 + 0.05)), (["t"] * 4, 2, (9.1, 6.3))]
)
def test_rows_have_room_for_their_names_and_titles(titles, size, inches):
    """Four columns and three rows of `size` inches; 1.1 inches for the names, 0.3 for titles."""
    rows = {name: torch.zeros(4, 2, 2) for name in "abc"}
    figure = image_rows(rows, titles=titles) if size == 0.75 else image_rows(rows, titles=titles, size=size)
    assert tuple(figure.get_size_inches()) == pytest.approx(inches)
    assert figure.axes[0].images[0].get_clim() == (0, 1)
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


def test_a_grid_is_read_like_a_page_and_what_is_left_over_is_blank():
    images = torch.arange(1, 31.0).view(5, 2, 3)  # five images, two pixels high and three wide
    figure = image_grid(images, columns=3, title="five")
    (axes,) = figure.axes
    shown = axes.images[0].get_array().filled(-1)
    known = np.full((5, 11), -1.0)  # -1: blank
    for i, (row, column) in enumerate([(0, 0), (0, 4), (0, 8), (3, 0), (3, 4)]):
        known[row : row + 2, column : column + 3] = images[i]
    assert (shown == known).all() and axes.images[0].get_clim() == (0, 30)
    assert axes.get_title() == "five" and not axes.axison
    inside = figure.get_size_inches() - [0.1, 0.35]
    assert inside[0] == pytest.approx(3 * 0.5) and inside[1] / inside[0] == pytest.approx(5 / 11)  # square pixels
    plt.close(figure)


def test_a_grid_of_few_images_is_one_row_and_the_channel_may_be_named():
    images = torch.rand(3, 1, 4, 4, requires_grad=True)
    figure = image_grid(images, top=2, size=1)
    shown = figure.axes[0].images[0]
    assert shown.get_array().shape == (4, 14) and shown.get_clim() == (0, 2) and figure.axes[0].get_title() == ""
    assert figure.get_size_inches() == pytest.approx([3.1, 3 * 4 / 14 + 0.1])
    other = image_grid(images[:, 0])
    high = float(images.detach().max())
    assert (other.axes[0].images[0].get_array() == shown.get_array()).all()
    assert other.axes[0].images[0].get_clim() == (0, pytest.approx(high))
    wide = image_grid(torch.ones(2, 4, 32), columns=2).axes[0].images[0]
    assert wide.get_array().shape == (4, 66) and image_grid(torch.ones(11, 2, 2)).axes[0].images[0].get_array().shape == (5, 29)
    column = image_grid(images, columns=1)
    assert column.axes[0].images[0].get_array().shape == (14, 4)
    black = image_grid(torch.zeros(1, 2, 2)).axes[0].images[0], image_grid(-torch.ones(1, 2, 2)).axes[0].images[0]
    assert black[0].get_clim() == black[1].get_clim() == (0, 1)
    plt.close("all")


def test_a_grid_of_colours():
    images = torch.tensor([[10.0, 5, 0], [2, 20, -3]]).view(2, 3, 1, 1).expand(2, 3, 2, 2)
    for top, full in ((None, 20), (10, 10)):
        figure = image_grid(images, top=top)
        shown = figure.axes[0].images[0].get_array()  # [2, 5, 4]: red, green, blue, opacity
        for column, pixel in ((0, images[0, :, 0, 0]), (3, images[1, :, 0, 0])):
            known = [*(pixel / full).clamp(0, 1).tolist(), 1]
            assert np.allclose(shown[:, column : column + 2], known)
        assert (shown[:, 2] == [1, 1, 1, 0]).all() and np.isfinite(shown).all()
        plt.close(figure)
    levels = image_grid(torch.full((1, 3, 1, 1), 255).long())
    assert (levels.axes[0].images[0].get_array() == 1).all()
    plt.close(levels)


@pytest.mark.parametrize(
    ("images", "options", "words"),
    [
        (torch.zeros(2, 64), {}, r"images must be \[N, H, W\].*got \[2, 64\]"),
        (torch.zeros(2, 2, 4, 4), {}, r"got \[2, 2, 4, 4\]"),
        (torch.zeros(1, 2, 1, 4, 4), {}, r"got \[1, 2, 1, 4, 4\]"),
        (torch.zeros(0, 4, 4), {}, r"got \[0, 4, 4\]"),
        (torch.full((1, 4, 4), torch.nan), {}, "finite; got nan"),
        (torch.zeros(2, 4, 4), {"columns": 0}, "columns must be at least 1, got 0"),
        (torch.zeros(2, 4, 4), {"size": 0}, "positive, got size 0"),
        (torch.zeros(2, 4, 4), {"top": 0}, "positive.*top 0"),
    ],
)
def test_bad_grids(images, options, words):
    with pytest.raises(ValueError, match=words):
        image_grid(images, **options)
    assert not plt.get_fignums()


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


def test_a_loss_history_is_drawn_faint_and_its_running_mean_bold(axes):
    history = {"generator": [1.0, 3.0, 8.0, 1.0], "discriminator": torch.tensor([5.0, 7.0], requires_grad=True)}
    loss_history(axes, history, smooth=3, floor={"log 4": 1.386, "entropy": 0.5})
    raw, mean, raw_2, mean_2, floor, entropy = axes.lines
    assert list(raw.get_xdata()) == list(mean.get_xdata()) == [1, 2, 3, 4] and list(raw.get_ydata()) == [1, 3, 8, 1]
    assert list(mean.get_ydata()) == [1, 2, 4, 4] and list(mean_2.get_ydata()) == [5, 6]  # of what is there, then of three
    assert list(raw_2.get_xdata()) == [1, 2]
    assert raw.get_alpha() < 0.5 and mean.get_alpha() is None and raw.get_linewidth() < mean.get_linewidth()
    assert raw.get_color() == mean.get_color() != mean_2.get_color() == raw_2.get_color()
    assert list(floor.get_ydata()) == [1.386] * 2 and list(entropy.get_ydata()) == [0.5] * 2 and floor.get_linestyle() == "--"
    assert [t.get_text() for t in axes.texts] == ["log 4", "entropy"]
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["generator", "discriminator"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("round", "loss (nats)")


def test_what_is_not_finite_breaks_the_line_and_spoils_no_mean(axes):
    inf, nan = math.inf, math.nan
    loss_history(
        axes, {"a": [2.0, nan, 4.0, inf, -inf, 1e30, 3.0, 3.0], "b": [nan, nan]}, smooth=2, xlabel="epoch", ylabel="bits"
    )
    raw, mean, _, none = axes.lines
    assert np.array_equal(raw.get_ydata(), [2, nan, 4, nan, nan, 1e30, 3, 3], equal_nan=True)
    assert np.array_equal(mean.get_ydata(), [2, nan, 4, nan, nan, 1e30, 5e29, 3], equal_nan=True)
    assert np.isnan(none.get_ydata()).all() and (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "bits")
    axes.figure.canvas.draw()


def test_without_smoothing_there_is_one_line(axes):
    loss_history(axes, {"model": [3, 1, 2]})
    (line,) = axes.lines
    assert list(line.get_ydata()) == [3, 1, 2] and line.get_alpha() is None
    loss_history(axes, {"short": [3.0, 1.0]}, smooth=50)
    assert list(axes.lines[-1].get_ydata()) == [3, 2]
    for bad in ({}, {"model": []}):
        with pytest.raises(ValueError, match="at least one value"):
            loss_history(axes, bad)
    with pytest.raises(ValueError, match="smooth must be a number of values, at least 1, got 0"):
        loss_history(axes, {"model": [1.0]}, smooth=0)


def test_histograms_have_area_one_and_common_bins(axes):
    histograms(axes, {"a": torch.zeros(10), "b": torch.linspace(0, 4, 100)}, xlabel="nats", bins=8)
    a, b = axes.containers
    assert a.patches[0].get_height() == pytest.approx(2.0) and a.patches[1].get_height() == 0
    assert sum(p.get_height() * p.get_width() for p in b.patches) == pytest.approx(1)
    assert a.patches[3].get_x() == b.patches[3].get_x() and axes.get_xlabel() == "nats"
    five = {str(k): torch.tensor([k + 1.0, 9.0 - k], requires_grad=True) for k in range(5)}
    histograms(axes, five, xlabel="", bins=8)
    assert {c.patches[0].get_x() for c in axes.containers[2:]} == {1.0}
    histograms(axes, {"a": torch.zeros(1)}, xlabel="")
    assert len(axes.containers[-1].patches) == 40
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


def test_the_lines_of_a_gaussian_hold_what_they_say(axes):
    """A share m of a Gaussian lies where (x - mean)' S^-1 (x - mean) < -2 log(1 - m), a chi square with two degrees."""
    mean, spread = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 2.0])
    density_map(
        axes, lambda x: 800 - (((x - mean) / spread) ** 2).sum(-1) / 2, limits=(-2, 4, -14, 10), steps=161, lines=True, log=True
    )
    assert [c.get_linestyle()[0][1] is None for c in axes.collections] == [True, False, False]  # the first is solid
    assert [str(line.get_label()) for line in axes.lines] == [f"{m}% of the mass" for m in (50, 90, 99)]
    assert [line.get_linestyle() for line in axes.lines] == ["-", "--", ":"]
    for contour, mass in zip(axes.collections, (0.5, 0.9, 0.99), strict=True):
        assert not contour.filled and contour.get_zorder() == 3 and contour.get_linewidths()[0] == axes.lines[0].get_linewidth()
        line = torch.tensor(contour.get_paths()[0].vertices)
        assert ((((line - mean) / spread) ** 2).sum(-1) + 2 * math.log(1 - mass)).abs().max() < 0.1
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$x_1$", "$x_2$")


def test_the_level_of_a_mass_lies_between_inside_and_outside():
    p = torch.tensor([[0.05, 0.5], [0.3, 0.15]], dtype=torch.float64)
    assert [mass_level(p, m) for m in (0.1, 0.5, 0.51, 0.9)] == pytest.approx([0.4, 0.4, 0.225, 0.1])
    assert mass_level(p, 0.99) is None and mass_level(torch.ones(3, 3), 0.5) is None
    disc = torch.tensor([0.0, 2, 2, 2, 2, 0])
    assert mass_level(disc, 0.5) == mass_level(disc, 0.99) == 1


def test_lines_around_all_of_the_box_are_left_out(axes):
    density_map(axes, lambda x: torch.zeros(len(x)), limits=(0, 1, 0, 1), lines=True)
    assert not axes.collections and len(axes.lines) == 3
    square = (0.5, 1, 0.5, 1)
    density_map(axes, lambda x: torch.where((x > 0.5).all(-1), 0.0, -torch.inf), limits=(0, 1, 0, 1), steps=201, lines=True)
    for contour in axes.collections:
        line = contour.get_paths()[0].vertices
        assert line.min() == pytest.approx(square[0], abs=0.005) and line.max() == 1


def test_log_density_is_filled_a_step_a_nat(axes):
    """-x^2/2 falls by k nats at sqrt(2k): the lowest of twelve areas ends at sqrt(24), beyond it all is one colour."""
    density_map(axes, lambda x: 5 - x.square().sum(-1) / 2, limits=(-6, 6, -6, 6), steps=241, log=True)
    (contour,) = axes.collections
    assert contour.filled and np.allclose(contour.levels, np.arange(-7, 6)) and contour.extend == "min"
    below, lowest = (p.vertices for p in contour.get_paths()[:2])
    radius = np.hypot(*lowest.T)
    assert radius.max() == pytest.approx(math.sqrt(24), abs=0.01) and radius.min() == pytest.approx(math.sqrt(22), abs=0.01)
    assert abs(below).max() == 6  # the far corners, at -31 nats, are filled as well
    density_map(axes, lambda x: torch.where(x[:, 0] > 0, -x[:, 0], -torch.inf), limits=(-1, 1, 0, 1), log=True)
    assert abs(axes.collections[1].get_paths()[0].vertices[:, 0].min()) == 1


def test_a_density_without_a_filled_log_has_the_levels_of_p(axes):
    density_map(axes, lambda x: -0.5 * x.square().sum(-1) - math.log(2 * math.pi), limits=(-3, 3, -3, 3))
    (contour,) = axes.collections
    assert contour.filled and 0 <= min(contour.levels) and max(contour.levels) < 0.2 and len(contour.levels) > 6
    assert not axes.lines


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("options", [{}, {"lines": True}, {"log": True}])
def test_a_density_must_be_a_number(axes, value, options):
    log_prob = {math.nan: lambda x: torch.where(x[:, 0] > 0.9, value, 0.0)}.get(value, lambda x: torch.full((len(x),), value))
    with pytest.raises(ValueError, match=r"its largest is -?(nan|inf)"):
        density_map(axes, log_prob, limits=(0, 1, 0, 1), **options)


def test_ellipses_lie_two_sigma_from_the_means(axes):
    means = torch.tensor([[1.0, 2.0], [-3.0, 0.5], [40.0, 0.0]], dtype=torch.float64)
    covariances = torch.tensor([[[2.0, 0.9], [0.9, 0.5]], [[0.3, 0.0], [0.0, 4.0]], [[1.0, -0.9], [-0.9, 1.0]]]).double()
    ellipses(axes, means, covariances, weights=torch.tensor([0.5, 0.1, 0.0]))
    assert len(axes.patches) == 3
    for patch, mean, covariance in zip(axes.patches, means, covariances, strict=True):
        knots = torch.tensor(patch.get_patch_transform().transform(patch.get_path().vertices[:25:3]))  # on the curve
        off = knots - mean
        assert torch.allclose((off @ torch.linalg.inv(covariance) * off).sum(-1), torch.tensor(4.0).double())
        assert not patch.get_fill()
    colours = [p.get_edgecolor()[:3] for p in axes.patches]
    assert len(set(colours)) == 3
    assert [p.get_linewidth() for p in axes.patches] == pytest.approx([2.5, 1.14, 0.8])
    assert [p.get_alpha() for p in axes.patches] == pytest.approx([1, 0.48, 0.35])
    assert [t.get_text() for t in axes.texts] == ["0", "1", "2"] and [t.xy for t in axes.texts] == [
        tuple(m) for m in means.tolist()
    ]
    left, right, bottom, top = *axes.get_xlim(), *axes.get_ylim()
    assert left < -3 - 2 * 0.3**0.5 and right > 42 and bottom < -3.5 and top > 4.5  # nothing is clipped
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$x_1$", "$x_2$")


def test_the_weights_of_responsibilities_are_their_means(axes):
    means, covariances = torch.zeros(2, 2, requires_grad=True), torch.eye(2).repeat(2, 1, 1).requires_grad_()
    r = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.7, 0.3]])  # means 0.7 and 0.3
    ellipses(axes, means, covariances, responsibilities=r)
    ellipses(axes, means, covariances, weights=torch.tensor([0.7, 0.3], requires_grad=True))
    ellipses(axes, means, covariances)
    width = [p.get_linewidth() for p in axes.patches]
    assert width[:2] == pytest.approx(width[2:4]) and width[4] == width[5] == width[0]
    flat = torch.tensor([[[1.0, 1.0], [1.0, 1.0]]])  # all on a line: still drawn
    ellipses(axes, means[:1], flat)
    assert axes.patches[-1].height == pytest.approx(0, abs=1e-3) and axes.patches[-1].width == pytest.approx(4 * 2**0.5)
    ellipses(axes, means[:1], torch.zeros(1, 2, 2))  # a point
    assert (axes.patches[-1].width, axes.patches[-1].height) == (0, 0)
    ellipses(axes, means[:1], 1e4 - torch.tensor([[[0, 0], [0, 1e-4]]], dtype=torch.float64))  # below 0 by a rounding error
    assert axes.patches[-1].height == 0
    ellipses(axes, torch.zeros(9, 2), torch.eye(2).repeat(9, 1, 1))
    assert axes.patches[-1].get_edgecolor() == axes.patches[-9].get_edgecolor() and axes.texts[-1].get_text() == "8"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"means": torch.zeros(2, 3)}, r"means must be \[K, 2\].*got \[2, 3\] and \[2, 2, 2\]"),
        ({"means": torch.zeros(3, 2)}, r"got \[3, 2\] and \[2, 2, 2\]"),
        ({"means": torch.zeros(0, 2), "covariances": torch.zeros(0, 2, 2)}, r"got \[0, 2\]"),
        ({"covariances": torch.ones(2, 2)}, r"and \[2, 2\]"),
        ({"covariances": torch.tensor([[1.0, 0.5], [0.0, 1.0]]).repeat(2, 1, 1)}, "symmetric"),
        ({"covariances": torch.tensor([[1.0, 2.0], [2.0, 1.0]]).repeat(2, 1, 1)}, r"semi-definite, got eigenvalues \[-1.0"),
        ({"covariances": torch.full((2, 2, 2), torch.nan)}, "finite"),
        ({"means": torch.full((2, 2), torch.inf)}, "finite"),
        ({"weights": torch.tensor([0.5, -0.5])}, r"2 finite numbers >= 0.*got \[0.5, -0.5\]"),
        ({"weights": torch.tensor([1.0, torch.nan])}, "nan"),
        ({"weights": torch.tensor([1.0, torch.inf])}, "inf"),
        ({"weights": torch.zeros(2)}, "one of them above"),
        ({"weights": torch.ones(3)}, "2 finite numbers"),
        ({"responsibilities": torch.ones(4, 3)}, "2 finite numbers"),
        ({"weights": torch.ones(2), "responsibilities": torch.ones(4, 2)}, "not both"),
    ],
)
def test_bad_ellipses(axes, change, words):
    arguments = {"means": torch.zeros(2, 2), "covariances": torch.eye(2).repeat(2, 1, 1), **change}
    with pytest.raises(ValueError, match=words):
        ellipses(axes, arguments.pop("means"), arguments.pop("covariances"), **arguments)
    assert not axes.patches


def test_the_palette_is_told_apart_without_colour():
    """No two of the eight colours lie close in lightness and under red-green blindness at once (linear RGB, luma)."""

    def rgb(hex_):
        return torch.tensor([int(hex_[i : i + 2], 16) / 255 for i in (1, 3, 5)])

    deutan = torch.tensor([[0.625, 0.375, 0.0], [0.70, 0.30, 0.0], [0.0, 0.30, 0.70]])  # a coarse simulation
    seen = torch.stack([deutan @ rgb(c) for c in PALETTE])
    distance = torch.cdist(seen, seen) + torch.eye(len(PALETTE)) * 9
    assert distance.min() > 0.12


def test_ellipses_without_numbers():
    for numbers, texts in ((True, ["0", "1"]), (False, [])):
        _, axes = plt.subplots()
        ellipses(axes, torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.eye(2).expand(2, 2, 2), numbers=numbers)
        assert [t.get_text() for t in axes.texts] == texts and len(axes.patches) == 2
        plt.close()
