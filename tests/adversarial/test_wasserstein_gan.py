"""The Wasserstein GAN: penalised critics whose best value is known in closed form, against scipy's distance."""

import math
from functools import partial

import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import nn

from genedu.adversarial import WassersteinGAN, gradient_penalty
from genedu.core import seeded
from genedu.fit import Adam, fit

X = torch.randn(64, 2)


def small(**options) -> WassersteinGAN:
    with seeded(3):
        return WassersteinGAN(hidden=16, **options)


class Point(nn.Module):
    """All samples lie at one place, [D], which is learnt."""

    def __init__(self, place: list[float]) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.tensor(place, dtype=torch.float64))

    def forward(self, z):
        return self.place.expand(len(z), -1)


class Cloud(nn.Module):
    """Noise of a fixed size around a place, [2], which is learnt."""

    def __init__(self, size: float) -> None:
        super().__init__()
        self.size, self.centre = size, nn.Parameter(torch.zeros(2))

    def forward(self, z):
        return self.centre + self.size * z


class Bent(nn.Module):
    """A function of one variable on [0, high] that is linear between evenly spaced knots: slopes [K], any."""

    def __init__(self, high: float, knots: int) -> None:
        super().__init__()
        self.step = high / knots
        self.slopes = nn.Parameter(torch.zeros(knots, dtype=torch.float64))

    def forward(self, x):
        x = x[:, 0]  # [B]
        k = (x / self.step).long().clamp(0, len(self.slopes) - 1)  # [B]
        below = self.step * (self.slopes.cumsum(0) - self.slopes)  # [K]
        return below[k] + self.slopes[k] * (x - k * self.step)  # [B]


class Even(nn.Module):
    """N(0, 1) to U(0, 2)."""

    def forward(self, z):
        return 2 * torch.special.ndtr(z)


def best(model: WassersteinGAN, x: torch.Tensor) -> float:
    """-min (2) over the critic, for fixed draws."""
    optimizer = torch.optim.LBFGS(model.critic.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        with seeded(2):
            loss = model.critic_loss(x)
        loss.backward()
        return loss

    optimizer.step(closure)
    return -closure().item()


# oracles --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gap", "penalty"), [(1.5, 10.0), (1.5, 0.5), (-3.0, 2.0)])
def test_two_points_have_a_best_critic_and_a_value_that_are_too_steep_and_too_large(gap, penalty):
    """Slope 1 + d / (2 lambda) towards the data, value d + d^2 / (4 lambda): eq. (4) with F_g - F_data = 1, m = 1 / d."""
    model = WassersteinGAN(Point([0.7]), nn.Linear(1, 1, bias=False), latent=1, shape=(1,), penalty=penalty).double()
    nn.init.constant_(model.critic.weight, math.copysign(0.5, gap))
    d = abs(gap)
    assert best(model, torch.full((5, 1), 0.7 + gap, dtype=torch.float64)) == pytest.approx(d + d**2 / (4 * penalty), abs=1e-9)
    assert model.critic.weight.item() == pytest.approx(math.copysign(1 + d / (2 * penalty), gap), abs=1e-6)


@pytest.mark.parametrize("penalty", [10.0, 0.5])
def test_the_best_value_in_one_dimension_is_the_distance_and_a_known_surplus(penalty):
    """Data U(.8, 1.6) and samples U(0, 2), whose distribution functions cross: (4) by quadrature, W1 by scipy."""
    with seeded(1):
        x = 0.8 + 0.8 * torch.rand(20_000, 1, dtype=torch.float64)
    model = WassersteinGAN(Even(), Bent(2.0, 30), latent=1, shape=(1,), penalty=penalty).double()
    with torch.no_grad():
        model.critic.slopes[:20], model.critic.slopes[20:] = 1.0, -1.0  # the side on which |f'| begins
    found = best(model, x)
    with seeded(2):
        exact = wasserstein_distance(x[:, 0], model.sample(20_000)[:, 0])

    u = torch.linspace(0.001, 1.999, 2000, dtype=torch.float64)
    t = (torch.arange(2000).double()[:, None] + 0.5) / 2000
    fake, data = (lambda v: (v / 2).clamp(0, 1)), (lambda v: ((v - 0.8) / 0.8).clamp(0, 1))
    m = ((fake((u - 0.8 * t) / (1 - t)) - fake((u - 1.6 * t) / (1 - t))) / (0.8 * t)).mean(0)  # of t data + (1 - t) fake
    gap = fake(u) - data(u)
    distance, surplus = torch.trapezoid(gap.abs(), u).item(), torch.trapezoid(gap**2 / m, u).item() / (4 * penalty)
    error = 5 * (0.58 + 0.23) / math.sqrt(20_000)  # five standard errors of both means
    assert exact == pytest.approx(distance, abs=error)
    assert found == pytest.approx(distance + surplus, abs=error)
    assert found > exact, "a penalty is no bound"


def test_the_losses_are_eq_2_and_eq_3():
    model = small(rows=64)
    with seeded(4):
        got = model.critic_loss(X)
    with seeded(4):
        fake = model.generator(torch.randn(64, 8))
        penalty = gradient_penalty(model.critic, X, fake)
    torch.testing.assert_close(got, model.critic(fake).mean() - model.critic(X).mean() + 10 * penalty)
    with seeded(4):
        torch.testing.assert_close(model.generator_loss(), -model.critic(fake).mean())


def test_a_linear_critic_pays_for_its_slope_exactly_and_the_generator_follows_it():
    """f(x) = w.x: the penalty is lambda (|w| - 1)^2, and the generator's place moves along w, where data are."""
    w = torch.tensor([[0.6, -2.0]], dtype=torch.float64)
    model = WassersteinGAN(Point([0.0, 0.0]), nn.Linear(2, 1, bias=False).double(), latent=1, shape=(2,), penalty=3.0).double()
    model.critic.weight.data = w
    loss = model.critic_loss(X)
    torch.testing.assert_close(loss, -(X.double() @ w[0]).mean() + 3 * (w.norm() - 1) ** 2)
    loss.backward()
    expected = -X.double().mean(0) + 6 * (w[0].norm() - 1) * w[0] / w[0].norm()
    torch.testing.assert_close(model.critic.weight.grad[0], expected)
    model.generator_loss().backward()
    torch.testing.assert_close(model.generator.place.grad, -w[0])


def test_each_player_moves_its_own_weights_only():
    model = small()
    before = {name: w.clone() for name, w in model.named_parameters()}
    for mover in model.players():
        history = fit(model, X, rounds=1, players=[mover])
        assert len(history.losses[mover.name]) == (5 if mover.name == "critic" else 1)
        for name, w in model.named_parameters():
            assert (not torch.equal(w, before[name])) == name.startswith(mover.name), (mover.name, name)
            before[name] = w.clone()


def test_samples_come_from_the_average_where_there_is_one():
    model = small(average=0.5)
    seen = []
    keep = lambda *_: seen.append([w.detach().clone() for w in model.generator.parameters()])  # noqa: E731
    fit(model, X, rounds=2, callback=keep)
    for w, a, b in zip(model.averaged.module.parameters(), *seen, strict=True):
        torch.testing.assert_close(w, 0.5 * a + 0.5 * b)
    with seeded(5):
        x = model.sample(6)
    with seeded(5):
        torch.testing.assert_close(x, model.averaged.module(torch.randn(6, 8)))
    assert not torch.allclose(x, model.generate(6))


@pytest.mark.slow
def test_samples_are_carried_to_the_data():
    """Three seeds: laws of one form that lie 3 apart, which a discriminator tells at once; W1 falls to a tenth."""
    with seeded(8):
        x = torch.tensor([3.0, 0.0]) + 0.1 * torch.randn(2000, 2)
    for seed in range(3):
        with seeded(seed):
            model = WassersteinGAN(Cloud(0.1), shape=(2,), latent=2, hidden=32, average=0.9, steps=3)
        adam = partial(Adam, betas=(0.5, 0.9))
        history = fit(model, x, rounds=300, lr=0.03, optimizer=adam, schedule=lambda t: 1 - t, seed=seed)
        assert (model.averaged.module.centre - torch.tensor([3.0, 0.0])).norm() < 0.3
        critic = torch.tensor(history.losses["critic"])
        assert -critic.min() > 2.4 and -critic[-60:].mean() < 0.3, "what the critic reports falls with the distance"


# limits ---------------------------------------------------------------------------------------------------------------


def test_without_a_penalty_a_steeper_critic_is_always_better():
    model = small(penalty=0.0)
    with seeded(4):
        loss = model.critic_loss(X)
    with torch.no_grad():
        model.critic[-1].weight.mul_(1024)
    with seeded(4):
        torch.testing.assert_close(model.critic_loss(X), 1024 * loss)


def test_where_samples_are_data_only_the_penalty_is_left():
    """p_g = p_data at one point and a flat critic: lambda; with slope 1: nothing."""
    model = WassersteinGAN(Point([2.0]), nn.Linear(1, 1).double(), latent=1, shape=(1,), penalty=4.0).double()
    x = torch.full((3, 1), 2.0).double()
    for slope, loss in ((0.0, 4.0), (1.0, 0.0), (-1.0, 0.0), (3.0, 16.0)):
        nn.init.constant_(model.critic.weight, slope)
        assert model.critic_loss(x).item() == pytest.approx(loss, abs=1e-12)


def test_images_are_in_0_1_and_one_row_is_enough():
    model = WassersteinGAN(shape=(1, 8, 8), hidden=16)
    x = model.sample(1)
    assert x.shape == (1, 1, 8, 8) and (x > 0).all() and (x < 1).all()
    assert torch.isfinite(model.critic_loss(x))


def test_the_default_networks_have_three_hidden_layers_and_the_critic_no_constant_at_its_end():
    model = small()
    widths = [[w.shape[0] for w in net.parameters() if w.dim() == 2] for net in (model.generator, model.critic)]
    assert widths == [[16, 16, 16, 2], [16, 16, 16, 1]] and model.critic[-1].bias is None
    assert [m.negative_slope for m in model.critic.modules() if isinstance(m, nn.LeakyReLU)] == 3 * [0.2]


def test_a_sample_carries_no_gradient_and_the_generators_move_takes_no_data():
    model = small()
    assert not model.sample(3).requires_grad
    assert [player.uses_data for player in model.players()] == [True, False]


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"latent": 0}, "latent, steps and rows must be at least 1"),
        ({"steps": 0}, "latent, steps and rows must be at least 1"),
        ({"rows": 0}, "latent, steps and rows must be at least 1"),
        ({"penalty": -1.0}, "penalty must be at least 0"),
        ({"penalty": math.inf}, "finite"),
        ({"average": 1.0}, "between 0 and 1"),
    ],
)
def test_bad_options_say_what_must_hold(options, words):
    with pytest.raises(ValueError, match=words):
        WassersteinGAN(**options)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(3, 1), r"x must be \[batch, 2\] with batch >= 1, got \[3, 1\]"),
        (torch.zeros(0, 2), "batch >= 1"),
        (torch.tensor([[0.0, math.nan]]), "finite"),
    ],
)
def test_bad_data_say_what_must_hold(x, words):
    with pytest.raises(ValueError, match=words):
        small().critic_loss(x)


def test_networks_of_a_wrong_shape_are_named():
    with pytest.raises(ValueError, match=r"generator must return .* = \[2, 2\], got \[2, 3\]"):
        WassersteinGAN(nn.Linear(8, 3)).generate(2)
    with pytest.raises(ValueError, match="critic must return one number for each of 64 rows"):
        WassersteinGAN(critic=nn.Linear(2, 2)).critic_loss(X)
