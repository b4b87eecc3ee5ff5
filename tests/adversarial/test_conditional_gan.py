"""ConditionalGAN: the best discriminator given the class, labels that belong together, and one class as no class."""

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import logsigmoid, one_hot

from genedu.adversarial import GAN, ConditionalGAN, discriminator_loss, r1_penalty
from genedu.core import seeded
from genedu.data import ring
from genedu.fit import Adam, fit
from tests.adversarial.rounds import assert_steps_and_average

with seeded(1):
    X, Y = torch.randn(64, 2), torch.arange(64) % 3


def small(classes: int = 3, **options) -> ConditionalGAN:
    with seeded(3):
        return ConditionalGAN(classes, hidden=16, **options)


class Draws(nn.Module):
    """A generator whose i-th sample is the i-th row that it was given: its law is known without chance."""

    def __init__(self, rows: torch.Tensor) -> None:
        super().__init__()
        self.rows = rows

    def forward(self, z, hot):
        return self.rows[: len(z)]


class Table(nn.Module):
    """A logit for each value of x, and for each class unless it is blind."""

    def __init__(self, logits: torch.Tensor, blind: bool = False) -> None:
        super().__init__()
        self.logits, self.blind = nn.Parameter(logits), blind

    def forward(self, x, hot):
        each = self.logits[x[:, 0].long()]  # [B, K]
        return each.mean(1) if self.blind else (each * hot).sum(1)


# p(x|y) and q(x|y) of three values and two classes as counts of 10; class 1 comes three times as often as class 0.
P, Q, TIMES = torch.tensor([[5, 4, 1], [1, 2, 7]]), torch.tensor([[2, 2, 6], [3, 3, 4]]), torch.tensor([1, 3])


def rows_of_counts(counts: torch.Tensor) -> torch.Tensor:
    """Rows as they come by the counts [K, X], class after class: [10 (1 + 3), 1]."""
    values = torch.arange(3.0)
    return torch.cat([values.repeat_interleave(c * t) for c, t in zip(counts, TIMES, strict=True)])[:, None]


LABELS = torch.arange(2).repeat_interleave(10 * TIMES)


def jsd(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    return (torch.xlogy(p, 2 * p / (p + q)) + torch.xlogy(q, 2 * q / (p + q))).sum(-1) / 2


# oracles --------------------------------------------------------------------------------------------------------------


def test_the_best_discriminator_of_a_table_and_its_value():
    best = (P.double() / Q).log().T  # [X, K], eq. (2)
    model = ConditionalGAN(2, generator=Draws(rows_of_counts(Q)), discriminator=Table(best), shape=(1,))
    loss = model.discriminator_loss((rows_of_counts(P), LABELS))
    loss.backward()
    assert model.discriminator.logits.grad.abs().max() < 1e-7
    weight = TIMES.double() / TIMES.sum()
    expected = -math.log(4) + 2 * (weight * jsd(P.double() / 10, Q.double() / 10)).sum()
    torch.testing.assert_close(-loss.detach(), expected)


def test_shuffled_labels_are_seen_by_a_discriminator_that_sees_labels_only():
    """q(x|y) = p(x), any class under any label: to a D that is blind to y samples are data, and its best loss is 2 log 2."""
    marginal = (TIMES[:, None] * P).sum(0)  # [X] of 40
    shuffled = torch.arange(3.0).repeat_interleave(marginal)
    x, fake = rows_of_counts(P), torch.cat([shuffled, shuffled.repeat_interleave(3)])[:, None]  # 40 + 120 rows
    x, y = torch.cat([x[:10].repeat_interleave(4, 0), x[10:].repeat_interleave(4, 0)]), LABELS.repeat_interleave(4)
    blind = ConditionalGAN(2, generator=Draws(fake), discriminator=Table(torch.zeros(3, 2), blind=True), shape=(1,))
    loss = blind.discriminator_loss((x, y))
    loss.backward()
    assert loss.item() == pytest.approx(2 * math.log(2)) and blind.discriminator.logits.grad.abs().max() < 1e-7
    p, q = P.double() / 10, (marginal.double() / 40).expand(2, 3)
    sees = ConditionalGAN(2, generator=Draws(fake), discriminator=Table((p / q).log().T), shape=(1,))
    expected = 2 * math.log(2) - 2 * (jsd(p, q) * torch.tensor([0.25, 0.75])).sum()
    assert sees.discriminator_loss((x, y)).item() == pytest.approx(expected.item()) and expected < 2 * math.log(2) - 0.05


def test_the_losses_are_those_of_the_game():
    model = small(loss="saturating", r1=0.3)
    hot = one_hot(Y, 3).float()
    with seeded(4):
        got = model.discriminator_loss((X, Y))
    with seeded(4):
        z = torch.randn(64, 8)
    fake = model.generator.net(torch.cat([z, hot], 1))
    d = lambda x: model.discriminator.net(torch.cat([x, hot], 1))[:, 0]  # noqa: E731
    value = (logsigmoid(d(X)) + logsigmoid(-d(fake))).mean()
    torch.testing.assert_close(got, -value + 0.3 / 2 * r1_penalty(d, X))
    for how, expected in (("saturating", logsigmoid(-d(fake)).mean()), ("non_saturating", -logsigmoid(d(fake)).mean())):
        model.how = how
        with seeded(4):
            torch.testing.assert_close(model.generator_loss((X, Y)), expected)


class SaysItsClass(nn.Module):
    def forward(self, z, hot):
        return hot.argmax(1)[:, None].float()


class Compares(nn.Module):
    """Minus nine where a row is not the class that it is said to be."""

    def forward(self, x, hot):
        return -9.0 * (x[:, 0] != hot.argmax(1))


def test_each_row_is_judged_with_its_own_label_and_samples_are_made_for_the_labels_of_the_minibatch():
    model = ConditionalGAN(3, generator=SaysItsClass(), discriminator=Compares(), shape=(1,))
    y = torch.tensor([0, 2, 2, 1, 0])
    assert model.discriminator_loss((y[:, None].float(), y)).item() == pytest.approx(2 * math.log(2))
    assert model.generator_loss((torch.zeros(5, 1), y)).item() == pytest.approx(math.log(2))
    assert model.discriminator_loss(((y[:, None] + 1.0) % 3, y)).item() == pytest.approx(math.log(2) + 9, abs=1e-3)


def test_samples_are_of_the_class_that_is_asked_for_or_of_the_prior():
    model = ConditionalGAN(3, generator=SaysItsClass(), shape=(1,), class_prior=torch.tensor([0.5, 0.3, 0.2]))
    assert model.sample(4, 2).tolist() == [[2.0]] * 4
    y = torch.tensor([1, 0, 2])
    assert model.sample(3, y)[:, 0].tolist() == y.tolist()
    share = one_hot(model.sample(20_000)[:, 0].long(), 3).double().mean(0)
    p = torch.tensor([0.5, 0.3, 0.2]).double()
    assert ((share - p).abs() < 5 * (p * (1 - p) / 20_000).sqrt()).all()


def test_each_player_moves_its_own_weights_only():
    model = small()
    before = {name: w.clone() for name, w in model.named_parameters()}
    for mover in model.players():
        fit(model, (X, Y), rounds=1, players=[mover])
        for name, w in model.named_parameters():
            assert (not torch.equal(w, before[name])) == name.startswith(mover.name), (mover.name, name)
            before[name] = w.clone()


def test_samples_come_from_the_average_where_there_is_one():
    model = small(average=0.5)
    fit(model, (X, Y), rounds=3)
    with seeded(5):
        x = model.sample(6, 1)
    with seeded(5):
        z = torch.randn(6, 8)
    hot = torch.tensor([[0.0, 1.0, 0.0]]).expand(6, 3)
    torch.testing.assert_close(x, model.averaged.module(z, hot))
    assert not torch.allclose(x, model.generator(z, hot))


@pytest.mark.slow
def test_on_a_ring_each_sample_lies_at_the_mode_that_is_asked_for():
    """Three seeds; the nearest mode is the label in more than 95 %, and the untrained network knows nothing of labels."""
    data, adam = ring(sigma=0.05), partial(Adam, betas=(0.5, 0.99))
    nearest = lambda x: torch.cdist(x, data.modes).argmin(1)  # noqa: E731
    labels, asked = nearest(data.train), torch.arange(2000) % 8
    for seed in range(3):
        with seeded(seed):
            model = ConditionalGAN(8, hidden=48, latent=2, r1=0.05, average=0.99)
        before = (nearest(model.sample(2000, asked)) == asked).double().mean()
        fit(model, (data.train, labels), rounds=500, lr=3e-3, optimizer=adam, schedule=lambda t: 1 - t, seed=seed)
        after = (nearest(model.sample(2000, asked)) == asked).double().mean()
        assert before < 0.5 and after > 0.95, (seed, before, after)


# limits ---------------------------------------------------------------------------------------------------------------


def test_one_class_is_a_gan():
    """The column of a class that is always the same is a part of the bias: same losses, and same slopes of what they share."""
    model = small(1, r1=0.2)
    plain = GAN(hidden=16, r1=0.2, rows=64)
    for inner, outer in ((plain.generator[0], model.generator.net[0]), (plain.discriminator[1], model.discriminator.net)):
        state = outer.state_dict()
        state["0.bias"] = state["0.bias"] + state["0.weight"][:, -1]
        state["0.weight"] = state["0.weight"][:, :-1]
        inner.load_state_dict(state)
    y = torch.zeros(64, dtype=torch.long)
    for mine, its in ((model.discriminator_loss, plain.discriminator_loss), (model.generator_loss, plain.generator_loss)):
        model.zero_grad(), plain.zero_grad()
        with seeded(6):
            a = mine((X, y))
        with seeded(6):
            b = its(X) if its == plain.discriminator_loss else its()
        assert abs(a - b).item() < 1e-6
        a.backward(), b.backward()
        torch.testing.assert_close(model.generator.net[0][2].weight.grad, plain.generator[0][2].weight.grad)
        torch.testing.assert_close(model.discriminator.net[0].weight.grad[:, :-1], plain.discriminator[1][0].weight.grad)
    with seeded(7):
        x = model.sample(5, 0)
    with seeded(7):
        torch.testing.assert_close(x, plain.sample(5))


def test_networks_that_ignore_the_class_play_the_plain_game():
    model = small(classes=3)
    for net, at in ((model.generator.net[0][0], 8), (model.discriminator.net[0], 2)):
        nn.init.zeros_(net.weight[:, at:])
    with seeded(8):
        loss = model.discriminator_loss((X, Y))
    with seeded(8):
        fake = model.generator.net[0](torch.cat([torch.randn(64, 8), torch.zeros(64, 3)], 1))
    d = lambda x: model.discriminator.net(torch.cat([x, torch.zeros(64, 3)], 1))  # noqa: E731
    torch.testing.assert_close(loss, discriminator_loss(d(X), d(fake)))


def test_images_are_in_0_1_and_one_row_is_enough():
    model = ConditionalGAN(shape=(1, 8, 8), hidden=16)
    x = model.sample(1, 7)
    assert x.shape == (1, 1, 8, 8) and (x > 0).all() and (x < 1).all()
    assert torch.isfinite(model.discriminator_loss((x, torch.tensor([7]))))


def test_a_sample_carries_no_gradient():
    assert not small().sample(3).requires_grad


def test_the_discriminator_makes_k_steps_a_round_and_the_average_follows_each_of_the_generators_moves():
    assert_steps_and_average(small(steps=2, average=0.5), (torch.randn(60, 2), torch.arange(60) % 3))


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"loss": "hinge"}, "'saturating' or 'non_saturating', got 'hinge'"),
        ({"classes": 0}, "classes must be a whole number of at least 1"),
        ({"latent": 0}, "latent and steps must be at least 1"),
        ({"steps": 0}, "latent and steps must be at least 1"),
        ({"r1": -1.0}, "r1 must be at least 0"),
        ({"r1": math.inf}, "finite"),
        ({"average": 1.0}, "between 0 and 1"),
        ({"class_prior": torch.ones(3)}, r"prior must be \[10\] numbers"),
    ],
)
def test_bad_options_say_what_must_hold(options, words):
    with pytest.raises(ValueError, match=words):
        ConditionalGAN(**options)


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (X, r"a batch must be \(x, y\)"),
        ((X[:, :1], Y), r"x must be \[batch, 2\] with batch >= 1, got \[64, 1\]"),
        ((X[:0], Y[:0]), "batch >= 1"),
        ((torch.full((64, 2), math.nan), Y), "finite"),
        ((X, Y[:5]), r"y must be \[64\] whole numbers"),
        ((X, Y + 1), "classes 0 to 2; got 3"),
        ((X, Y.float()), "whole numbers"),
    ],
)
def test_bad_data_say_what_must_hold(batch, words):
    for loss in (small().discriminator_loss, small().generator_loss):
        with pytest.raises(ValueError, match=words):
            loss(batch)


def test_a_class_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="classes 0 to 2; got 3"):
        small().sample(4, 3)
    with pytest.raises(ValueError, match=r"y must be \[4\] whole numbers"):
        small().sample(4, torch.tensor([1]))


def test_networks_of_a_wrong_shape_are_named():
    class Wide(nn.Module):
        def forward(self, a, b):
            return torch.zeros(len(a), 5)

    with pytest.raises(ValueError, match=r"generator must return .* = \[64, 2\], got \[64, 5\]"):
        small(generator=Wide()).generate(Y)
    with pytest.raises(ValueError, match="one logit for each of 64 rows"):
        small(discriminator=Wide()).discriminator_loss((X, Y))
