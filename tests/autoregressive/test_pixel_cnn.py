"""Oracles for PixelCNN: maps of what is seen, leaks by breaking, Bayes by hand, sampling against the density, known sources."""

import math
from functools import partial

import pytest
import torch
from torch import nn

from genedu import fit
from genedu.autoregressive import PixelCNN
from genedu.core import Density, seeded
from genedu.data import digits
from genedu.nn import receptive_field, two_stack
from genedu.nn.logistic_mixture import log_bin
from tests.autoregressive.models_images import COLOUR, GREY, LABELS, LEVELS, cnn
from tests.laws import check_autoregressive, check_cached, check_discrete_density, support

F64 = torch.float64


def seen(model: PixelCNN, row: int, column: int, *, rows: int = 4) -> torch.Tensor:
    """The pixels that the logits of (row, column) depend on, [H, W] truth values."""
    model, (_, height, width) = model.double(), model.shape
    with seeded(1):
        x = torch.randn(rows, model.net.first.inputs, height, width, dtype=F64)
    return receptive_field(model.net.see, x, row, column) > 0


def past(height: int, width: int, row: int, column: int) -> torch.Tensor:
    return (torch.arange(height * width) < row * width + column).view(height, width)


# laws -----------------------------------------------------------------------------------------------------------------


def test_it_is_a_density():
    """All laws are in the table, tests/autoregressive/models_images.py; here on an event with more levels."""
    model = cnn(4, (1, 3), hidden=24)
    assert isinstance(model, Density)
    check_discrete_density(model, 4, torch.zeros(1, 1, 1, 3))


# oracles: what is seen ------------------------------------------------------------------------------------------------


def test_the_blind_spot_of_3x3_masks():
    """Pixel (10, 5) of 15x15 sees 119 of its 155 predecessors; missing are those farther to the right than up, and no other."""
    got = seen(PixelCNN(2, gated=False, first=3, layers=15, hidden=8, size=15), 10, 5)
    rows, columns = torch.meshgrid(torch.arange(15), torch.arange(15), indexing="ij")
    blind = past(15, 15, 10, 5) & (columns - 5 > 10 - rows)
    assert got.sum() == 119 and past(15, 15, 10, 5).sum() == 155
    assert torch.equal(got, past(15, 15, 10, 5) & ~blind)


@pytest.mark.parametrize(("first", "count"), [(5, 40), (7, 42)])
def test_on_digits_a_large_first_kernel_nearly_closes_it(first, count):
    got = seen(PixelCNN(2, gated=False, first=first, layers=8, hidden=8), 5, 3)
    assert got.sum() == count and not (got & ~past(8, 8, 5, 3)).any()


@pytest.mark.parametrize("pixel", [(0, 0), (0, 7), (3, 0), (5, 3), (7, 7)])
def test_two_stacks_with_enough_layers_see_the_whole_past(pixel):
    """first//2 + layers k//2 columns to either side: 5 layers for 8 columns."""
    assert torch.equal(seen(PixelCNN(2, layers=5, hidden=8), *pixel), past(8, 8, *pixel))


def test_with_too_few_layers_they_do_not():
    """3 layers: 2 + 3 columns to either side, so that (5, 0) does not see the last two columns."""
    got = seen(PixelCNN(2, layers=3, hidden=8), 5, 0)
    assert not got[:, 6:].any() and got[4, :6].all()


@pytest.mark.parametrize("gated", [True, False])
def test_the_first_pixel_sees_nothing(gated):
    model, x = PixelCNN(5, gated=gated), torch.randint(5, (6, 1, 8, 8))
    out = model.logits(x)[:, 0, 0, 0]
    assert torch.allclose(out, out[:1]) and not seen(model, 0, 0).any()


def test_leaks_are_caught(monkeypatch):
    """The shift left out; masks A and B swapped; LayerNorm over the image: each makes a place see itself or what follows."""

    def leaks(model):
        with pytest.raises(AssertionError, match="place whose logits moved"):
            check_autoregressive(model.double().logits, GREY, 2, model.order, past=False)

    with monkeypatch.context() as patch:
        patch.setattr(two_stack, "down", lambda x: x)
        leaks(cnn())
    swapped = cnn(gated=False)
    middle = swapped.net.first.conv.kernel_size[0] // 2
    swapped.net.first.conv.mask[:, :, middle, middle] = 1
    leaks(swapped)
    normed = cnn(gated=False)
    normed.net.layers.append(Normed())
    leaks(normed)


class Normed(nn.Module):
    """LayerNorm over features, rows and columns."""

    def forward(self, h, c):
        return nn.functional.layer_norm(h, h.shape[1:])


@pytest.mark.parametrize("options", [{}, {"gated": False}, {"head": "logistic"}])
def test_colours_come_one_after_the_other(options):
    """Two pixels of three colours: place by place, each logit depends on all places before it and on none behind."""
    model = cnn(3, (2, 1), channels=3, hidden=24, **options).double()
    assert model.order.tolist() == [0, 2, 4, 1, 3, 5]
    check_autoregressive(model.logits, torch.randint(3, (1, 3, 2, 1)), 3, model.order, past=True)


# oracles: probabilities -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", ["softmax", "logistic"])
def test_log_prob_is_the_sum_of_the_masses(head):
    model = cnn(3, (2, 2), head=head).double()
    p = model.logits(LEVELS).softmax(-1)
    want = p.gather(-1, LEVELS[..., None]).log().flatten(1).sum(1)
    torch.testing.assert_close(model.log_prob(LEVELS), want)
    torch.testing.assert_close(model.loss(LEVELS), -want.mean())


def test_the_logistic_head_is_the_mixture():
    """Of one component: the logits of a place are the log-masses of one discretised logistic."""
    model = cnn(7, (2, 2), head="logistic", components=1).double()
    x = torch.randint(7, (5, 1, 2, 2))
    out = model.outputs(x, None)  # [B, H, W, 3]
    want = log_bin(torch.arange(7), out[..., 1:2], out[..., 2:3], 7)
    torch.testing.assert_close(model.logits(x)[:, 0], want)


def test_bayes_rule_by_hand():
    prior = torch.tensor([0.2, 0.3, 0.5])
    model = cnn(3, (2, 2), classes=3, prior=prior).double()
    by_class = torch.stack([model.log_prob(LEVELS, torch.full((20,), y)) for y in range(3)], 1)  # [B, K]
    joint = prior.double() * by_class.exp()
    torch.testing.assert_close(model.log_prob(LEVELS).exp(), joint.sum(1), rtol=1e-5, atol=0)
    torch.testing.assert_close(model.predict_proba(LEVELS), joint / joint.sum(1, keepdim=True), rtol=1e-5, atol=1e-9)
    assert by_class.std(1).min() > 0.01, "the classes differ"
    y = LABELS
    torch.testing.assert_close(model.loss((LEVELS, y)), -by_class.gather(1, y[:, None]).mean())


def test_the_marginal_is_one_over_all_images_and_its_logits_are_its_conditionals():
    """Without a label: p(x_i | x_<i) by summing the joint over all that comes later and over classes."""
    model = cnn(3, (2, 2), classes=2, prior=torch.tensor([0.25, 0.75])).double()
    x = support(3, (1, 2, 2))  # [81, 1, 2, 2]
    p = model.log_prob(x).exp().view(3, 3, 3, 3)
    torch.testing.assert_close(p.sum(), torch.ones((), dtype=F64), rtol=0, atol=1e-6)
    step = model.logits(x).softmax(-1).view(3, 3, 3, 3, 4, 3)
    torch.testing.assert_close(step[0, 0, 0, 0, 0], p.sum((1, 2, 3)), rtol=0, atol=1e-6)
    torch.testing.assert_close(step[2, 1, 0, 0, 1], p[2].sum((1, 2)) / p[2].sum(), rtol=0, atol=1e-6)
    torch.testing.assert_close(step[2, 1, 1, 0, 3], p[2, 1, 1] / p[2, 1, 1].sum(), rtol=0, atol=1e-6)


def test_the_label_moves_every_place():
    model = cnn(3, (2, 2), classes=2).double()
    one, two = (model.logits(LEVELS, torch.full((20,), y)) for y in (0, 1))
    assert ((one - two).abs().amax(-1) > 1e-3).all()


# oracles: sampling ----------------------------------------------------------------------------------------------------


OPTIONS = [
    {},
    {"gated": False},
    {"channels": 3, "hidden": 12},
    {"channels": 3, "head": "logistic"},
    {"classes": 3, "kernel": 5, "first": 7},
    {"classes": 2, "gated": False, "head": "logistic"},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_cached_sampling_is_naive_sampling(options):
    model = cnn(6, (5, 6), **options)
    for temperature in (1.0, 0.5):
        check_cached(partial(model.sample, temperature=temperature))


def test_sampling_knows_no_dropout_and_leaves_the_mode_alone():
    model = cnn(6, (4, 4), dropout=0.9).train()
    check_cached(model.sample)
    assert model.training and model.net.layers[0].dropout.training
    with seeded(3):
        first = model.sample(5)
    with seeded(3):
        assert torch.equal(model.eval().sample(5), first) and not model.training


def test_randomised_ranks_of_samples_are_uniform():
    """u = F(x - 1) + v P(x), v ~ U(0, 1), at each place: chi-square with 10 bins, all 16 places."""
    model = cnn(6, (4, 4), classes=3).double()
    n = 4000
    with seeded(4):
        y = torch.randint(3, (n,))
        x = model.sample(n, y)
        p = model.logits(x, y).softmax(-1).flatten(1, 3)  # [n, 16, 6]
        own = p.gather(-1, x.flatten(1)[..., None])[..., 0]
        below = (p.cumsum(-1).gather(-1, x.flatten(1)[..., None])[..., 0]) - own
        u = (below + torch.rand_like(own) * own).detach()
    for place in u.T:
        counts = torch.histc(place, 10, 0, 1)
        assert ((counts - n / 10) ** 2 / (n / 10)).sum() < 33.7  # chi-square with 9 degrees of freedom: one of 10 000


def test_labels_are_drawn_from_the_prior_and_obeyed():
    """Two classes that a bias tells apart surely: level 0 or level 2 everywhere."""
    model = cnn(3, (2, 2), classes=2, prior=torch.tensor([0.9, 0.1]))
    with torch.no_grad():
        for layer in model.net.layers:
            layer.conditioned.weight.zero_()
        for w in (model.net.head[1].weight, model.net.head[3].weight, model.net.head[1].bias, model.net.bias):
            w.zero_()
        last = model.net.layers[-1]
        last.conditioned.weight[24:, 1] = 40.0  # the gates of h open for class 1
        last.out.weight.zero_()
        last.out.bias.fill_(0.0)
        last.out.weight.fill_(10.0)
        model.net.head[1].weight.fill_(1.0)
        model.net.head[3].weight[2].fill_(1.0)
        model.net.head[3].weight[0].fill_(0.0)
        model.net.bias[..., 0] = 50.0
    y = torch.tensor([0, 1]).repeat(10)
    x = model.sample(20, y)
    assert (x[y == 1] == 2).all()
    labels = model.sample(4000)[:, 0, 0, 0] == 2
    p = model.sample(4000, torch.zeros(4000, dtype=torch.long))[:, 0, 0, 0].eq(2).float().mean()
    assert abs(labels.float().mean() - (0.1 + 0.9 * p)) < 5 * math.sqrt(0.25 / 4000)


@pytest.mark.parametrize("options", [{}, {"classes": 2}])
def test_completions_have_the_conditional_distribution(options):
    """Of 2x2 pixels the first two are known: the pair below comes as often as the joint, renormalised, says."""
    model, n = cnn(3, (2, 2), **options), 20_000
    known = torch.tensor([[True, True], [False, False]])
    x = torch.tensor([[2, 0], [1, 1]]).view(1, 1, 2, 2)
    with seeded(5):
        got = model.complete(x.expand(n, 1, 2, 2), known)
    assert (got[:, 0, 0] == torch.tensor([2, 0])).all()
    p = model.log_prob(support(3, (1, 2, 2))).exp().view(3, 3, 9)[2, 0].detach()
    p = p / p.sum()
    hits = torch.bincount(3 * got[:, 0, 1, 0] + got[:, 0, 1, 1], minlength=9) / n
    assert ((hits - p).abs() < 5 * (p * (1 - p) / n).sqrt() + 1e-9).all()


def test_completing_is_cached_too_and_leaves_its_input_alone():
    model, x, known = cnn(6, (4, 5)), torch.randint(6, (3, 1, 4, 5)), past(4, 5, 2, 3)
    before = x.clone()
    check_cached(lambda n, cached: model.complete(x, known, cached=cached))
    assert torch.equal(x, before) and torch.equal(model.complete(x, torch.ones(4, 5, dtype=torch.bool)), x)
    y = torch.tensor([0, 1, 1])
    check_cached(lambda n, cached: cnn(6, (4, 5), classes=2).complete(x, known, y, cached=cached))


# limits ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gated", [True, False])
def test_one_class_is_no_class(gated):
    """But for a bias, which the class vector adds."""
    one, none = cnn(3, (2, 2), classes=1, gated=gated).double(), cnn(3, (2, 2), gated=gated).double()
    for layer in one.net.layers:
        nn.init.zeros_(layer.conditioned.weight)
    none.load_state_dict({k: v for k, v in one.state_dict().items() if "conditioned" not in k})
    torch.testing.assert_close(one.log_prob(LEVELS), none.log_prob(LEVELS))
    torch.testing.assert_close(one.logits(LEVELS).log_softmax(-1), none.logits(LEVELS).log_softmax(-1))
    assert (one.predict_proba(LEVELS) == 1).all()


def test_one_channel_of_groups_is_grey():
    assert torch.equal(cnn(channels=1).log_prob(GREY), cnn().log_prob(GREY))
    assert cnn(channels=2, size=(2, 2)).log_prob(COLOUR).shape == (20,)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"gated": False}, {"head": "logistic"}])
def test_it_overfits_a_constant(options):
    model = PixelCNN(17, hidden=8, layers=1, size=4, **options)
    x = digits().train[:1, :, 2:6, 2:6].repeat(4, 1, 1, 1)
    fit.fit(model, x, rounds=200, batch_size=4, lr=0.03, progress=False)
    assert model.loss(x).item() < 0.5 and (model.sample(50) == x[:1]).flatten(1).all(1).float().mean() > 0.5


@pytest.mark.slow
def test_a_known_source_is_reached_and_not_passed():
    """A 3x3 image of bits, each equal to the pixel to the right in the row above with probability 0.9 (else fair)."""
    n = 4000

    def draw():
        x = torch.randint(2, (n, 1, 3, 4))
        for r in (1, 2):
            for c in range(3):
                copy = torch.rand(n) < 0.8
                x[:, 0, r, c] = torch.where(copy, x[:, 0, r - 1, c + 1], x[:, 0, r, c])
        return x

    with seeded(6):
        train, test = draw(), draw()
        model = PixelCNN(2, size=(3, 4), hidden=8, layers=2, first=3)
    entropy = 6 * math.log(2) - 6 * (0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    fit.fit(model, train, rounds=250, batch_size=128, lr=0.02, schedule=lambda t: 1 - t, progress=False)
    nll = -model.log_prob(test).detach()
    assert entropy - 3 * nll.std() / n**0.5 < nll.mean() < entropy + 0.15, "0.15 of the 2.2 that copying saves"


@pytest.mark.slow
def test_digits_end_between_the_table_of_pixels_and_the_floor():
    """120 rounds of 64: well below 108.2 nats (each pixel its own table), and far above what this data can have (70)."""
    data = digits()
    with seeded(0):
        model = PixelCNN(17, hidden=16, layers=2, dropout=0.1)
    fit.fit(model, data.train, rounds=120, batch_size=64, lr=6e-3, schedule=lambda t: min(1, 5 * t) * (1 - t), progress=False)
    with torch.no_grad():
        assert 70 < model.loss(data.test).item() < 103


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"levels": 0}, "levels must be a whole number of at least 1, got 0"),
        ({"hidden": 0}, "hidden must be"),
        ({"layers": 1.5}, "layers must be"),
        ({"size": (8, 0)}, "width must be"),
        ({"channels": 0}, "channels must be"),
        ({"classes": 0}, "classes must be"),
        ({"kernel": 2}, "kernel must be an odd"),
        ({"first": 1}, "kernel must be at least 3"),
        ({"first": 1, "gated": False}, "kernel must be at least 3"),
        ({"head": "gaussian"}, "head must be 'softmax' or 'logistic', got 'gaussian'"),
        ({"channels": 3, "hidden": 16}, "multiples of channels = 3"),
        ({"classes": 2, "prior": torch.ones(3) / 3}, r"prior must be \[2\]"),
        ({"classes": -1}, "classes must be a whole number of at least 1, or None, got -1"),
        ({"classes": 2.5}, "classes must be"),
        ({"size": 8.0}, "height must be a whole number of at least 1, got 8.0"),
        ({"levels": 1, "head": "logistic"}, "levels must be at least 2 with the head 'logistic'"),
        ({"kernel": 1}, "kernel must be at least 3, got 1"),
        ({"kernel": 1, "gated": False}, "kernel must be at least 3, got 1"),
        ({"dropout": math.nan}, "dropout must be at least 0 and below 1, got nan"),
        ({"dropout": 1.0}, "dropout must be"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        PixelCNN(**{"levels": 4, **options})


@pytest.mark.parametrize("method", ["log_prob", "logits", "loss", "predict_proba", "log_joint"])
def test_bad_images(method):
    call = getattr(cnn(3, (2, 2), classes=2), method)
    for x, words in [
        (LEVELS[:, 0], r"\[batch, 1, 2, 2\] with batch >= 1, got \[20, 2, 2\]"),  # as it came, not as it is with each class
        (LEVELS[0, 0, 0, 0], r"\[batch, 1, 2, 2\]"),
        (LEVELS.float(), "whole numbers"),
        (LEVELS + 1, "levels 0 to 2"),
    ]:
        with pytest.raises(ValueError, match=words):
            call(x)


@pytest.mark.parametrize("options", [{}, {"head": "logistic"}, {"classes": 2}, {"gated": False}])
def test_levels_may_be_of_any_type_of_whole_numbers(options):
    model = cnn(3, (2, 2), **options)
    known = torch.tensor([[True, True], [False, False]])
    for kind in (torch.int32, torch.uint8):
        x = LEVELS.to(kind)
        assert torch.equal(model.log_prob(x), model.log_prob(LEVELS)) and torch.equal(model.logits(x), model.logits(LEVELS))
        with seeded(3):
            drawn = model.complete(x, known)
        with seeded(3):
            assert torch.equal(drawn.long(), model.complete(LEVELS, known))


def test_an_error_leaves_the_mode_alone():
    model, known = cnn(3, (2, 2), dropout=0.5).train(), torch.tensor([[True, True], [False, False]])
    for call in (partial(model.sample, 2), partial(model.complete, LEVELS, known)):
        with pytest.raises(ValueError, match="temperature must be"):
            call(temperature=0.0)
        assert model.training and model.net.layers[0].dropout.training


def test_the_class_of_what_is_known_is_guessed_without_dropout():
    """All is known, so nothing but the class is drawn: the same class in both modes under one seed."""
    model, seen = cnn(3, (2, 2), classes=2, dropout=0.9), []
    model.draw = lambda x, start, y, *_: seen.append(y)
    for mode in (False, True):
        with seeded(5):
            model.train(mode).complete(LEVELS, torch.ones(2, 2, dtype=torch.bool))
        assert model.training == mode
    assert torch.equal(*seen)


def test_bad_labels_and_numbers():
    with_classes, without = cnn(3, (2, 2), classes=2), cnn(3, (2, 2))
    known = torch.tensor([[True, True], [False, False]])
    for call in (with_classes.log_prob, with_classes.logits, lambda x, y: with_classes.loss((x, y))):
        with pytest.raises(ValueError, match="classes 0 to 1"):
            call(LEVELS, LABELS + 1)
    for call in (without.log_prob, without.logits, lambda x, y: without.complete(x, known, y)):
        with pytest.raises(ValueError, match="has no classes"):
            call(LEVELS, LABELS)
    with pytest.raises(ValueError, match=r"y must be \[3\]"):
        with_classes.sample(3, LABELS)
    for call in (without.predict_proba, without.log_joint):
        with pytest.raises(ValueError, match=r"no classes: build it with PixelCNN\(..., classes=K\)"):
            call(LEVELS)
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        without.sample(0)
    for call in (partial(without.sample, 2), partial(without.complete, LEVELS, known)):
        with pytest.raises(ValueError, match="temperature must be"):
            call(temperature=0.0)
    with pytest.raises(ValueError, match="raster order"):
        without.complete(LEVELS, known.T)
