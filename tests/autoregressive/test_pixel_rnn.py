"""Oracles for PixelRNN: the triangle, the whole past, leaks by breaking, an enumerated 2x2 image, a known source."""

import math

import pytest
import torch
from torch import nn

from genedu import fit
from genedu.autoregressive import PixelRNN
from genedu.core import Density, seeded
from genedu.data import digits
from genedu.nn import diagonal_lstm, receptive_field
from tests.autoregressive.models_images import ready
from tests.laws import check_autoregressive, support

F64 = torch.float64
CELLS = pytest.mark.parametrize("cell", ["row", "diagonal"])


def rnn(cell="row", levels=3, size=(2, 2), **options):
    with seeded(7):
        return ready(PixelRNN(levels, cell=cell, size=size, **{"hidden": 8, **options}))


def seen(model, row, column):
    model = model.double()
    with seeded(1):
        x = torch.randn(4, model.net.first.inputs, *model.shape[1:], dtype=F64)
    return receptive_field(model.net.see, x, row, column) > 0


def past(height, width, row, column):
    return (torch.arange(height * width) < row * width + column).view(height, width)


# oracles: what is seen ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [1, 2])
def test_row_lstm_sees_a_triangle_and_nothing_else(layers):
    """A masked 3x3 first: u rows up, at most u pixels to the right and u + layers + 1 to the left; 1 + layers in its own row."""
    got = seen(rnn(size=(7, 11), layers=layers), 4, 5)
    want = torch.zeros(7, 11, dtype=torch.bool)
    for r in range(5):
        u = 4 - r
        want[r, max(0, 5 - u - layers - 1) : 5 + u + (u > 0)] = True
    assert torch.equal(got, want)


@pytest.mark.parametrize("pixel", [(0, 0), (0, 5), (2, 0), (3, 3), (4, 5)])
def test_diagonal_lstm_sees_the_whole_past(pixel):
    assert torch.equal(seen(rnn("diagonal", size=(5, 6)), *pixel), past(5, 6, *pixel))


def test_without_what_the_pixel_itself_shows_the_last_one_of_the_row_above_is_missed():
    model = rnn("diagonal", size=(5, 6))
    nn.init.zeros_(model.net.own.weight)
    missed = past(5, 6, 3, 0) & ~seen(model, 3, 0)
    assert missed.nonzero().tolist() == [[2, 5]]


def test_leaks_are_caught(monkeypatch):
    x = torch.randint(3, (1, 1, 2, 3))
    whole = rnn("diagonal", size=(2, 3)).double()
    monkeypatch.setattr(diagonal_lstm, "down", lambda x: x)
    with pytest.raises(AssertionError, match="place whose logits moved"):
        check_autoregressive(whole.logits, x, 3, None, past=False)
    masked = rnn(size=(2, 3)).double()
    masked.net.first.conv.mask[:, :, 1, 1] = 1
    with pytest.raises(AssertionError, match="place whose logits moved"):
        check_autoregressive(masked.logits, x, 3, None, past=False)


# oracles: probabilities -----------------------------------------------------------------------------------------------


@CELLS
def test_all_images_of_2x2_pixels_have_mass_one(cell):
    model = rnn(cell).double()
    assert isinstance(model, Density)
    x = support(3, (1, 2, 2))
    torch.testing.assert_close(model.log_prob(x).exp().sum(), torch.ones((), dtype=F64))
    p = model.logits(x).softmax(-1).gather(-1, x[..., None]).flatten(1).prod(1)
    torch.testing.assert_close(model.log_prob(x).exp(), p)
    torch.testing.assert_close(model.loss(x), -p.log().mean())


@CELLS
def test_sampling_knows_no_dropout_and_leaves_the_mode_alone(cell):
    model = rnn(cell, dropout=0.9).train()
    with seeded(3):
        first = model.sample(6)
    assert model.training
    with seeded(3):
        assert torch.equal(model.eval().sample(6), first) and not model.training


@CELLS
def test_temperature_sharpens(cell):
    model = rnn(cell)
    with seeded(4):
        cold, own = model.sample(200, temperature=0.01), model.sample(200)
    assert len(cold.unique(dim=0)) < 5 < len(own.unique(dim=0))


# training -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@CELLS
def test_it_overfits_a_constant(cell):
    model = PixelRNN(17, cell=cell, hidden=12, size=4)
    x = digits().train[:1, :, 2:6, 2:6].repeat(4, 1, 1, 1)
    fit.fit(model, x, rounds=150, batch_size=4, lr=0.03, progress=False)
    assert model.loss(x).item() < 0.5 and (model.sample(50) == x[:1]).flatten(1).all(1).float().mean() > 0.5


@pytest.mark.slow
@CELLS
def test_a_known_source_is_reached_and_not_passed(cell):
    """3x3 bits, each equal to the one above with probability 0.9: entropy 3 log 2 + 6 H(0.9)."""
    n = 4000

    def draw():
        flips = torch.rand(n, 1, 3, 3) < torch.tensor([0.5, 0.1, 0.1])[:, None]
        return (flips.long().cumsum(2)) % 2

    with seeded(6):
        train, test = draw(), draw()
        model = PixelRNN(2, cell=cell, size=3, hidden=8)
    entropy = 3 * math.log(2) - 6 * (0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    fit.fit(model, train, rounds=150, batch_size=128, lr=0.03, schedule=lambda t: 1 - t, progress=False)
    nll = -model.log_prob(test).detach()
    assert entropy - 3 * nll.std() / n**0.5 < nll.mean() < entropy + 0.1


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"levels": 0}, "levels must be a whole number of at least 1, got 0"),
        ({"hidden": 2.0}, "hidden must be"),
        ({"layers": 0}, "layers must be"),
        ({"size": 0}, "height must be"),
        ({"embedding": 0}, "embedding must be"),
        ({"kernel": 4}, "odd whole"),
        ({"size": 8.0}, "height must be"),
        ({"dropout": math.nan}, "dropout must be at least 0 and below 1, got nan"),
        ({"first": 1}, "at least 3"),
        ({"cell": "gru"}, "cell must be 'row' or 'diagonal', got 'gru'"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        PixelRNN(**{"levels": 4, **options})


@pytest.mark.parametrize("method", ["log_prob", "logits", "loss"])
def test_bad_images(method):
    call = getattr(rnn(), method)
    x = torch.zeros(2, 1, 2, 2, dtype=torch.long)
    for wrong, words in [(x[:, 0], r"\[batch, 1, 2, 2\]"), (x.float(), "whole numbers"), (x + 3, "levels 0 to 2; got 3")]:
        with pytest.raises(ValueError, match=words):
            call(wrong)


def test_bad_numbers():
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        rnn().sample(0)
    with pytest.raises(ValueError, match="temperature must be"):
        rnn().sample(1, temperature=-1.0)


def test_an_error_leaves_the_mode_alone():
    model = rnn(dropout=0.5).train()
    with pytest.raises(ValueError, match="temperature must be"):
        model.sample(1, temperature=0.0)
    assert model.training


@CELLS
def test_levels_may_be_of_any_type_of_whole_numbers(cell):
    model, x = rnn(cell), torch.randint(3, (4, 1, 2, 2))
    for kind in (torch.int32, torch.uint8):
        assert torch.equal(model.log_prob(x.to(kind)), model.log_prob(x))
