"""AuxiliaryClassifierGAN: two answers that do not mix, signs of the game, and what it does where classes overlap."""

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import one_hot

from genedu.adversarial import GAN, AuxiliaryClassifierGAN, ConditionalGAN
from genedu.core import seeded
from genedu.fit import Adam, fit
from tests.adversarial.rounds import assert_steps_and_average

with seeded(1):
    X, Y = torch.randn(64, 2), torch.arange(64) % 3


def small(classes: int = 3, **options) -> AuxiliaryClassifierGAN:
    with seeded(3):
        return AuxiliaryClassifierGAN(classes, hidden=16, **options)


class Shift(nn.Module):
    """G(z, y) = z + mu_y: the law of class y is N(mu_y, 1)."""

    def __init__(self, *mu: float) -> None:
        super().__init__()
        self.mu = nn.Parameter(torch.tensor(mu))

    def forward(self, z, hot):
        return z[:, :1] + (hot @ self.mu)[:, None]


X_GRID = torch.linspace(-12, 12, 24_001, dtype=torch.float64)


def integral(f: torch.Tensor) -> float:
    return torch.trapezoid(f, X_GRID).item()


def normal(mu: float) -> torch.Tensor:
    return torch.distributions.Normal(torch.tensor(mu).double(), 1.0).log_prob(X_GRID).exp()


def slope(f: torch.Tensor) -> torch.Tensor:
    return torch.gradient(f, spacing=(X_GRID,))[0]


def pull(m: float, weight: float) -> float:
    """d/dm of the generator's non-saturating loss over class 1, data N(-1, 1) and N(1, 1), samples N(-m, 1) and N(m, 1), where
    the source's logit is log p/q and the classifier is (4). By quadrature."""
    p0, p1, q0, q1 = normal(-1.0), normal(1.0), normal(-m), normal(m)
    s = ((p0 + p1) / (q0 + q1)).log()
    log_c = ((p1 + q1) / (p0 + p1 + q0 + q1)).log()
    return integral(q1 * (-torch.sigmoid(-s) * slope(s) - weight * slope(log_c)))


def where_it_ends(weight: float) -> float:
    """The m at which `pull` is zero, by bisection."""
    low, high = 0.9, 4.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if pull(middle, weight) < 0 else (low, middle)
    return low


# oracles --------------------------------------------------------------------------------------------------------------


def test_the_losses_are_those_of_the_paper():
    """-L_S - w L_C and, saturating, L_S - w L_C over samples; by probabilities."""
    model = small(loss="saturating", weight=0.7)
    hot = one_hot(Y, 3).float()
    for loss, over_data in ((model.discriminator_loss, True), (model.generator_loss, False)):
        with seeded(4):
            got = loss((X, Y))
        with seeded(4):
            fake = model.generator.net(torch.cat([torch.randn(64, 8), hot], 1))
        (d, c), (d_fake, c_fake) = ((o[:, 0].sigmoid(), o[:, 1:].softmax(1)) for o in map(model.discriminator, (X, fake)))
        right = lambda c: (c * hot).sum(1).log().mean()  # noqa: E731
        if over_data:
            l_s, l_c = d.log().mean() + (1 - d_fake).log().mean(), right(c) + right(c_fake)
            torch.testing.assert_close(got, -l_s - 0.7 * l_c)
        else:
            torch.testing.assert_close(got, (1 - d_fake).log().mean() - 0.7 * right(c_fake))
            model.how = "non_saturating"
            with seeded(4):
                torch.testing.assert_close(loss((X, Y)), -d_fake.log().mean() - 0.7 * right(c_fake))
    torch.testing.assert_close(model.predict_proba(X), model.discriminator(X)[:, 1:].softmax(1))


def test_the_two_answers_do_not_mix():
    """Neither the source's row of the last layer moves the classes nor theirs the source; each loss has its own part."""
    model = small()
    last = model.discriminator[1][-1]
    source, classes = model.judge(X)
    with torch.no_grad():
        last.weight[0] += 1.0
    assert torch.equal(model.judge(X)[1], classes) and not torch.equal(model.judge(X)[0], source)
    source = model.judge(X)[0]
    with torch.no_grad():
        last.weight[1:] += torch.randn(3, 16)
    assert torch.equal(model.judge(X)[0], source) and not torch.equal(model.judge(X)[1], classes)
    only_source = small(weight=0.0)
    only_source.discriminator_loss((X, Y)).backward()
    grad = only_source.discriminator[1][-1].weight.grad
    assert grad[0].abs().sum() > 0 and not grad[1:].any()


def test_the_best_classifier_knows_data_and_samples():
    """(4) on a table of three values: the loss has no slope there."""
    p, q = torch.tensor([[4, 3, 1], [1, 1, 6]]), torch.tensor([[1, 1, 6], [3, 4, 1]])  # counts p(x, y) and q(x, y), [K, X]
    values = torch.arange(3.0)
    rows = [torch.cat([values.repeat_interleave(c) for c in counts])[:, None] for counts in (p, q)]
    y = torch.arange(2).repeat_interleave(8)

    class Table(nn.Module):
        def __init__(self):
            super().__init__()
            self.logits = nn.Parameter(torch.cat([torch.zeros(3, 1), (p + q).double().log().T], 1))

        def forward(self, x):
            return self.logits[x[:, 0].long()]

    class Draws(nn.Module):
        def forward(self, z, hot):
            return rows[1]

    model = AuxiliaryClassifierGAN(2, generator=Draws(), discriminator=Table(), shape=(1,))
    model.discriminator_loss((rows[0], y)).backward()
    assert model.discriminator.logits.grad[:, 1:].abs().max() < 1e-7
    torch.testing.assert_close(model.predict_proba(values[:, None]), ((p + q).double() / (p + q).sum(0)).T)


def test_at_the_data_the_generator_is_pushed_away_from_the_border_and_that_of_a_conditional_gan_is_not():
    """Samples are data, N(-1, 1) and N(1, 1), and both judges are the best ones: log p(1|x)/p(0|x) = 2x."""

    class Best(nn.Module):
        def forward(self, x, hot=None):
            return torch.cat([0 * x, -x, x], 1) if hot is None else 0 * x[:, 0]

    n = 200_000
    batch = (torch.zeros(n, 1), torch.arange(n) % 2)
    auxiliary, conditional = (
        model(2, generator=Shift(-1.0, 1.0), discriminator=Best(), latent=1, shape=(1,))
        for model in (AuxiliaryClassifierGAN, ConditionalGAN)
    )
    with seeded(5):
        auxiliary.generator_loss(batch).backward()
        conditional.generator_loss(batch).backward()
    assert conditional.generator.mu.grad.abs().max() < 1e-7
    expected = integral(normal(1.0) * -2 * torch.sigmoid(-2 * X_GRID)) / 2  # half of all rows are of class 1
    assert expected < -0.1
    for mine, sign in zip(auxiliary.generator.mu.grad.tolist(), (-1, 1), strict=True):
        assert abs(mine - sign * expected) < 5 / math.sqrt(n)
    assert abs(pull(1.0, 1.0) - 2 * expected) < 1e-6 and abs(pull(1.0, 0.0)) < 1e-9


@pytest.mark.slow
def test_where_classes_overlap_it_ends_where_the_quadrature_says():
    """Data N(-1, 1) and N(1, 1). The best judges leave the means at +-1.52; a conditional GAN has them at +-1. Three seeds."""
    with seeded(6):
        y = torch.arange(4000) % 2
        x = torch.randn(4000, 1) + 2.0 * y[:, None] - 1
    assert abs(where_it_ends(0.0) - 1) < 1e-6 and 1.5 < where_it_ends(1.0) < 1.54
    for model, expected in ((AuxiliaryClassifierGAN, where_it_ends(1.0)), (ConditionalGAN, 1.0)):
        ends = []
        for seed in range(3):
            with seeded(seed):
                game = model(2, generator=Shift(-0.5, 0.5), latent=1, shape=(1,), hidden=16, average=0.99)
            adam = partial(Adam, betas=(0.5, 0.99))
            fit(game, (x, y), rounds=450, batch_size=250, lr=1e-2, optimizer=adam, schedule=lambda t: 1 - t, seed=seed)
            ends.append((game.averaged.module.mu[1] - game.averaged.module.mu[0]).item() / 2)
        assert abs(sum(ends) / 3 - expected) < 0.15, (model.__name__, ends, expected)


def test_as_a_critic_it_has_the_losses_of_wgan_gp_and_the_same_classes():
    """A linear critic with slope w: the penalty is (|w| - 1)^2 wherever it is taken."""
    model = small(wasserstein=True, penalty=3.0, weight=0.5, discriminator=nn.Linear(2, 4))
    w = model.discriminator.weight[0]
    with seeded(7):
        got = model.discriminator_loss((X, Y))
    with seeded(7):
        fake = model.generate(Y)
    ce = lambda x: -model.judge(x)[1].log_softmax(1)[torch.arange(64), Y].mean()  # noqa: E731
    expected = fake.mean(0) @ w - X.mean(0) @ w + 3.0 * (w.norm() - 1) ** 2 + 0.5 * (ce(X) + ce(fake))
    torch.testing.assert_close(got, expected)
    with seeded(7):
        got = model.generator_loss((X, Y))
    torch.testing.assert_close(got, -model.discriminate(fake).mean() + 0.5 * ce(fake))
    assert [player.name for player in model.players()] == ["critic", "generator"]


def test_each_player_moves_its_own_weights_only():
    for model, networks in (
        (small(), ("discriminator", "generator")),
        (small(wasserstein=True), ("discriminator", "generator")),
    ):
        before = {name: w.clone() for name, w in model.named_parameters()}
        for mover, network in zip(model.players(), networks, strict=True):
            fit(model, (X, Y), rounds=1, players=[mover])
            for name, w in model.named_parameters():
                moves = name.startswith(network) and not (model.wasserstein and name == "discriminator.1.6.bias")
                assert not torch.equal(w, before[name]) or not moves, (mover.name, name)
                assert torch.equal(w, before[name]) or name.startswith(network), (mover.name, name)
                before[name] = w.clone()


def test_samples_are_of_the_class_that_is_asked_for_or_of_the_prior_and_come_from_the_average():
    model = AuxiliaryClassifierGAN(2, generator=Shift(-50.0, 50.0), latent=1, shape=(1,), class_prior=torch.tensor([0.8, 0.2]))
    assert (model.sample(9, 1) > 0).all() and (model.sample(9, 0) < 0).all()
    y = torch.tensor([1, 0, 1, 1])
    assert ((model.sample(4, y)[:, 0] > 0).long() == y).all()
    assert abs((model.sample(20_000) > 0).double().mean() - 0.2) < 5 * 0.4 / math.sqrt(20_000)
    model = small(average=0.5)
    fit(model, (X, Y), rounds=3)
    with seeded(8):
        x = model.sample(6, 1)
    with seeded(8):
        z = torch.randn(6, 8)
    hot = torch.tensor([[0.0, 1.0, 0.0]]).expand(6, 3)
    torch.testing.assert_close(x, model.averaged.module(z, hot))
    assert not torch.allclose(x, model.generator(z, hot))


# limits ---------------------------------------------------------------------------------------------------------------


def test_without_weight_it_is_a_gan_with_a_label_as_input():
    model = small(weight=0.0, r1=0.2)

    class Told(nn.Module):
        def forward(self, z):
            return model.generator(z, one_hot(Y, 3).float())

    class Source(nn.Module):
        def forward(self, x):
            return model.discriminator(x)[:, 0]

    plain = GAN(Told(), Source(), r1=0.2, rows=64)
    for mine, its in ((model.discriminator_loss, plain.discriminator_loss), (model.generator_loss, plain.generator_loss)):
        slopes = []
        for loss, argument in ((mine, (X, Y)), (its, X if its == plain.discriminator_loss else None)):
            model.zero_grad()
            with seeded(9):
                value = loss(argument)
            value.backward()
            slopes.append([value, *(w.grad for w in model.parameters() if w.grad is not None)])
        for a, b in zip(*slopes, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def test_one_class_has_nothing_to_name():
    model = small(1)
    y = torch.zeros(64, dtype=torch.long)
    with seeded(10):
        one = model.discriminator_loss((X, y))
    model.weight = 0.0
    with seeded(10):
        assert abs(model.discriminator_loss((X, y)) - one).item() < 1e-6


def test_images_are_in_0_1_and_one_row_is_enough():
    model = AuxiliaryClassifierGAN(shape=(3, 8, 8), hidden=16)
    x = model.sample(1, 7)
    assert x.shape == (1, 3, 8, 8) and (x > 0).all() and (x < 1).all()
    assert torch.isfinite(model.discriminator_loss((x, torch.tensor([7])))) and model.predict_proba(x).shape == (1, 10)


def test_far_logits_stay_finite():
    class Far(nn.Module):
        def forward(self, x):
            return 1e4 * torch.cat([x[:, :1], x, x[:, :1]], 1)

    model = small(discriminator=Far())
    assert torch.isfinite(model.discriminator_loss((X, Y))) and torch.isfinite(model.generator_loss((X, Y)))


def test_bare_logits_are_right_for_it_where_a_softmax_before_would_cost():
    """Probabilities in place of logits cost at least log(e + K - 1) - 1 a row, however sure: the double softmax."""

    class Sure(nn.Module):
        def __init__(self, softmax):
            super().__init__()
            self.softmax = softmax

        def forward(self, x):
            c = 50.0 * one_hot(Y[: len(x)], 3)
            return torch.cat([x[:, :1] * 0, c.softmax(1) if self.softmax else c], 1)

    bare, twice = (small(discriminator=Sure(s)).discriminator_loss((X, Y)).item() for s in (False, True))
    assert bare == pytest.approx(2 * math.log(2)) and twice - bare == pytest.approx(2 * (math.log(math.e + 2) - 1))


def test_the_default_networks_have_three_hidden_layers_of_the_asked_width():
    model = AuxiliaryClassifierGAN(4, hidden=16)
    widths = [[w.shape[0] for w in net.parameters() if w.dim() == 2] for net in (model.generator, model.discriminator)]
    assert widths == [[16, 16, 16, 2], [16, 16, 16, 1 + 4]]


def test_the_discriminator_makes_k_steps_a_round_and_the_average_follows_each_of_the_generators_moves():
    assert_steps_and_average(small(steps=2, average=0.5), (torch.randn(60, 2), torch.arange(60) % 3))
    assert not small().sample(3).requires_grad


# errors ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"loss": "hinge"}, "'saturating' or 'non_saturating', got 'hinge'"),
        ({"classes": 0}, "classes must be a whole number of at least 1"),
        ({"latent": 0}, "latent and steps must be at least 1"),
        ({"steps": 0}, "latent and steps must be at least 1"),
        ({"r1": -1.0}, "r1 must be at least 0"),
        ({"weight": -1.0}, "weight must be at least 0"),
        ({"weight": math.inf}, "finite"),
        ({"penalty": -1.0}, "penalty must be at least 0"),
        ({"average": 1.0}, "between 0 and 1"),
        ({"class_prior": torch.ones(3)}, r"prior must be \[10\] numbers"),
    ],
)
def test_bad_options_say_what_must_hold(options, words):
    with pytest.raises(ValueError, match=words):
        AuxiliaryClassifierGAN(**options)


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (X, r"a batch must be \(x, y\)"),
        ((X[:, :1], Y), r"x must be \[batch, 2\] with batch >= 1, got \[64, 1\]"),
        ((X[:0], Y[:0]), "batch >= 1"),
        ((torch.full((64, 2), math.nan), Y), "finite"),
        ((X, Y[:5]), r"y must be \[64\] whole numbers"),
        ((X, Y + 1), "classes 0 to 2; got 3"),
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
    with pytest.raises(ValueError, match=r"return \[64, 4\], 1 \+ K a row, got \[64, 2\]"):
        small(discriminator=nn.Linear(2, 2)).discriminator_loss((X, Y))
