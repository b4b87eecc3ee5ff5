"""PackedGAN: the best discriminator of packs, what packs see that single rows do not, and the GAN at one row a pack."""

import math
from itertools import product

import pytest
import torch
from torch import nn
from torch.nn.functional import logsigmoid

from genedu.adversarial import GAN, PackedGAN
from genedu.core import seeded
from genedu.fit import fit

X = torch.randn(64, 2)


def small(cls=PackedGAN, **options):
    with seeded(3):
        return cls(hidden=16, **options)


class Emits(nn.Module):
    """A generator that ignores its noise and emits given rows, again and again."""

    def __init__(self, rows: torch.Tensor) -> None:
        super().__init__()
        self.rows = rows

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.rows[torch.arange(len(z)) % len(self.rows)]


class Table(nn.Module):
    """A logit for each pack of bits: [B, m] -> [B]."""

    def __init__(self, m: int) -> None:
        super().__init__()
        self.logits, self.place = nn.Parameter(torch.zeros(2**m).double()), 2 ** torch.arange(m)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits[(x.long() * self.place).sum(1)]


def every_pack(ones: int, of: int, m: int) -> torch.Tensor:
    """Rows of a bit, `ones` times in `of` 1, such that each of the of^m packs comes once: [m of^m, 1]."""
    bits = [1.0] * ones + [0.0] * (of - ones)
    return torch.tensor(list(product(bits, repeat=m))).double().view(-1, 1)


def js(p: torch.Tensor, q: torch.Tensor) -> float:
    return (torch.xlogy(p, 2 * p / (p + q)) + torch.xlogy(q, 2 * q / (p + q))).sum().item() / 2


def power(p: torch.Tensor, m: int) -> torch.Tensor:
    """p^m of a table: [K] -> [K^m]."""
    return p if m == 1 else (power(p, m - 1)[:, None] * p).flatten()


# oracles --------------------------------------------------------------------------------------------------------------


def test_the_best_discriminator_of_packs_of_two_points_by_enumeration():
    """Data 1 with 3/4, samples with 1/4: the best logit is the sum over the pack, its value -log 4 + 2 JSD(p^m, q^m)."""
    value = {}
    for m in (1, 2, 3):
        model = PackedGAN(Emits(every_pack(1, 4, m)), Table(m), pack=m, rows=m, shape=(1,), latent=1).double()
        x = every_pack(3, 4, m)
        ones = torch.tensor([bin(i).count("1") for i in range(2**m)])
        best = (2 * ones - m).double() * math.log(3.0)  # each 1 says log 3 for data, each 0 log 3 against
        model.discriminator.logits.data = best
        loss = model.discriminator_loss(x)
        loss.backward()
        assert model.discriminator.logits.grad.abs().max() < 1e-12
        value[m] = -loss.item()
        p, q = (power(torch.tensor([1 - a, a]).double(), m) for a in (0.75, 0.25))
        assert value[m] == pytest.approx(-math.log(4) + 2 * js(p, q), abs=1e-12)  # eq. (2)
    assert value[3] > value[2] + 0.05 > value[1] + 0.1


def test_of_two_equally_wrong_laws_packs_tell_the_one_that_leaves_something_out():
    """Ten equally likely cells; one sampler leaves out two of them, one is a little wrong at all. Single rows: TV 1/5 each."""
    p = torch.full((10,), 0.1).double()
    collapsed = torch.tensor([0.0] * 2 + [0.125] * 8).double()
    tilted = torch.tensor([0.06] * 5 + [0.14] * 5).double()
    distance = {m: [(power(p, m) - power(q, m)).abs().sum().item() / 2 for q in (collapsed, tilted)] for m in (1, 2, 3, 4)}
    assert distance[1] == pytest.approx([0.2, 0.2])
    assert distance[2] == pytest.approx([1 - 0.8**2, 25 * (0.14**2 - 0.1**2)])
    assert all(distance[m][0] == pytest.approx(1 - 0.8**m) and distance[m][0] > distance[m][1] + 0.1 for m in (2, 3, 4))


def test_the_losses_are_those_of_packs():
    """Packs are neighbours: written out with slices; R1 is the squared slope in all rows of a pack."""
    model = small(pack=4, r1=0.3, rows=64)
    with seeded(4):
        got = model.discriminator_loss(X)
    with seeded(4):
        fake = model.generator(torch.randn(64, 8))
    side_by_side = lambda x: torch.cat([x[i::4] for i in range(4)], 1)  # noqa: E731
    d = lambda x: model.discriminator(x)[:, 0]  # noqa: E731
    real = side_by_side(X).requires_grad_()
    slope = torch.autograd.grad(d(real).sum(), real)[0].square().sum(1).mean()
    value = (logsigmoid(d(real)) + logsigmoid(-d(side_by_side(fake)))).mean()
    torch.testing.assert_close(got, -value + 0.15 * slope)
    for how, expected in (
        ("saturating", logsigmoid(-d(side_by_side(fake)))),
        ("non_saturating", -logsigmoid(d(side_by_side(fake)))),
    ):
        model.how = how
        with seeded(4):
            torch.testing.assert_close(model.generator_loss(), expected.mean())


def test_images_are_packed_along_their_channels():
    model = PackedGAN(pack=3, shape=(2, 4, 4), hidden=8, rows=3)
    x = torch.rand(6, 2, 4, 4)
    packed = model.packs(x)
    assert packed.shape == (2, 6, 4, 4) and torch.equal(packed[1, 2:4], x[4])
    assert model.discriminate(x).shape == (2,)
    assert torch.isfinite(model.discriminator_loss(x)) and 0 < model.sample(1).min() <= model.sample(1).max() < 1


def test_the_discriminators_loss_leaves_nothing_in_the_generator():
    model = small(r1=0.1)
    model.discriminator_loss(X).backward()
    assert all(w.grad is None for w in model.generator.parameters())
    assert all(w.grad.abs().sum() > 0 for w in model.discriminator.parameters())


def test_samples_come_from_the_average_where_there_is_one():
    model = small(average=0.9)
    fit(model, X, rounds=5)
    with seeded(5):
        x = model.sample(6)
    with seeded(5):
        z = torch.randn(6, 8)
    torch.testing.assert_close(x, model.averaged.module(z))
    assert not torch.allclose(x, model.generator(z))


# limits ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"r1": 0.1, "average": 0.5, "steps": 2, "loss": "saturating"}])
def test_one_row_a_pack_is_the_gan(options):
    plain, packed = small(GAN, **options), small(pack=1, **options)
    kept = [fit(model, X, rounds=4, batch_size=16, seed=1).losses for model in (plain, packed)]
    for name in kept[0]:
        assert kept[0][name] == pytest.approx(kept[1][name], abs=1e-6)
    for a, b in zip(plain.state_dict().values(), packed.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
    with seeded(2):
        x = plain.sample(5)
    with seeded(2):
        torch.testing.assert_close(packed.sample(5), x, rtol=0, atol=1e-6)


def test_where_samples_are_data_the_best_that_both_can_do_is_known():
    model = PackedGAN(nn.Identity(), nn.Linear(6, 1), latent=2, pack=3, rows=3)
    nn.init.zeros_(model.discriminator.weight), nn.init.zeros_(model.discriminator.bias)
    assert model.discriminator_loss(X[:63]).item() == pytest.approx(2 * math.log(2))
    assert model.generator_loss().item() == pytest.approx(math.log(2))


def test_a_sample_carries_no_gradient():
    assert not small().sample(3).requires_grad


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"loss": "hinge"}, "'saturating' or 'non_saturating', got 'hinge'"),
        ({"pack": 0}, "pack, latent, steps and rows must be at least 1"),
        ({"rows": 0}, "pack, latent, steps and rows must be at least 1"),
        ({"pack": 3}, "rows must be a multiple of pack, got 128 and 3"),
        ({"r1": -1.0}, "r1 must be at least 0"),
        ({"average": 1.0}, "between 0 and 1"),
    ],
)
def test_bad_options_say_what_must_hold(options, words):
    with pytest.raises(ValueError, match=words):
        PackedGAN(**options)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (X[:5], "rows must be a multiple of pack = 2, got 5"),
        (X[:, :1], r"x must be \[batch, 2\] with batch >= 1, got \[64, 1\]"),
        (X[:0], "batch >= 1"),
        (X / 0, "finite"),
    ],
)
def test_bad_data_say_what_must_hold(x, words):
    with pytest.raises(ValueError, match=words):
        small().discriminator_loss(x)


def test_networks_of_a_wrong_shape_are_named():
    with pytest.raises(ValueError, match=r"generator must return .* = \[2, 2\], got \[2, 3\]"):
        PackedGAN(nn.Linear(8, 3)).generate(2)
    with pytest.raises(ValueError, match="one logit for each of 32 packs"):
        PackedGAN(discriminator=nn.Linear(4, 2)).discriminator_loss(X)
