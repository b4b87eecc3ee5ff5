"""Oracles for autoencoders: PCA for the linear one, the posterior mean (Tweedie) for the denoiser."""

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal, Normal

from genedu.core import seeded
from genedu.data import digits
from genedu.fit import fit
from genedu.latent import Autoencoder

D, Q, SHAPE, SIGMA = 8, 3, (1, 2, 4), 0.7
with seeded(5):
    SCALES = torch.tensor([2.0, 1.5, 1.0, 0.7, 0.5, 0.4, 0.3, 0.2], dtype=torch.float64)
    X = torch.randn(200, D).double() * SCALES @ torch.linalg.qr(torch.randn(D, D).double())[0] + 0.3
MEAN, S = X.mean(0), X.T.cov(correction=0)
LAMBDA, U = (part.flip(-1) for part in torch.linalg.eigh(S))
IMAGES = X.view(-1, *SHAPE)


def linear(code: int, to_code, back, **options) -> Autoencoder:
    """x -> back' to_code (x - MEAN) + MEAN with to_code [Q, D], back [D, Q]."""
    model = Autoencoder(code, linear=True, shape=SHAPE, **options).double()
    model.encoder[1].weight.data, model.encoder[1].bias.data = to_code.clone(), -to_code @ MEAN
    model.decoder.weight.data, model.decoder.bias.data = back.clone(), MEAN.clone()
    return model


def subspace(model) -> torch.Tensor:
    """Cosines of the principal angles between the decoder's columns and the first principal axes: [Q]."""
    return torch.linalg.svdvals(torch.linalg.qr(model.decoder.weight.detach())[0].T @ U[:, : model.code])


# oracles: the linear autoencoder is PCA ----------------------------------------------------------------------------------


@torch.no_grad()
def test_the_principal_axes_leave_the_remaining_eigenvalues_whatever_the_basis_of_the_code():
    turn = torch.randn(Q, Q).double()  # any invertible map of the code
    for to_code, back in [(U[:, :Q].T, U[:, :Q]), (turn @ U[:, :Q].T, U[:, :Q] @ turn.inverse())]:
        model = linear(Q, to_code, back)
        torch.testing.assert_close(model.loss(IMAGES), LAMBDA[Q:].sum(), rtol=0, atol=1e-9)
        torch.testing.assert_close(model.errors(IMAGES).mean(), LAMBDA[Q:].sum(), rtol=0, atol=1e-9)


@torch.no_grad()
def test_a_code_of_one_number_keeps_the_first_axis():
    torch.testing.assert_close(linear(1, U[:, :1].T, U[:, :1]).loss(IMAGES), LAMBDA[1:].sum(), rtol=0, atol=1e-9)


def test_no_linear_step_away_improves_on_the_principal_axes():
    model = linear(Q, U[:, :Q].T, U[:, :Q])
    model.loss(IMAGES).backward()
    assert all(w.grad.abs().max() < 1e-9 for w in model.parameters())
    with torch.no_grad():
        for _ in range(20):
            other = linear(Q, U[:, :Q].T + 0.01 * torch.randn(Q, D).double(), U[:, :Q] + 0.01 * torch.randn(D, Q).double())
            assert other.loss(IMAGES) > LAMBDA[Q:].sum()


@pytest.mark.slow
def test_training_the_linear_one_finds_pca():
    model = Autoencoder(Q, linear=True, shape=SHAPE).double()
    fit(model, IMAGES, rounds=1500, batch_size=200, lr=0.02, schedule=lambda t: 1 - t, progress=False)
    torch.testing.assert_close(model.loss(IMAGES), LAMBDA[Q:].sum(), rtol=1e-5, atol=0)
    torch.testing.assert_close(subspace(model), torch.ones(Q).double(), rtol=0, atol=1e-4)
    known = torch.from_numpy(PCA(Q).fit(X.numpy()).inverse_transform(PCA(Q).fit_transform(X.numpy())))
    torch.testing.assert_close(model.reconstruct(IMAGES).flatten(1), known, rtol=0, atol=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("code", [2, 8])
def test_the_deep_one_is_better_than_pca_on_what_it_was_trained_on(code):
    x = digits("unit").train
    best = PCA(code).fit(x.flatten(1).numpy())
    known = ((best.inverse_transform(best.transform(x.flatten(1).numpy())) - x.flatten(1).numpy()) ** 2).sum(1).mean()
    model = Autoencoder(code)
    fit(model, x, rounds=800, batch_size=100, lr=3e-3, progress=False)
    assert model.errors(x).mean() < 0.9 * known


# oracles: the denoiser is the posterior mean ----------------------------------------------------------------------------


@torch.no_grad()
def test_the_best_linear_denoiser_has_the_loss_and_the_score_of_the_gaussian():
    best = S @ torch.linalg.inv(S + SIGMA**2 * torch.eye(D).double())
    model = linear(D, best, torch.eye(D).double(), noise=SIGMA)
    known = S.trace() - (best @ S).trace()
    torch.testing.assert_close((LAMBDA * SIGMA**2 / (LAMBDA + SIGMA**2)).sum(), known)  # (5) with Q = D
    losses = torch.stack([model.loss(IMAGES) for _ in range(4000)])
    assert abs(losses.mean() - known) < 5 * losses.std() / math.sqrt(4000)
    y = IMAGES[:9] + 1.0
    with torch.enable_grad():
        at = y.flatten(1).requires_grad_()
        blurred = MultivariateNormal(MEAN, S + SIGMA**2 * torch.eye(D).double()).log_prob(at)
        (slope,) = torch.autograd.grad(blurred.sum(), [at])
    torch.testing.assert_close(model.score(y).flatten(1), slope, rtol=0, atol=1e-9)


@torch.no_grad()
def test_a_narrow_linear_denoiser_shrinks_the_first_axes():
    shrink = LAMBDA[:Q] / (LAMBDA[:Q] + SIGMA**2)
    model = linear(Q, U[:, :Q].T * shrink[:, None], U[:, :Q], noise=SIGMA)
    known = LAMBDA[Q:].sum() + (LAMBDA[:Q] * SIGMA**2 / (LAMBDA[:Q] + SIGMA**2)).sum()  # eq. (5)
    losses = torch.stack([model.loss(IMAGES) for _ in range(4000)])
    assert abs(losses.mean() - known) < 5 * losses.std() / math.sqrt(4000)


@pytest.mark.slow
def test_training_the_narrow_linear_denoiser_reaches_equation_5():
    model = Autoencoder(Q, linear=True, shape=SHAPE, noise=SIGMA).double()
    fit(model, IMAGES.repeat(5, 1, 1, 1), rounds=1500, batch_size=1000, lr=0.02, schedule=lambda t: 1 - t, progress=False)
    known = LAMBDA[Q:].sum() + (LAMBDA[:Q] * SIGMA**2 / (LAMBDA[:Q] + SIGMA**2)).sum()
    with torch.no_grad():
        a = model.decoder.weight @ model.encoder[1].weight  # [D, D]
        offset = a @ MEAN + model.decoder.weight @ model.encoder[1].bias + model.decoder.bias - MEAN
        away = a - torch.eye(D).double()
        loss = (away @ S @ away.T).trace() + SIGMA**2 * a.square().sum() + offset.square().sum()  # (3), exactly
    torch.testing.assert_close(loss, known, rtol=2e-3, atol=0)
    assert loss >= known - 1e-9


@pytest.mark.slow
def test_a_deep_denoiser_learns_the_responsibilities_of_a_mixture():
    """One pixel, two Gaussians: E[x|y] is the mean of each component's answer, weighted by its responsibility."""
    pi, mu, tau, sigma = torch.tensor([0.3, 0.7]), torch.tensor([-1.0, 1.0]), torch.tensor([0.15, 0.3]), 0.5
    x = MixtureSameFamily(Categorical(pi), Normal(mu, tau)).sample((20_000,)).view(-1, 1, 1, 1)
    model = Autoencoder(16, shape=(1, 1, 1), hidden=64, noise=sigma)
    fit(model, x, rounds=1500, batch_size=500, lr=5e-3, schedule=lambda t: 1 - t, progress=False)
    y = torch.linspace(-2.0, 2.0, 401)
    r = (pi.log() + Normal(mu, (tau**2 + sigma**2).sqrt()).log_prob(y[:, None])).softmax(1)  # [401, 2]
    answers = mu + tau**2 / (tau**2 + sigma**2) * (y[:, None] - mu)
    best = (r * answers).sum(1)
    blurred = MixtureSameFamily(Categorical(pi), Normal(mu, (tau**2 + sigma**2).sqrt()))
    (slope,) = torch.autograd.grad(blurred.log_prob(at := y.clone().requires_grad_()).sum(), [at])
    torch.testing.assert_close(best, y + sigma**2 * slope, rtol=0, atol=1e-5)  # Tweedie: two ways to one answer
    weight = blurred.log_prob(y).exp() / blurred.log_prob(y).exp().sum()
    with torch.no_grad():
        away = (model.reconstruct(y.view(-1, 1, 1, 1)).flatten() - best).square()
        off = (model.score(y.view(-1, 1, 1, 1)).flatten() - slope).square()
    assert (weight * away).sum() < 5e-4, "the variance of E[x|y] is 0.78"
    assert (weight * off).sum() < 0.01 * (weight * slope**2).sum()


# limits -----------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_a_code_as_long_as_the_image_may_be_the_identity():
    """It has no error, and gives noise back as it came."""
    model = linear(D, torch.eye(D).double(), torch.eye(D).double())
    assert model.loss(IMAGES) < 1e-20
    noisy = IMAGES + torch.randn_like(IMAGES)
    torch.testing.assert_close(model.reconstruct(noisy), noisy)
    losses = torch.stack([linear(D, torch.eye(D).double(), torch.eye(D).double(), noise=0.5).loss(IMAGES) for _ in range(300)])
    assert abs(losses.mean() - D * 0.5**2) < 5 * losses.std() / math.sqrt(300)


@pytest.mark.slow
def test_training_with_a_long_code_comes_near_zero():
    x = digits("unit").train
    model = Autoencoder(64, linear=True)
    fit(model, x, rounds=1500, batch_size=100, lr=3e-3, schedule=lambda t: 1 - t, progress=False)
    assert model.loss(x) < 0.01 * x.flatten(1).var(0).sum()


def test_without_noise_the_loss_is_the_error():
    model = Autoencoder(4)
    x = digits("unit").test[:10]
    torch.testing.assert_close(model.loss(x), model.errors(x).mean())
    torch.testing.assert_close(model.errors(x), ((model.decode(model.encode(x)) - x) ** 2).sum((1, 2, 3)))
    assert not torch.equal(Autoencoder(4, noise=0.1).loss(x), Autoencoder(4, noise=0.1).loss(x))
    assert not hasattr(model, "sample") and not hasattr(model, "log_prob")


def test_levels_and_networks_of_the_user():
    model = Autoencoder(5, encoder=nn.Sequential(nn.Flatten(), nn.Linear(32, 5)), decoder=nn.Linear(5, 32), shape=(2, 4, 4))
    assert model.reconstruct(torch.ones(1, 2, 4, 4, dtype=torch.long)).shape == (1, 2, 4, 4)
    assert model.loss(torch.ones(1, 2, 4, 4, dtype=torch.long)).isfinite()


# errors -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(2, 64), r"x must be \[batch, 1, 8, 8\] with batch >= 1, got \[2, 64\]"),
        (torch.zeros(0, 1, 8, 8), "batch >= 1"),
        (torch.full((2, 1, 8, 8), np.nan), "x must be finite"),
    ],
)
@pytest.mark.parametrize("method", ["encode", "reconstruct", "errors", "score", "loss"])
def test_bad_input_says_what_must_hold(x, words, method):
    with pytest.raises(ValueError, match=words):
        getattr(Autoencoder(2, noise=0.1), method)(x)


def test_bad_options_say_what_must_hold():
    with pytest.raises(ValueError, match="code must be at least 1"):
        Autoencoder(0)
    for noise in (-0.1, math.inf, math.nan):
        with pytest.raises(ValueError, match="noise must be at least 0"):
            Autoencoder(2, noise=noise)
    with pytest.raises(ValueError, match="score needs an autoencoder that was trained with noise"):
        Autoencoder(2).score(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match=r"code must be \[batch, 2\], got \[1, 3\]"):
        Autoencoder(2).decode(torch.zeros(1, 3))
    with pytest.raises(ValueError, match=r"\[batch, code\] = \[1, 2\], got \[1, 64\]"):
        Autoencoder(2, encoder=nn.Flatten()).encode(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match=r"decoder must return 6 rows of 4 numbers, got \[6, 2\]"):
        Autoencoder(2, shape=(1, 2, 2), decoder=nn.Linear(2, 2)).decode(torch.zeros(6, 2))


def test_a_decoder_may_give_its_numbers_in_any_shape_and_layout():
    turned = nn.Sequential(nn.Linear(2, 6), nn.Unflatten(1, (2, 3)), Turn())
    x = Autoencoder(2, shape=(1, 2, 3), decoder=turned).decode(torch.ones(4, 2))
    torch.testing.assert_close(x.flatten(1), turned(torch.ones(4, 2)).flatten(1))


class Turn(nn.Module):
    """Its output does not lie row by row in memory."""

    def forward(self, x):
        return x.transpose(1, 2)
