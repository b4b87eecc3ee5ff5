"""Progressive GAN: its losses by hand, the stages and who moves in them, and the Wasserstein game it is."""

from functools import partial

import pytest
import torch
from torch import nn

from genedu.adversarial import ProgressiveGAN, gradient_penalty
from genedu.core import seeded
from genedu.fit import Adam, fit
from genedu.nn import double, halve

X = torch.rand(12, 1, 8, 8)


def small(**options) -> ProgressiveGAN:
    with seeded(3):
        return ProgressiveGAN(8, **{"start": 2, "latent": 4, "base": 16, "cap": 4, "rows": 5} | options)


class Linear(nn.Module):
    """A critic whose slope is known: the sum of a row's pixels times w."""

    def __init__(self, w: float) -> None:
        super().__init__()
        self.w, self.seen = nn.Parameter(torch.tensor(w)), []

    def forward(self, x, side, alpha):
        self.seen.append((x, side, alpha))
        return self.w * x.flatten(1).sum(1, keepdim=True)


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "over", "moves"), [(2, 0, 0), (4, 8, 2), (8, 0, 0)])
def test_the_losses_by_hand_for_a_linear_critic(side, over, moves):
    model = small(penalty=7.0, drift=0.01)
    model.critic = Linear(0.3)
    model.grow_to(side, over=over)
    model.moves = moves
    with seeded(5):
        loss = model.critic_loss(X)
    with seeded(5):
        fake = model.generate(12).detach()
    pixels = side * side
    x = halve(halve(X)) if side == 2 else (0.75 * double(halve(halve(X))) + 0.25 * halve(X) if side == 4 else X)
    f_real, f_fake = 0.3 * x.flatten(1).sum(1), 0.3 * fake.flatten(1).sum(1)
    slope = (0.3 * pixels**0.5 - 1) ** 2
    expected = f_fake.mean() - f_real.mean() + 7 * slope + 0.01 * f_real.square().mean()
    torch.testing.assert_close(loss, expected)
    with seeded(6):
        loss = model.generator_loss()
    with seeded(6):
        torch.testing.assert_close(loss, -0.3 * model.generate(5).flatten(1).sum(1).mean())
    assert {(s, a) for _, s, a in model.critic.seen} == {(side, moves / over if over else 1.0)}


def test_alpha_rises_with_the_generators_moves_and_the_old_way_leaves():
    model, seen = small(steps=2), []
    model.grow_to(2)
    assert model.alpha == 1
    fit(model, X, rounds=2, batch_size=4)
    model.grow_to(4, over=3)
    assert model.alpha == 0
    with seeded(2):
        z = model.prior().sample((3,))
    assert torch.equal(model.generator(z, 4, model.alpha), double(model.generator(z, 2, 1.0)))
    history = fit(model, X, rounds=5, batch_size=4, callback=lambda *_: seen.append(model.alpha))
    assert seen == pytest.approx([1 / 3, 2 / 3, 1, 1, 1]) and seen[2] == 1
    assert len(history.losses["critic"]) == 10
    old = [id(w) for w in model.generator.to_rgb[0].parameters()]
    assert not set(old) & {id(w) for player in model.players() for w in player.parameters}


def test_a_stage_moves_its_own_parameters_alone():
    model = small(average=0.5)
    for side, over in ((2, 0), (4, 10), (8, 10)):
        model.grow_to(side, over=over)
        model.moves = over // 2
        before = {name: w.clone() for name, w in model.named_parameters()}
        players = {id(w) for player in model.players() for w in player.parameters}
        assert players == {id(w) for w in model.parameters() if w.requires_grad}
        fit(model, X, rounds=2, batch_size=6)
        for name, w in model.named_parameters():
            if "averaged" not in name:
                assert torch.equal(before[name], w) != (id(w) in players), (side, name)
        assert model.sample(3).shape == (3, 1, side, side)


def test_the_average_draws_the_samples_and_they_are_clamped():
    model = small(average=0.9)
    nn.init.constant_(model.averaged.module.to_rgb[2].bias, 0.9)
    assert model.generate(50).min() < 0 and model.generate(50).max() > 1
    assert model.sample(50).min() >= 0 and model.sample(50).max() == 1
    with seeded(1):
        first = model.sample(2)
    for w in model.averaged.parameters():
        nn.init.zeros_(w)
    with seeded(1):
        assert torch.equal(model.sample(2), torch.zeros(2, 1, 8, 8)) and not torch.equal(first, model.sample(2))


def test_the_average_follows_each_of_the_generators_moves():
    model = small(average=0.75)
    weight = lambda network: network.to_rgb[2].weight.detach().clone()  # noqa: E731
    seen = []
    fit(model, X, rounds=2, batch_size=6, callback=lambda *_: seen.append(weight(model.generator)))
    torch.testing.assert_close(weight(model.averaged.module), 0.75 * seen[0] + 0.25 * seen[1])


def test_a_run_that_is_stopped_in_a_fade_ends_where_the_whole_one_ends(tmp_path):
    """alpha is part of the state: a resumed run that began its fade anew would end elsewhere."""
    ends, run = [], {"rounds": 8, "batch_size": 4, "checkpoint_every": 3, "seed": 2}

    def stop(t: int, _: object) -> None:
        if t == 4:
            raise KeyboardInterrupt

    for stopped in (False, True):
        path = tmp_path / f"{stopped}.pt"
        model = small(average=0.5)
        model.grow_to(4, over=10)
        if stopped:
            with pytest.raises(KeyboardInterrupt):
                fit(model, X, checkpoint=path, callback=stop, **run)
            model = small(average=0.5)  # a new process
            model.grow_to(4, over=10)
        history = fit(model, X, checkpoint=path, **run)
        ends.append((model.alpha, history.losses, model.state_dict()))
    assert ends[0][0] == ends[1][0] == 0.8 and ends[0][1] == ends[1][1]
    states = [{k: v for k, v in end[2].items() if "extra" not in k} for end in ends]
    assert all(torch.equal(w, states[1][name]) for name, w in states[0].items())


def test_a_stored_model_comes_back_at_its_stage():
    model, other = small(), small()
    model.grow_to(4, over=4)
    model.moved()
    other.load_state_dict(model.state_dict())
    assert (other.side, other.alpha) == (4, 0.25)
    with seeded(1):
        x = model.sample(3)
    with seeded(1):
        assert torch.equal(other.sample(3), x)


# what it learns -------------------------------------------------------------------------------------------------------


def test_grown_stage_by_stage_it_learns_where_two_kinds_of_images_are_bright():
    """Images with one bright half, left or right, equally often: both are drawn. Grey images would be 0.4 away from either."""
    is_left, left = torch.rand(400, 1, 1, 1) < 0.5, (torch.arange(8) < 4).float().expand(1, 8, 8)
    kinds = [0.1 + 0.8 * (1 - left), 0.1 + 0.8 * left]
    with seeded(0):
        model = ProgressiveGAN(8, start=2, latent=4, base=64, cap=16, average=0.9, rows=32, steps=3)
    rates, adam = {"critic": 3e-3, "generator": 2e-3}, partial(Adam, betas=(0.0, 0.99))
    for stage, over in ((2, 0), (4, 30), (8, 30)):
        model.grow_to(stage, over=over)
        fit(model, torch.where(is_left, kinds[1], kinds[0]), rounds=60, batch_size=32, lr=rates, optimizer=adam)
    with seeded(1):
        x = model.sample(400)
    found = (x[..., :4].mean((1, 2, 3)) > x[..., 4:].mean((1, 2, 3))).long()
    assert 0.3 < found.double().mean() < 0.7
    away = [(x[found == k] - kinds[k]).abs().mean().item() for k in (0, 1)]
    assert max(away) < 0.25, away


# limits ---------------------------------------------------------------------------------------------------------------


def test_without_growing_it_is_the_full_network_from_the_start():
    model = small()
    assert model.side == 8 and model.alpha == 1 and model.sides == [2, 4, 8]
    grown = small()
    grown.grow_to(2), grown.grow_to(8, over=2)
    grown.moved(), grown.moved()
    drawn, losses = [], []
    for other in (model, grown):
        with seeded(4):
            drawn.append(other.sample(3))
            losses.append(other.critic_loss(X))
    assert torch.equal(*drawn) and torch.equal(*losses)


def test_without_penalty_and_drift_it_is_the_difference_of_two_means():
    model = small(penalty=0.0, drift=0.0)
    model.critic = Linear(1.0)
    with seeded(5):
        loss = model.critic_loss(X)
    with seeded(5):
        fake = model.generate(12)
    torch.testing.assert_close(loss, fake.flatten(1).sum(1).mean() - X.flatten(1).sum(1).mean())


def test_the_penalty_is_the_one_of_the_room():
    model = small(drift=0.0, penalty=1.0)
    with seeded(5):
        loss = model.critic_loss(X)
    with seeded(5):
        fake = model.generate(12).detach()
        penalty = gradient_penalty(model.score, X, fake)
    torch.testing.assert_close(loss, model.score(fake).mean() - model.score(X).mean() + penalty)


def test_sides_are_doubled_as_often_as_needed_or_not_at_all():
    assert ProgressiveGAN(16, start=2, base=8, cap=2).sides == [2, 4, 8, 16]
    alone = ProgressiveGAN(4, start=4, base=8, cap=2)
    assert alone.sides == [4] and alone.sample(2).shape == (2, 1, 4, 4)


def test_one_row_is_enough():
    model = small(rows=1)
    loss = model.critic_loss(X[:1]) + model.generator_loss()
    loss.backward()
    assert torch.isfinite(loss) and all(torch.isfinite(w.grad).all() for w in model.parameters() if w.grad is not None)
    assert model.sample(1).shape == (1, 1, 8, 8)


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"start": 3}, "start .2 or more. doubled, got 8 from 3"),
        ({"start": 16}, "got 8 from 16"),
        ({"start": 1}, "got 8 from 1"),
        ({"rows": 0}, "rows must be at least 1"),
        ({"cap": 0}, "cap, steps and rows must be at least 1"),
        ({"penalty": -1.0}, "penalty and drift must be at least 0"),
        ({"drift": -1.0}, "penalty and drift must be at least 0"),
        ({"average": 1.0}, "between 0 and 1"),
    ],
)
def test_bad_options_say_what_must_hold(options, words):
    with pytest.raises(ValueError, match=words):
        small(**options)


@pytest.mark.parametrize(
    ("side", "over", "words"),
    [(3, 0, r"one of \[2, 4, 8\], got 3"), (4, -1, "over must be at least 0"), (2, 5, "smallest side 2")],
)
def test_bad_stages_say_what_must_hold(side, over, words):
    with pytest.raises(ValueError, match=words):
        small().grow_to(side, over=over)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (X[:, :, :4, :4], r"x must be \[batch, 1, 8, 8\] with batch >= 1, got \[12, 1, 4, 4\]"),
        (X[:0], "batch >= 1"),
        (X - 1, r"x must be in \[0, 1\]"),
    ],
)
def test_bad_data_say_what_must_hold(x, words):
    with pytest.raises(ValueError, match=words):
        small().critic_loss(x)
