"""The drawn styles: ranges, parts that share nothing, and a rule of forms that tells each style from the others."""

import pytest
import torch

from genedu.data import styles
from genedu.data.styles import NAMES, PAINTS, paint

DATA = styles(sizes=(500, 101, 100))


def test_pictures_are_in_0_1_and_each_style_comes_as_often():
    for x, y, n in (
        (DATA.train, DATA.train_labels, 500),
        (DATA.validation, DATA.validation_labels, 101),
        (DATA.test, DATA.test_labels, 100),
    ):
        assert x.shape == (n, 3, 16, 16) and x.dtype == torch.float32 and y.shape == (n,) and y.dtype == torch.long
        assert torch.isfinite(x).all() and x.min() >= 0 and x.max() <= 1
        counts = y.bincount(minlength=5)
        assert counts.max() - counts.min() <= 1
        assert not torch.equal(y, y.sort().values)
    assert DATA.names == NAMES == ("stripes", "dots", "rectangles", "gradient", "rings")
    assert styles(8, sizes=(7, 1, 1)).train.shape == (7, 3, 8, 8) and styles(32, sizes=(7, 1, 1)).test.shape == (1, 3, 32, 32)


def test_a_seed_is_a_data_set_and_leaves_the_randomness_outside_alone():
    before = torch.get_rng_state()
    again, other = styles(sizes=(500, 101, 100)), styles(sizes=(500, 101, 100), seed=1)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(again.train, DATA.train) and torch.equal(again.test_labels, DATA.test_labels)
    assert not torch.equal(other.train, DATA.train)


def test_the_parts_are_drawn_apart():
    """No picture comes twice, and a test picture is as far from the training part as training pictures are from each other."""
    every = torch.cat([DATA.train, DATA.validation, DATA.test]).flatten(1)
    assert len(every.unique(dim=0)) == len(every)
    distance = torch.cdist(DATA.test.flatten(1), DATA.train.flatten(1)).min(1).values
    among = torch.cdist(DATA.train[:100].flatten(1), DATA.train[100:].flatten(1)).min(1).values
    assert 0.7 < distance.median() / among.median() < 1.4


def test_colours_do_not_tell_the_style():
    """Which of the three paints a picture has, by its most vivid pixel: each a third, in every style."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        for k in range(5):
            x = paint(torch.full((900,), k)).flatten(2)  # [900, 3, S S]
            vivid = (x.amax(1) - x.amin(1)).argmax(1)  # [900]
            colour = x[torch.arange(900), :, vivid]  # [900, 3]
            share = torch.cdist(colour, torch.tensor(PAINTS)).argmin(1).bincount(minlength=3) / 900
            assert ((share - 1 / 3).abs() < 5 * (2 / 9 / 900) ** 0.5).all(), (NAMES[k], share)


def test_a_picture_is_paper_and_paint_and_rectangles_have_black_lines():
    """Each pixel is a mix of two colours, so the pixels of a picture lie on one line in colour space."""
    with torch.random.fork_rng():
        torch.manual_seed(6)
        for k in (0, 1, 3, 4):
            pixels = paint(torch.full((20,), k)).flatten(2).transpose(1, 2)  # [20, S S, 3]
            singular = torch.linalg.svdvals(pixels - pixels.mean(1, keepdim=True))  # [20, 3]
            assert (singular[:, 1] < 1e-4 * singular[:, 0]).all() and (singular[:, 0] > 0.5).all(), NAMES[k]
            assert (pixels.amax((1, 2)) > 0.8).all()
        x = paint(torch.full((50,), 2), 32).flatten(2)  # [50, 3, S S]
        assert ((x.amax(1) < 0.5).double().mean(1) > 0.08).all() and ((x.amin(1) > 0.85).double().mean(1) > 0.02).all()


@pytest.mark.parametrize("size", [16, 32])
def test_every_pixel_is_where_the_equations_put_it(size):
    """The numbers are drawn again, in the order of `paint`; an edge at distance d is clamp(1/2 + size d, 0, 1) paint."""
    n, pi = 40, torch.pi
    with torch.random.fork_rng():
        drawn = []
        for k in range(5):
            torch.manual_seed(8)
            drawn.append(paint(torch.full((n,), k), size))
        torch.manual_seed(8)
        r = torch.rand(n, 6).T[..., None, None]  # [6, n, 1, 1]
        a = 0.9 + 0.1 * torch.rand(n, 3, 1, 1)
        b = (torch.tensor(PAINTS)[torch.randint(3, (n,))] + 0.1 * torch.rand(n, 3) - 0.05)[..., None, None]
        first, gap, some = 0.2 + 0.2 * torch.rand(2, n, 1, 1), 0.3 + 0.15 * torch.rand(2, n, 1, 1), torch.rand(n, 9) < 1 / 3
    u = ((torch.arange(size) + 0.5) / size).expand(size, size)  # [S, S]
    v = u.T
    edge = lambda d: (0.5 + size * d).clamp(0, 1)  # noqa: E731
    lattice = [(r[3] + i / 2 - 1.25, r[4] + j / 2 - 1.25) for i in range(6) for j in range(6)]
    slant, turn = r[0] - 0.5, 2 * pi * r[2]
    shares = {  # [n, S, S] each
        0: edge((2 * pi * (2 * (u * slant.cos() + v * slant.sin()) + r[1])).sin() / (4 * pi)),
        1: edge(0.13 + 0.04 * r[5] - torch.stack([torch.hypot(u - p, v - q) for p, q in lattice]).amin(0)),
        3: (0.5 + (u - 0.5) * turn.cos() + (v - 0.5) * turn.sin()).clamp(0, 1),
        4: edge((3.6 * pi * torch.hypot(u - (0.4 + 0.2 * r[3]), v - (0.4 + 0.2 * r[4]))).cos() / (3.6 * pi)),
    }
    for k, share in shares.items():
        torch.testing.assert_close(drawn[k], a + share[:, None] * (b - a), rtol=0, atol=1e-4)
    upright, level = (torch.stack([at, at + further]) for at, further in zip(first, gap, strict=True))  # [2, n, 1, 1] each
    field = (u > upright).sum(0) + 3 * (v > level).sum(0)  # [n, S, S]
    flat = torch.where(some[torch.arange(n)[:, None, None], field][:, None], b, a)  # [n, 3, S, S]
    off = torch.cat([(u - upright).abs(), (v - level).abs()]).amin(0)  # [n, S, S], from the nearest line
    torch.testing.assert_close(drawn[2], flat * (size * off).clamp(0, 1)[:, None], rtol=0, atol=1e-4)


def rule(x: torch.Tensor) -> torch.Tensor:
    """Names the style by its form alone: [n, 3, S, S] -> [n].

    Rectangles have a third colour, black. In a gradient neighbours hardly differ. In stripes all edges run one way, by the
    structure tensor. In rings each edge runs around one centre. What is left is dots.
    """
    colours = x.flatten(2) - x.flatten(2).mean(2, keepdim=True)  # [n, 3, S S]
    singular = torch.linalg.svdvals(colours)  # [n, 3]
    u = torch.linalg.svd(colours, full_matrices=False)[2][:, 0].view(len(x), *x.shape[2:])  # [n, S, S], where on the line
    u = (u - u.amin((1, 2), keepdim=True)) / (u.amax((1, 2), keepdim=True) - u.amin((1, 2), keepdim=True))
    across, down = u[:, 1:-1, 2:] - u[:, 1:-1, :-2], u[:, 2:, 1:-1] - u[:, :-2, 1:-1]
    steep = across**2 + down**2
    xx, yy, xy = ((a * b).mean((1, 2)) for a, b in ((across, across), (down, down), (across, down)))
    one_way = ((xx - yy) ** 2 + 4 * xy**2).sqrt() / (xx + yy)  # 1: all slopes along one line
    at = torch.arange(1, x.shape[-1] - 1) + 0.5
    rows, columns = torch.meshgrid(at, at, indexing="ij")
    radial = torch.zeros(len(x))
    for r in torch.linspace(0.38, 0.62, 7) * x.shape[-1]:
        for c in torch.linspace(0.38, 0.62, 7) * x.shape[-1]:
            along = (across * (columns - c) + down * (rows - r)) ** 2 / ((columns - c) ** 2 + (rows - r) ** 2)
            radial = torch.maximum(radial, along.sum((1, 2)) / steep.sum((1, 2)))
    named = torch.where(radial > 0.8, 4, 1)
    named = torch.where(one_way > 0.85, 0, named)
    named = torch.where(steep.amax((1, 2)).sqrt() < 0.4, 3, named)
    return torch.where(singular[:, 1] > 0.03 * singular[:, 0], 2, named)


def test_a_rule_of_forms_tells_the_styles():
    named = rule(DATA.train)
    right = [(named[DATA.train_labels == k] == k).double().mean().item() for k in range(5)]
    assert min(right) > 0.9 and sum(right) / 5 > 0.95, right


def test_a_classifier_that_has_seen_the_training_part_tells_the_test_part():
    """A support vector machine on the amounts of each frequency, wherever it lies in the picture."""
    from sklearn.svm import SVC

    amounts = lambda x: torch.fft.rfft2(x).abs().sum(1).flatten(1).log1p().numpy()  # noqa: E731
    machine = SVC(C=10).fit(amounts(DATA.train), DATA.train_labels.numpy())
    assert machine.score(amounts(DATA.test), DATA.test_labels.numpy()) > 0.95


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 4}, "size must be at least 8 pixels, got 4"),
        ({"sizes": (10, 0, 10)}, "three numbers of pictures, at least 1 each"),
        ({"sizes": (10, 10)}, "three numbers of pictures"),
    ],
)
def test_bad_options_say_what_must_hold(options, words):
    with pytest.raises(ValueError, match=words):
        styles(**options)


@pytest.mark.parametrize("y", [torch.tensor([5]), torch.tensor([-1]), torch.zeros(0, dtype=torch.long), torch.zeros(2)])
def test_a_style_that_there_is_not_is_refused(y):
    with pytest.raises(ValueError, match="whole numbers 0 to 4"):
        paint(y)
