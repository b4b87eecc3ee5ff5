"""WaveNet against a second computation of its sums, its receptive field, the source's entropy, and its own slow sampler."""

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from genedu.autoregressive import WaveNet
from genedu.core import seeded
from genedu.data import linear_nll, pitch, tones
from genedu.fit import fit
from genedu.nn import mu_law_decode, mu_law_encode
from tests.laws import check_cached, support


def wavenet(*sizes, seed: int = 7, **options) -> WaveNet:
    """In double precision, no parameter small."""
    with seeded(seed):
        model = WaveNet(*sizes, **options).double()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    return model


def levels(rows: int, length: int, k: int) -> torch.Tensor:
    with seeded(8):
        return torch.randint(k, (rows, length))


def by_hand(model: WaveNet, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
    """Eqs. (1) to (3) for one row, sample by sample: [T] -> [T, levels]."""
    C, T = model.hidden, len(x)
    h = [torch.zeros(C).double(), *model.embed.weight[x[:-1]]]  # T of [C]
    skips = [model.skip.bias.clone() for _ in range(T)]
    for layer, d in enumerate(model.dilations):
        weight, bias = model.gates[layer].conv.weight, model.gates[layer].conv.bias
        z = []
        for t in range(T):
            total = bias.clone()
            if y is not None:
                total = total + model.condition.weight[y].view(len(model.dilations), 2 * C)[layer]
            for j in range(model.kernel):
                if t - j * d >= 0:
                    total = total + weight[:, :, model.kernel - 1 - j] @ h[t - j * d]
            z.append(torch.tanh(total[:C]) / (1 + torch.exp(-total[C:])))
        for t in range(T):
            skips[t] = skips[t] + model.skip.weight[:, layer * C : (layer + 1) * C, 0] @ z[t]
            if layer + 1 < len(model.dilations):
                h[t] = h[t] + model.residuals[layer].weight[:, :, 0] @ z[t]
    a, b = model.last, model.first
    return torch.stack([a.weight[..., 0] @ (b.weight[..., 0] @ s.relu() + b.bias).relu() + a.bias for s in skips])


def seen(model: WaveNet, t: int, length: int) -> list[int]:
    """Places whose level moves the logits at t."""
    x = levels(1, length, model.levels)
    rows = x.repeat(length, 1)
    rows[torch.arange(length), torch.arange(length)] = (x[0] + 1) % model.levels
    with torch.no_grad():
        moved = (model.logits(rows)[:, t] - model.logits(x)[0, t]).abs().amax(1) > 1e-12
    return moved.nonzero()[:, 0].tolist()


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"kernel": 3}, {"classes": 3}])
def test_logits_are_the_sums_of_the_docstring(options):
    model, x = wavenet(5, 3, 2, hidden=4, skip=6, **options), levels(2, 11, 5)
    y = torch.tensor([2, 0]) if "classes" in options else None
    with torch.no_grad():
        want = torch.stack([by_hand(model, row, None if y is None else y[i]) for i, row in enumerate(x)])
        torch.testing.assert_close(model.logits(x, y), want)


@pytest.mark.parametrize(("layers", "stacks", "kernel", "field"), [(1, 1, 2, 2), (3, 1, 2, 8), (3, 2, 2, 15), (2, 2, 3, 13)])
def test_the_receptive_field_is_the_formulas(layers, stacks, kernel, field):
    """And not a sample more: those before it, and the sample itself and the later ones, change nothing."""
    model = wavenet(4, layers, stacks, hidden=5, kernel=kernel)
    assert model.receptive_field == field == 1 + stacks * (kernel - 1) * (2**layers - 1)
    assert seen(model, 20, 26) == list(range(20 - field, 20))


def test_the_first_sample_is_predicted_from_nothing():
    model, x = wavenet(4, 3, 1, hidden=5), levels(30, 6, 4)
    first = model.logits(x)[:, 0]
    torch.testing.assert_close(first, first[:1].expand_as(first))
    torch.testing.assert_close(model.logits(x[:1, :1])[0, 0], first[0])


@pytest.mark.parametrize("k", [2, 3])
def test_all_sounds_together_have_mass_one_for_each_class_and_without(k):
    model = wavenet(k, 2, 1, hidden=4, classes=2)
    events = support(k, torch.Size([5]))  # all 32, or 243
    with torch.no_grad():
        for y in (0, 1):
            torch.testing.assert_close(model.log_prob(events, torch.full((len(events),), y)).exp().sum().item(), 1.0)
        torch.testing.assert_close(model.log_prob(events).exp().sum().item(), 1.0)


def test_without_a_label_it_is_the_mixture_over_classes():
    """log p(x) = logsumexp_y log p(x|y) - log K; the class by Bayes' rule; the logits are those of the mixture."""
    model, x = wavenet(4, 2, 2, hidden=4, classes=3), levels(5, 9, 4)
    with torch.no_grad():
        each = torch.stack([model.log_prob(x, torch.full((5,), y)) for y in range(3)], 1)  # [B, K]
        torch.testing.assert_close(model.log_prob(x), each.logsumexp(1) - math.log(3))
        torch.testing.assert_close(model.predict_proba(x), each.exp() / each.exp().sum(1, keepdim=True))
        torch.testing.assert_close(model.loss(x), -model.log_prob(x).mean())
        y = torch.tensor([0, 1, 2, 0, 1])
        torch.testing.assert_close(model.loss((x, y)), -each.gather(1, y[:, None]).mean())
        torch.testing.assert_close(model.logits(x).logsumexp(-1), torch.zeros(5, 9).double())


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_samples_of_a_class_come_as_often_as_its_log_prob_says(temperature):
    model, y, draws = wavenet(3, 2, 1, hidden=4, classes=2), torch.ones(1).long(), 20_000
    events = support(3, torch.Size([2]))  # 9
    with torch.no_grad():
        logits = model.logits(events, y.expand(9)) / temperature
        p = logits.log_softmax(-1).gather(-1, events[..., None])[..., 0].sum(1).exp()
    x = model.sample(draws, length=2, y=y.expand(draws), temperature=temperature)
    hits = torch.bincount(x[:, 0] * 3 + x[:, 1], minlength=9) / draws
    assert ((hits - p).abs() < 5 * (p * (1 - p) / draws).sqrt()).all()


@pytest.mark.parametrize("options", [{}, {"kernel": 3}, {"classes": 2}])
def test_queues_give_the_logits_of_the_training_pass(options):
    model, x = wavenet(5, 3, 2, hidden=4, **options), levels(3, 40, 5)
    y = torch.tensor([1, 0, 1]) if "classes" in options else None
    with torch.no_grad():
        step = model._queues(3, y)
        one_by_one = torch.stack([step(list(x[:, :t].T)) for t in range(40)], 1)
        torch.testing.assert_close(one_by_one, model.logits(x, y))


@pytest.mark.parametrize("options", [{}, {"kernel": 3}, {"classes": 2}])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_cached_draws_are_the_naive_draws(options, temperature):
    model = wavenet(6, 4, 2, hidden=5, **options)
    check_cached(lambda n, cached: model.sample(n, length=70, temperature=temperature, cached=cached))


class Count(TorchDispatchMode):
    """Counts tensor operations."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += 1
        return func(*args, **(kwargs or {}))


def operations(model: WaveNet, length: int) -> int:
    """How many tensor operations a cached sample takes."""
    with Count() as run:
        model.sample(1, length=length)
    return run.count


def test_operations_are_linear_in_length_and_in_layers():
    """A sample more costs the same at any length; a layer more costs the same at any depth, though it doubles the field."""
    models = {layers: WaveNet(4, layers, 1, hidden=4) for layers in (2, 4, 6)}
    short, middle, long = (operations(models[4], n) for n in (20, 40, 80))
    assert abs((long - middle) / (middle - short) - 2) < 0.02
    a_step = [(operations(m, 60) - operations(m, 20)) / 40 for m in models.values()]
    assert abs((a_step[2] - a_step[1]) - (a_step[1] - a_step[0])) <= 2


def test_a_constant_sound_is_learnt_by_heart():
    model, x = WaveNet(4, 2, 1, hidden=8), torch.full((8, 12), 2)
    fit(model, x, rounds=150, batch_size=8, lr=2e-2, progress=False)
    assert model.loss(x) < 0.02
    assert (model.sample(20, length=12) == 2).float().mean() > 0.98


@pytest.mark.slow
def test_it_ends_between_the_sources_floor_and_linear_prediction_and_sings_the_pitch_that_is_asked_for():
    """Floor (3) of genedu.data.audio; the baseline is an AR(2) Gaussian cut into bins. Pitches 200 and 310 Hz."""
    sound = tones(sizes=(128, 1, 48), length=384)
    train, test = mu_law_encode(sound.train, 64), mu_law_encode(sound.test, 64)
    with seeded(0):
        model = WaveNet(64, 6, 1, classes=2, hidden=20)
    fit(model, (train, sound.train_labels), rounds=140, batch_size=8, lr=1e-2, schedule=lambda s: 1 - s, progress=False)
    with torch.no_grad():
        each = -model.log_prob(test, sound.test_labels) / test.shape[1]
        found = model.predict_proba(test).argmax(1)
    floor, linear = sound.floor(64), linear_nll(train, test, levels=64)
    assert floor < each.mean() < floor + 0.35 < linear
    assert (found == sound.test_labels).float().mean() > 0.95
    for y, hertz in enumerate(sound.pitches):
        with seeded(1):
            wave = mu_law_decode(model.sample(9, length=600, y=torch.full((9,), y)), 64)[:, 100:]
        assert abs(pitch(wave, rate=sound.rate).median() / hertz - 1) < 0.04


# limits ---------------------------------------------------------------------------------------------------------------


def test_one_class_is_no_class():
    """The class's shifts moved into the biases of the gates give the model without classes, draw for draw."""
    with_class = wavenet(5, 3, 2, hidden=4, classes=1)
    without = WaveNet(5, 3, 2, hidden=4).double()
    state = with_class.state_dict()
    shift = state.pop("condition.weight").view(6, 8)
    for layer in range(6):
        state[f"gates.{layer}.conv.bias"] = state[f"gates.{layer}.conv.bias"] + shift[layer]
    without.load_state_dict(state)
    x, y = levels(3, 20, 5), torch.zeros(3).long()
    with torch.no_grad():
        torch.testing.assert_close(with_class.log_prob(x, y), without.log_prob(x))
        torch.testing.assert_close(with_class.log_prob(x), without.log_prob(x))
    with seeded(2):
        drawn = with_class.sample(3, length=20, y=y)
    with seeded(2):
        assert torch.equal(drawn, without.sample(3, length=20))


def test_skip_is_twice_as_wide_as_hidden_unless_said():
    twice = WaveNet(5, 2, 1, hidden=3, skip=6)
    WaveNet(5, 2, 1, hidden=3).load_state_dict(twice.state_dict())


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["levels", "layers", "stacks", "classes", "hidden", "skip", "kernel"])
def test_sizes(wrong):
    sizes = {"levels": 4, "layers": 2, "stacks": 1, "classes": 2, "hidden": 3, "skip": 3, "kernel": 2}
    for value in (1, 0, 2.0) if wrong in ("levels", "kernel") else (0, 1.5):
        with pytest.raises(ValueError, match=f"{wrong} must be a whole number of at least"):
            WaveNet(**(sizes | {wrong: value}))


def test_bad_sounds_and_labels():
    plain, classes, x = wavenet(4, 2, 1, hidden=3), wavenet(4, 2, 1, hidden=3, classes=2), levels(3, 6, 4)
    with pytest.raises(ValueError, match="levels 0 to 3; got 4"):
        plain.log_prob(torch.full_like(x, 4))
    with pytest.raises(ValueError, match=r"use x\.long"):
        plain.log_prob(x.float())
    with pytest.raises(ValueError, match=r"\[batch, any\]"):
        plain.log_prob(x[:, None])
    with pytest.raises(ValueError, match="no classes, but y was given"):
        plain.log_prob(x, torch.zeros(3).long())
    with pytest.raises(ValueError, match="no classes: build it with classes=K"):
        plain.predict_proba(x)
    with pytest.raises(ValueError, match="levels 0 to 3"):
        classes.predict_proba(x - 5)
    for y in (torch.zeros(2).long(), torch.zeros(3), torch.zeros(3, 1).long(), torch.zeros(3).bool(), torch.zeros(3).byte()):
        with pytest.raises(ValueError, match=rf"y must be classes \[3\], whole numbers, got .*{y.dtype}"):
            classes.log_prob(x, y)
    with pytest.raises(ValueError, match="classes 0 to 1; got 2"):
        classes.log_prob(x, torch.tensor([0, 2, 1]))


def test_levels_may_be_of_any_type_of_whole_numbers():
    model, x = wavenet(4, 2, 1, hidden=3, classes=2), levels(3, 6, 4)
    for kind in (torch.int32, torch.uint8):
        assert torch.equal(model.log_prob(x.to(kind)), model.log_prob(x))
        assert torch.equal(model.predict_proba(x.to(kind)), model.predict_proba(x))


def test_bad_samples():
    model = wavenet(4, 2, 1, hidden=3, classes=2)
    for n, length in ((0, 5), (5, 0)):
        with pytest.raises(ValueError, match="n and length must be at least 1"):
            model.sample(n, length=length)
    with pytest.raises(ValueError, match="temperature must be finite and above 0"):
        model.sample(2, length=3, temperature=0)
    for cached in (True, False):
        with pytest.raises(ValueError, match=r"y must be classes \[2\]"):
            model.sample(2, length=3, y=torch.zeros(3).long(), cached=cached)
