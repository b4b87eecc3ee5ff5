"""GAN: the best discriminator and its value, who moves whom, and Algorithm 1 written by hand."""

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import logsigmoid

from genedu.adversarial import GAN, r1_penalty
from genedu.core import seeded
from genedu.data import ring
from genedu.fit import Adam, fit
from genedu.metrics import mode_coverage

X = torch.randn(64, 2)


def small(**options) -> GAN:
    with seeded(3):
        return GAN(hidden=16, **options)


# oracles --------------------------------------------------------------------------------------------------------------


def test_a_logistic_discriminator_of_two_gaussians_converges_to_the_log_ratio():
    """Data N(0, 1), samples N(m, 1): log p/q = m^2/2 - m x; the loss there is 2 log 2 - 2 JSD."""
    m = 1.5
    shift = nn.Linear(1, 1).double()
    nn.init.ones_(shift.weight), nn.init.constant_(shift.bias, m)
    model = GAN(shift, nn.Linear(1, 1), latent=1, shape=(1,)).double()
    with seeded(1):
        x = torch.randn(200_000, 1, dtype=torch.float64)
    optimizer = torch.optim.LBFGS(model.discriminator.parameters(), max_iter=50, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        with seeded(2):
            loss = model.discriminator_loss(x)
        loss.backward()
        return loss

    optimizer.step(closure)
    w, b = model.discriminator.weight.item(), model.discriminator.bias.item()
    assert abs(w + m) < 0.02 and abs(b - m**2 / 2) < 0.02
    grid = torch.linspace(-12, 14, 20_001, dtype=torch.float64)
    p, q = (torch.distributions.Normal(c, 1.0).log_prob(grid) for c in (torch.tensor(0.0).double(), torch.tensor(m).double()))
    mix = torch.logaddexp(p, q) - math.log(2)
    jsd = torch.trapezoid(p.exp() * (p - mix) + q.exp() * (q - mix), grid) / 2
    assert abs(closure().item() - (2 * math.log(2) - 2 * jsd.item())) < 0.005  # eq. (3)


def test_the_losses_are_those_of_algorithm_1():
    model = small(loss="saturating", r1=0.3, rows=64)
    with seeded(4):
        got = model.discriminator_loss(X)
    with seeded(4):
        z = torch.randn(64, 8)
    d = lambda x: model.discriminator(x)[:, 0]  # noqa: E731
    fake = model.generator(z)
    value = (logsigmoid(d(X)) + logsigmoid(-d(fake))).mean()
    torch.testing.assert_close(got, -value + 0.3 / 2 * r1_penalty(d, X))
    for how, expected in (("saturating", logsigmoid(-d(fake)).mean()), ("non_saturating", -logsigmoid(d(fake)).mean())):
        model.how = how
        with seeded(4):
            torch.testing.assert_close(model.generator_loss(), expected)


def test_algorithm_1_by_hand_gives_the_same_weights():
    """k steps for the discriminator on one stream of minibatches, one for the generator on noise alone; momentum."""
    k, m, rounds = 2, 16, 7
    model, other = small(steps=k, rows=m), small(steps=k, rows=m)
    sgd = partial(torch.optim.SGD, momentum=0.5)
    history = fit(model, X, rounds=rounds, batch_size=m, lr=0.05, optimizer=sgd, seed=9)
    assert len(history.losses["discriminator"]) == k * rounds and len(history.losses["generator"]) == rounds
    with seeded(9):
        momentum = {w: torch.zeros_like(w) for w in other.parameters()}

        def descend(loss, weights):
            for w, g in zip(weights, torch.autograd.grad(loss, weights), strict=True):
                momentum[w].mul_(0.5).add_(g)
                with torch.no_grad():
                    w.sub_(0.05 * momentum[w])

        d, g = list(other.discriminator.parameters()), list(other.generator.parameters())
        rows = []
        for _ in range(rounds):
            for _ in range(k):
                if not rows:
                    rows = list(torch.randperm(64).split(m))
                x = X[rows.pop(0)]
                fake = other.generator(torch.randn(m, 8)).detach()
                descend(-(logsigmoid(other.discriminator(x)) + logsigmoid(-other.discriminator(fake))).mean(), d)
            descend(-logsigmoid(other.discriminator(other.generator(torch.randn(m, 8)))).mean(), g)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_each_player_moves_its_own_weights_only():
    model = small()
    before = {name: w.clone() for name, w in model.named_parameters()}
    for mover in model.players():
        fit(model, X, rounds=1, players=[mover])
        for name, w in model.named_parameters():
            assert (not torch.equal(w, before[name])) == name.startswith(mover.name), (mover.name, name)
            before[name] = w.clone()


def test_the_discriminators_loss_leaves_nothing_in_the_generator():
    model = small(r1=0.1)
    model.discriminator_loss(X).backward()
    assert all(w.grad is None for w in model.generator.parameters())
    assert all(w.grad.abs().sum() > 0 for w in model.discriminator.parameters())


def test_samples_come_from_the_average_where_there_is_one():
    model = small(average=0.5)
    seen = []
    keep = lambda *_: seen.append([w.detach().clone() for w in model.generator.parameters()])  # noqa: E731
    fit(model, X, rounds=3, callback=keep)
    expected = [0.5 * (0.5 * a + 0.5 * b) + 0.5 * c for a, b, c in zip(*seen, strict=True)]
    for w, e in zip(model.averaged.module.parameters(), expected, strict=True):
        torch.testing.assert_close(w, e)
    with seeded(5):
        x = model.sample(6)
    with seeded(5):
        z = torch.randn(6, 8)
    torch.testing.assert_close(x, model.averaged.module(z))
    assert not torch.allclose(x, model.generator(z))


@pytest.mark.slow
def test_on_a_ring_it_ends_between_an_untrained_cloud_and_a_perfect_sampler():
    """Three seeds: all modes, nearly evenly, most samples on them, and no more than a perfect sampler puts there."""
    data, adam = ring(sigma=0.05), partial(Adam, betas=(0.5, 0.99))
    for seed in range(3):
        with seeded(seed):
            model = GAN(hidden=64, latent=4, r1=0.1, average=0.99)
            untrained = mode_coverage(model.sample(2000), data.modes, sigma=data.sigma)
        fit(model, data.train, rounds=1000, lr=2e-3, optimizer=adam, schedule=lambda t: 1 - t, seed=seed)
        with seeded(seed):
            found = mode_coverage(model.sample(2000), data.modes, sigma=data.sigma)
        assert untrained.high_quality < 0.1  # found: 0
        assert found.modes == 8 and found.reverse_kl < 0.08  # found: 0.011 to 0.017
        assert 0.6 < found.high_quality < 1 - math.exp(-4.5) + 5 * 0.0023  # found: 0.71 to 0.75; sd of a share of 2000


# limits ---------------------------------------------------------------------------------------------------------------


def test_where_samples_are_data_the_best_that_both_can_do_is_known():
    """p_g = p_data and a D that says 1/2: 2 log 2, log 2, and -log 2 for the saturating loss."""
    model = GAN(nn.Identity(), nn.Linear(2, 1), latent=2)
    nn.init.zeros_(model.discriminator.weight), nn.init.zeros_(model.discriminator.bias)
    loss = model.discriminator_loss(X)
    assert loss.item() == pytest.approx(2 * math.log(2))
    loss.backward()
    assert model.discriminator.bias.grad.abs().item() < 1e-7  # a table of one cell is at its optimum
    assert model.generator_loss().item() == pytest.approx(math.log(2))
    model.how = "saturating"
    assert model.generator_loss().item() == pytest.approx(-math.log(2))


def test_no_penalty_and_no_average_are_the_plain_game():
    plain, with_r1 = small(), small(r1=1e-12)
    for model in (plain, with_r1):
        fit(model, X, rounds=3, seed=1)
    for a, b in zip(plain.parameters(), with_r1.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    assert plain.averaged is None


def test_images_are_in_0_1_and_one_row_is_enough():
    model = GAN(shape=(1, 8, 8), hidden=16)
    x = model.sample(1)
    assert x.shape == (1, 1, 8, 8) and (x > 0).all() and (x < 1).all()
    assert torch.isfinite(model.discriminator_loss(x))


def test_the_default_networks_have_three_hidden_layers_of_the_asked_width():
    model = small()
    widths = [[w.shape[0] for w in net.parameters() if w.dim() == 2] for net in (model.generator, model.discriminator)]
    assert widths == [[16, 16, 16, 2], [16, 16, 16, 1]]


@pytest.mark.parametrize("edge", [0.0, 1.0])
def test_black_and_white_are_in_0_to_1_and_what_lies_beyond_is_not(edge):
    model, x = GAN(shape=(1, 4, 4), hidden=16), torch.full((2, 1, 4, 4), edge)
    assert torch.isfinite(model.discriminator_loss(x))
    with pytest.raises(ValueError, match=r"x must be in \[0, 1\]"):
        model.discriminator_loss(x + 1e-3 * (2 * edge - 1))


def test_a_sample_carries_no_gradient():
    assert not small().sample(3).requires_grad


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"loss": "hinge"}, "'saturating' or 'non_saturating', got 'hinge'"),
        ({"latent": 0}, "latent, steps and rows must be at least 1"),
        ({"steps": 0}, "latent, steps and rows must be at least 1"),
        ({"rows": 0}, "latent, steps and rows must be at least 1"),
        ({"r1": -1.0}, "r1 must be at least 0"),
        ({"r1": math.inf}, "finite"),
        ({"average": 1.0}, "between 0 and 1"),
    ],
)
def test_bad_options_say_what_must_hold(options, words):
    with pytest.raises(ValueError, match=words):
        GAN(**options)


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
        small().discriminator_loss(x)


def test_images_must_be_in_0_to_1_and_vectors_need_not():
    x = torch.randint(17, (4, 1, 4, 4))
    with pytest.raises(ValueError, match=r"x must be in \[0, 1\]; got"):
        GAN(shape=(1, 4, 4)).discriminator_loss(x)
    assert GAN(shape=(16,)).discriminator_loss(x.flatten(1)).isfinite()


def test_an_empty_network_is_a_network():
    """`nn.Sequential()` has length 0, and must not be taken for none."""
    model = GAN(nn.Sequential(), latent=2)
    assert not list(model.generator.parameters()) and model.generate(3).shape == (3, 2)


def test_networks_of_a_wrong_shape_are_named():
    with pytest.raises(ValueError, match=r"generator must return .* = \[2, 2\], got \[2, 3\]"):
        GAN(nn.Linear(8, 3)).generate(2)
    with pytest.raises(ValueError, match="one logit for each of 64 rows"):
        GAN(discriminator=nn.Linear(2, 2)).discriminator_loss(X)
