"""DCGAN: which rows share a batch, what a sample depends on, and the plain GAN as the limit."""

import math
from functools import partial

import pytest
import torch
from torch import nn

from genedu.adversarial import DCGAN, GAN
from genedu.core import seeded
from genedu.data import digits
from genedu.fit import Adam, fit
from genedu.metrics import frechet_distance
from genedu.nn import mlp

X = torch.rand(12, 1, 8, 8)


def small(**options) -> DCGAN:
    with seeded(3):
        return DCGAN(4, width=4, **options)


class Records(nn.Module):
    """A discriminator that keeps what it was shown, and says how far the mean of a row lies from its batch's, in deviations."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.seen = nn.BatchNorm1d(1, eps=1e-30, affine=False), []

    def forward(self, x):
        self.seen.append(x)
        return self.norm(x.flatten(1).mean(1, keepdim=True))


# oracles --------------------------------------------------------------------------------------------------------------


def test_data_and_samples_are_two_batches_and_the_generator_moves_on_one_of_samples():
    model = DCGAN(4, width=4, rows=5, discriminator=Records())
    model.discriminator_loss(X)
    real, fake = model.discriminator.seen
    assert torch.equal(real, X) and fake.shape == X.shape and not torch.equal(fake, X)
    model.generator_loss()
    assert model.discriminator.seen[2].shape == (5, 1, 8, 8)


def test_in_a_mixed_batch_the_statistics_tell_data_from_samples():
    """Rows of brightness .8 and .2 with a hair of noise: alone each batch looks standard, mixed they lie at +1 and -1."""
    bright, dark = 0.8 + 0.001 * torch.randn(500, 1, 8, 8), 0.2 + 0.001 * torch.randn(500, 1, 8, 8)

    class Dark(nn.Module):
        def forward(self, z):
            return dark

    losses = {}
    for mixed in (False, True):
        model = DCGAN(4, generator=Dark(), discriminator=Records(), mixed=mixed)
        losses[mixed] = model.discriminator_loss(bright).item()
        assert [len(x) for x in model.discriminator.seen] == ([1000] if mixed else [500, 500])
    assert losses[True] == pytest.approx(2 * math.log1p(math.exp(-1)), abs=1e-4)  # logits +1 and -1
    u = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    guess = torch.trapezoid(nn.functional.softplus(u) * torch.exp(-(u**2) / 2), u) / math.sqrt(2 * math.pi)
    assert losses[False] == pytest.approx(2 * guess.item(), abs=0.05)  # logits N(0, 1), whatever the brightness


def test_a_sample_depends_on_running_statistics_and_changes_none():
    model = small(average=0.5)
    fit(model, X, rounds=5, batch_size=4)
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with seeded(1):
        x = model.sample(3)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert model.generator.training and model.averaged.training
    with seeded(1), torch.no_grad():
        z = model.prior().sample((3,))
        rows = [model.averaged.eval()(z[i : i + 1])[0] for i in range(3)]
    torch.testing.assert_close(x, torch.stack(rows))


def test_the_average_has_running_statistics_too():
    model = small(average=0.5)
    fit(model, X, rounds=1, batch_size=4)
    first = {name: value.clone() for name, value in model.generator.named_buffers()}
    fit(model, X, rounds=1, batch_size=4, lr=1e-12)
    for name, value in model.generator.named_buffers():
        if value.is_floating_point():
            average = dict(model.averaged.module.named_buffers())[name]
            torch.testing.assert_close(average, (first[name] + value) / 2)  # eq. (1) of averaging.py with decay 1/2


def test_the_arguments_reach_the_networks():
    model = DCGAN(7, shape=(3, 16, 16), width=5, norm="none", slope=0.0, init=0.3, resize="pool")
    kinds = [type(m) for m in model.modules()]
    assert nn.BatchNorm2d not in kinds and nn.ConvTranspose2d not in kinds and kinds.count(nn.AvgPool2d) == 3
    assert model.generator[0][0].weight.std().item() == pytest.approx(0.3, rel=0.2)
    assert all(m.negative_slope == 0 for m in model.modules() if isinstance(m, nn.LeakyReLU))
    assert model.sample(2).shape == (2, 3, 16, 16) and model.discriminator[0][0].weight.shape[0] == 5


@pytest.mark.slow
def test_digits_are_nearer_to_data_than_a_blurred_mean_and_not_nearer_than_data():
    data, adam = digits("unit"), partial(Adam, betas=(0.5, 0.99))
    floor = frechet_distance(data.train[:450].flatten(1), data.test.flatten(1))
    mean = data.train.mean(0).expand(450, 1, 8, 8) + 1e-3 * torch.randn(450, 1, 8, 8)
    blank = frechet_distance(mean.flatten(1), data.test.flatten(1))
    for seed in range(3):
        with seeded(seed):
            model = DCGAN(16, width=16, rows=32, average=0.95, init=None)
        fit(model, data.train, rounds=90, batch_size=32, lr=4e-3, optimizer=adam, schedule=lambda t: 1 - t, seed=seed)
        with seeded(9):
            found = frechet_distance(model.sample(450).flatten(1), data.test.flatten(1))
        assert floor < found < 0.8 * blank, (floor, found, blank)


# limits ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["saturating", "non_saturating"])
def test_with_dense_networks_it_is_the_plain_gan(loss):
    def networks():
        generator = nn.Sequential(mlp(4, 8, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8)))
        return generator, nn.Sequential(nn.Flatten(), mlp(64, 8, 1))

    runs = []
    for build in (
        lambda g, d: DCGAN(4, generator=g, discriminator=d, rows=6, average=0.9, loss=loss),
        lambda g, d: GAN(g, d, latent=4, shape=(1, 8, 8), rows=6, average=0.9, loss=loss),
    ):
        with seeded(5):
            model = build(*networks())
        history = fit(model, X, rounds=4, batch_size=6, seed=2)
        with seeded(7):
            runs.append((history.losses, model.sample(3)))
    assert runs[0][0] == runs[1][0]
    torch.testing.assert_close(runs[0][1], runs[1][1])


def test_without_batch_norm_it_makes_no_difference_whether_the_batch_is_mixed():
    losses = []
    for mixed in (False, True):
        model = small(norm="none", mixed=mixed)
        with seeded(4):
            losses.append(model.discriminator_loss(X).item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


def test_one_row_is_enough():
    model = small(rows=1)
    assert torch.isfinite(model.discriminator_loss(X[:1])) and torch.isfinite(model.generator_loss())
    assert model.sample(1).shape == (1, 1, 8, 8)


def test_no_gradient_comes_with_a_sample_or_reaches_the_generator_from_the_discriminators_loss():
    model = small()
    assert not model.sample(3).requires_grad
    model.discriminator_loss(X).backward()
    assert all(w.grad is None for w in model.generator.parameters())
    assert any(w.grad.abs().sum() > 0 for w in model.discriminator.parameters())


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"loss": "hinge"}, "'saturating' or 'non_saturating', got 'hinge'"),
        ({"rows": 0}, "latent and rows must be at least 1"),
        ({"norm": "all"}, "norm must be one of"),
        ({"shape": (1, 8, 7)}, "side of 4, 8, 16"),
        ({"average": 1.0}, "between 0 and 1"),
    ],
)
def test_bad_options_say_what_must_hold(options, words):
    with pytest.raises(ValueError, match=words):
        DCGAN(4, **options)
    with pytest.raises(ValueError, match="latent and rows"):
        DCGAN(0)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (X[:, 0], r"x must be \[batch, 1, 8, 8\] with batch >= 1, got \[12, 8, 8\]"),
        (X[:0], "batch >= 1"),
        (2 * X, r"x must be in \[0, 1\]; got"),
        (X * math.nan, r"x must be in \[0, 1\]; got nan"),
    ],
)
def test_bad_data_say_what_must_hold(x, words):
    with pytest.raises(ValueError, match=words):
        small().discriminator_loss(x)


def test_networks_of_a_wrong_shape_are_named():
    with pytest.raises(ValueError, match=r"generator must return .* got \[2, 3\]"):
        DCGAN(4, generator=nn.Linear(4, 3)).generate(2)
    with pytest.raises(ValueError, match="one logit for each of 12 rows"):
        DCGAN(4, discriminator=nn.Sequential(nn.Flatten(), nn.Linear(64, 2))).discriminator_loss(X)
