"""InfoGAN: the bound on information against a table that is known, what a Gaussian Q can report, and the plain GAN."""

import math
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from genedu.adversarial import GAN, InfoGAN
from genedu.core import seeded
from genedu.fit import Adam, fit
from genedu.metrics import matched_accuracy

X = torch.rand(40, 1, 4, 4)


def small(categories: int = 3, continuous: int = 2, **options) -> InfoGAN:
    with seeded(3):
        return InfoGAN(categories, continuous, shape=(1, 4, 4), hidden=16, **options)


class Table(nn.Module):
    """A generator whose picture is one of X kinds, drawn from p(x|c), shown as a one-hot row [N, X]."""

    def __init__(self, p: torch.Tensor, latent: int = 1) -> None:
        super().__init__()
        self.p, self.latent = p, latent  # [K, X]

    def forward(self, code: torch.Tensor) -> torch.Tensor:
        c = code[:, self.latent : self.latent + len(self.p)].argmax(1)
        return nn.functional.one_hot(torch.multinomial(self.p[c], 1)[:, 0], self.p.shape[1]).to(code)


def known(p: torch.Tensor, q: torch.Tensor) -> InfoGAN:
    """p(x|c) [K, X] makes the pictures, and Q(c|x) = q [X, K]."""
    kinds = p.shape[1]
    model = InfoGAN(
        len(p), 0, generator=Table(p), trunk=nn.Identity(), features=kinds, latent=1, shape=(kinds,), rows=200_000
    ).double()
    with torch.no_grad():
        model.recogniser.weight.copy_(q.log().T), model.recogniser.bias.zero_()
    return model


# oracles --------------------------------------------------------------------------------------------------------------


def test_the_bound_is_the_information_for_the_posterior_and_below_it_by_the_kl_for_any_other_q():
    p = torch.tensor([[0.7, 0.2, 0.1, 0.0], [0.1, 0.6, 0.1, 0.2], [0.25, 0.25, 0.25, 0.25]]).double()
    joint, marginal = p / 3, p.mean(0)
    posterior = (joint / marginal).T  # [X, K]
    information = (joint * (p / marginal).clamp(min=1e-300).log()).sum().item()
    other = torch.softmax(torch.tensor([[1.0, 0.0, 0.5], [0.0, 1.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.3, 0.6]]).double(), 1)
    gap = (marginal[:, None] * torch.where(posterior > 0, posterior * (posterior / other).log(), 0.0)).sum().item()
    assert 0.1 < information < math.log(3) and gap > 0.05
    for q, expected in ((posterior, information), (other, information - gap)):
        found, rest = known(p, q.clamp(min=1e-12)).information_bound(200_000)
        assert abs(found.item() - expected) < 5 * 1.0 / 200_000**0.5
        assert rest == 0


def test_the_bound_never_exceeds_the_entropy_and_reaches_it_where_each_category_has_its_own_picture():
    sure = torch.eye(4).double()
    found, _ = known(sure, sure.clamp(min=1e-30)).information_bound(1000)
    assert found.item() == pytest.approx(math.log(4), abs=1e-9)
    blind, _ = known(sure, torch.full((4, 4), 0.25).double()).information_bound(1000)
    assert blind.item() == pytest.approx(0, abs=1e-9)
    for seed in range(5):
        with seeded(seed):
            p, q = (torch.randn(4, 4).double().mul(3).softmax(1) for _ in range(2))
            found, _ = known(p, q).information_bound(1000)
        assert found < math.log(4)


def test_confident_right_logits_of_q_give_the_entropy_and_a_second_softmax_would_not():
    model = small(3, 0)
    c = torch.arange(3).repeat(5)
    for gain, expected in ((50.0, math.log(3)), (0.0, 0.0)):
        nn.init.zeros_(model.recogniser.weight)
        model.recogniser = nn.Linear(3, 3)
        with torch.no_grad():
            model.recogniser.weight.copy_(gain * torch.eye(3)), model.recogniser.bias.zero_()
        found, _ = model.bounds(model._read(torch.eye(3)[c]), c, torch.zeros(15, 0))
        assert found.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("sigma", [1.0, 0.5, 0.1])
def test_what_a_gaussian_q_can_report_is_set_by_sigma_and_may_exceed_the_entropy_log_2(sigma):
    """Q that reads u exactly reports log 2 - log(sigma sqrt(2 pi)) a number; that is above log 2 iff sigma < 0.3989."""
    model = small(1, 2, sigma=sigma)
    u = 2 * torch.rand(500, 2) - 1
    model.recogniser = nn.Linear(2, 3)
    with torch.no_grad():
        model.recogniser.weight.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])), model.recogniser.bias.zero_()
    category, found = model.bounds(model._read(u), torch.zeros(500).long(), u)
    most = 2 * (math.log(2) - math.log(sigma * math.sqrt(2 * math.pi)))
    assert found.item() == pytest.approx(most, abs=1e-5) and category == 0
    assert (found > 2 * math.log(2)) == (sigma < 1 / math.sqrt(2 * math.pi))
    _, wrong = model.bounds(model._read(-u), torch.zeros(500).long(), u)
    assert wrong.item() == pytest.approx(most - (2 * u).square().sum(1).mean().item() / 2 / sigma**2, rel=1e-4)
    with torch.no_grad():
        model.recogniser.weight.zero_()  # blind: E u^2 = 1/3, so 1/6 sigma^2 below the most, for each number
    _, blind = model.bounds(model._read(u), torch.zeros(500).long(), u)
    assert blind.item() == pytest.approx(most - u.square().sum(1).mean().item() / (2 * sigma**2), rel=1e-4)


def test_a_learnt_sigma_has_no_ceiling_but_its_floor():
    model = small(1, 1, sigma=None)
    model.recogniser = nn.Linear(1, 3)
    u = 2 * torch.rand(100, 1) - 1
    found = []
    for spread in (0.0, -3.0, -20.0):
        with torch.no_grad():
            model.recogniser.weight.copy_(torch.tensor([[0.0], [1.0], [0.0]]))
            model.recogniser.bias.copy_(torch.tensor([0.0, 0.0, spread]))
        sigma = math.log1p(math.exp(spread)) + 0.01
        found.append(model.bounds(model._read(u), torch.zeros(100).long(), u)[1].item())
        assert found[-1] == pytest.approx(math.log(2) - math.log(sigma * math.sqrt(2 * math.pi)), abs=1e-4)
    assert found == sorted(found) and found[-1] > 4


def test_codes_are_what_the_conditions_say_and_even_where_nothing_is_said():
    model = small(generator=nn.Sequential(nn.Linear(13, 16), nn.Unflatten(1, (1, 4, 4))))
    with torch.no_grad():  # the picture shows the codes: 3 pixels one-hot, 2 pixels numbers
        model.generator[0].weight.zero_(), model.generator[0].bias.zero_()
        model.generator[0].weight[:5, 8:] = torch.eye(5)
    x = model.sample(4000).flatten(1)
    assert (x[:, :3].sum(1) == x[0, :3].sum()).all() and (x[:, :3] > 0).sum(1).eq(1).all()
    assert ((x[:, :3] > 0).float().mean(0) - 1 / 3).abs().max() < 5 * (2 / 9 / 4000) ** 0.5
    assert x[:, 3:5].abs().max() <= 1 and (x[:, 3:5].var(0) - 1 / 3).abs().max() < 0.03
    one = model.sample(7, category=2, numbers=torch.tensor([0.5, -2.0])).flatten(1)
    assert (
        (one[:, :3].argmax(1) == 2).all()
        and torch.allclose(one[:, 2], torch.tensor(3.0))
        and torch.equal(one[:, 3:5], torch.tensor([0.5, -2.0]).expand(7, 2))
    )
    c, u = torch.tensor([0, 2, 1]), torch.rand(3, 2)
    many = model.sample(3, category=c, numbers=u).flatten(1)
    assert torch.equal(many[:, :3].argmax(1), c) and torch.equal(many[:, 3:5], u)
    noise = model.draw(4000)[0]
    assert noise.shape == (4000, 8) and (noise.std(0) - 1).abs().max() < 0.06


def test_both_losses_pay_for_the_bound_and_only_its_own_weights_move():
    model, plain = small(weight=0.7), small(weight=0.0)
    for name in ("discriminator_loss", "generator_loss"):
        with seeded(5):
            with_bound = getattr(model, name)(X if name[0] == "d" else None)
        with seeded(5):
            without = getattr(plain, name)(X if name[0] == "d" else None)
        with seeded(5):
            z, c, u = model.draw(len(X) if name[0] == "d" else model.rows)
        bounds = model.bounds(model.codes(model.generator(model.assemble(z, c, u))), c, u)
        torch.testing.assert_close(with_bound, without - 0.7 * sum(bounds))
    before = {name: w.clone() for name, w in model.named_parameters()}
    own = {"discriminator": ("trunk", "discriminator", "recogniser"), "generator": ("generator",)}
    for mover in model.players():
        fit(model, X, rounds=1, players=[mover])
        for name, w in model.named_parameters():
            assert (not torch.equal(w, before[name])) == name.startswith(own[mover.name]), (mover.name, name)
            before[name] = w.clone()


@pytest.mark.slow
def test_on_blobs_the_categories_become_the_blobs_without_a_label():
    """Four far blobs, four categories, three seeds: matched accuracy 1/4 is chance; the bound is near log 4, and never above."""
    with seeded(6):
        y = torch.randint(4, (1000,))
        x = 2 * torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])[y] + 0.1 * torch.randn(1000, 2)
    scores = []
    for seed in range(3):
        with seeded(seed):
            model = InfoGAN(4, 0, latent=2, shape=(2,), hidden=24, r1=0.1, average=0.99)
        fit(model, x, rounds=400, lr=3e-3, optimizer=partial(Adam, betas=(0.5, 0.99)), schedule=lambda t: 1 - t, seed=seed)
        bound, _ = model.information_bound(2000)
        assert 0.8 * math.log(4) < bound < math.log(4)
        scores.append(matched_accuracy(model.codes(x).category.logits.argmax(1), y))
    assert sorted(scores)[1] > 0.9


# limits ---------------------------------------------------------------------------------------------------------------


def test_at_weight_0_it_is_the_plain_gan_whose_noise_holds_the_codes():
    model = small(weight=0.0, r1=0.3, average=0.5)
    with seeded(3):
        gan = GAN(model.generator, nn.Sequential(model.trunk, model.discriminator), latent=13, shape=(1, 4, 4), r1=0.3)
    gan.prior = lambda: SimpleNamespace(sample=lambda shape: model.assemble(*model.draw(*shape)))
    for name, batch in (("discriminator_loss", X), ("generator_loss", None)):
        grads = []
        for one in (model, gan):
            one.zero_grad()
            with seeded(8):
                value = getattr(one, name)(batch)
            value.backward()
            nets = [*model.generator.parameters(), *model.trunk.parameters(), *model.discriminator.parameters()]
            grads.append([value.detach(), *(w.grad.clone() for w in nets if w.grad is not None)])
        for a, b in zip(*grads, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def test_one_category_and_no_number_are_allowed_and_carry_no_information():
    model = small(1, 0)
    fit(model, X, rounds=2)
    bound, rest = model.information_bound(100)
    assert bound == 0 and rest == 0 and model.sample(3).shape == (3, 1, 4, 4)


def test_samples_come_from_the_average_and_one_row_is_enough():
    model = small(average=0.5)
    fit(model, X, rounds=3)
    with seeded(1):
        x = model.sample(5)
    with seeded(1):
        z, c, u = model.draw(5)
    torch.testing.assert_close(x, model.averaged.module(model.assemble(z, c, u)).detach())
    assert torch.isfinite(model.discriminator_loss(X[:1]))
    q = model.codes(X[:1])
    assert q.category.batch_shape == q.numbers.batch_shape == (1,) and q.numbers.event_shape == (2,)


@pytest.mark.parametrize(("sigma", "outputs"), [(0.5, 3 + 2), (None, 3 + 2 * 2)])
def test_the_default_networks_have_three_hidden_layers_and_q_no_more_outputs_than_it_needs(sigma, outputs):
    model = small(3, 2, sigma=sigma)
    nets = (model.generator, model.trunk, model.discriminator, model.recogniser)
    widths = [[w.shape[0] for w in net.parameters() if w.dim() == 2] for net in nets]
    assert widths == [[16, 16, 16, 16], [16, 16, 16], [1], [outputs]]
    assert [m.negative_slope for m in model.trunk.modules() if isinstance(m, nn.LeakyReLU)] == 3 * [0.2]
    q = model.codes(X).numbers
    assert q.mean.shape == q.stddev.shape == (40, 2)


def test_the_average_follows_each_of_the_generators_moves_and_the_bound_is_that_of_its_samples():
    model, seen = small(average=0.5), []
    keep = lambda *_: seen.append([w.detach().clone() for w in model.generator.parameters()])  # noqa: E731
    fit(model, X, rounds=3, callback=keep)
    for w, a, b, c in zip(model.averaged.module.parameters(), *seen, strict=True):
        torch.testing.assert_close(w, 0.5 * (0.5 * a + 0.5 * b) + 0.5 * c)
    with seeded(5):
        found = model.information_bound(50)
    with seeded(5):
        z, c, u = model.draw(50)
    expected = model.bounds(model.codes(model.averaged.module(model.assemble(z, c, u))), c, u)
    assert found[0].item() == expected[0].item() and found[1].item() == expected[1].item()
    assert not found[0].requires_grad and not found[1].requires_grad and not small().sample(3).requires_grad
    assert [player.uses_data for player in model.players()] == [True, False]


def test_in_double_precision_noise_and_numbers_are_double():
    z, _, u = small().double().draw(3)
    assert z.dtype == u.dtype == torch.float64


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"categories": 0}, "categories, latent and rows must be at least 1, got 0, 8 and 128"),
        ({"continuous": -1}, "continuous, weight and r1 must be at least 0"),
        ({"latent": 0}, "at least 1"),
        ({"rows": 0}, "at least 1"),
        ({"weight": -1.0}, "weight and r1 must be at least 0 and finite, got 2, -1.0"),
        ({"r1": math.inf}, "finite"),
        ({"sigma": 0.0}, "sigma must be above 0"),
        ({"average": 1.0}, "between 0 and 1"),
    ],
)
def test_bad_options_say_what_must_hold(options, words):
    with pytest.raises(ValueError, match=words):
        InfoGAN(**options)


def test_bad_input_says_what_must_hold():
    model = small()
    for door in (model.codes, model.discriminator_loss):
        with pytest.raises(ValueError, match=r"x must be \[batch, 1, 4, 4\] with batch >= 1, got \[2, 16\]"):
            door(torch.zeros(2, 16))
        with pytest.raises(ValueError, match=r"x must be in \[0, 1\]; got nan"):
            door(torch.full((1, 1, 4, 4), math.nan))
    with pytest.raises(ValueError, match="category must be classes 0 to 2; got 3"):
        model.sample(2, category=3)
    for wrong in ({"category": torch.zeros(3).long()}, {"numbers": torch.zeros(3)}, {"numbers": torch.zeros(3, 2)}):
        with pytest.raises(ValueError, match=r"(category|numbers) must be"):
            model.sample(2, **wrong)
    with pytest.raises(ValueError, match=r"category must be \[2\] whole numbers"):
        model.sample(2, category=torch.tensor([0.9, 1.9]))
    with pytest.raises(ValueError, match="numbers must be finite"):
        model.sample(2, numbers=torch.tensor([0.0, math.nan]))
    with pytest.raises(ValueError, match=r"x must be in \[0, 1\]; got 2"):
        model.discriminator_loss(X + 2)


def test_networks_of_a_wrong_shape_are_named():
    with pytest.raises(ValueError, match=r"generator must return .* = \[128, 1, 8, 8\], got \[128, 64\]"):
        InfoGAN(3, 0, generator=nn.Linear(11, 64)).generator_loss()
    with pytest.raises(ValueError, match=r"trunk must return \[batch, features\] = \[2, 7\], got \[2, 64\]"):
        InfoGAN(3, 0, trunk=nn.Flatten(), features=7).codes(torch.zeros(2, 1, 8, 8))
