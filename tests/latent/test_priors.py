"""Oracles for learnt priors: scikit-learn's mixture, the encoder's own posteriors, moments of samples, gradients."""

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture as Reference
from torch import nn

from genedu.core import seeded
from genedu.latent import VAE, MixturePrior, VampPrior

with seeded(41):
    Z = torch.randn(50, 3, dtype=torch.float64)
    IMAGES = torch.randint(2, (4, 1, 2, 2))


def mixture() -> MixturePrior:
    with seeded(42):
        prior = MixturePrior(3, 4).double()
        for parameter in prior.parameters():
            nn.init.normal_(parameter, std=0.7)
    return prior


def vae_with_vamp() -> VAE:
    with seeded(43):
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(4, 6))
        return VAE(3, encoder=encoder, prior=VampPrior(encoder, IMAGES), shape=(1, 2, 2), hidden=8).double()


# oracles --------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_the_mixture_is_scikit_learns():
    prior, other = mixture(), Reference(4, covariance_type="diag")
    other.weights_, other.means_ = prior.logits.softmax(0).numpy(), prior.mean.numpy()
    other.precisions_cholesky_ = (-prior.log_sigma).exp().numpy()
    np.testing.assert_allclose(prior.log_prob(Z).numpy(), other.score_samples(Z.numpy()), rtol=0, atol=1e-12)


@torch.no_grad()
def test_the_vamp_prior_is_the_mean_of_posteriors():
    vae = vae_with_vamp()
    q = vae.posterior(IMAGES)
    known = torch.stack([q.log_prob(z.expand(4, 3)).exp().mean() for z in Z]).log()
    torch.testing.assert_close(vae.learnt_prior.log_prob(Z), known)
    torch.testing.assert_close(vae.prior().log_prob(Z.view(5, 10, 3)), known.view(5, 10))


@pytest.mark.parametrize("build", [mixture, lambda: vae_with_vamp().learnt_prior])
@torch.no_grad()
def test_samples_have_the_mixtures_moments(build):
    prior, n = build(), 40_000
    z, p = prior.sample(n), prior()
    weight, parts = p.mixture_distribution.probs, p.component_distribution
    mean = weight @ parts.mean
    variance = weight @ (parts.variance + parts.mean**2) - mean**2
    assert z.shape == (n, 3)
    assert ((z.mean(0) - mean).abs() < 5 * (variance / n).sqrt()).all()
    spread = ((z - mean) ** 2).std(0) / n**0.5
    assert (((z - mean) ** 2).mean(0) - variance).abs().lt(5 * spread).all()


def test_gradients_reach_all_that_is_learnt():
    prior = mixture()
    prior.log_prob(Z).mean().backward()
    assert all((w.grad.abs() > 1e-6).any() for w in prior.parameters())
    torch.testing.assert_close(prior.logits.grad.sum(), torch.tensor(0.0).double(), rtol=0, atol=1e-12)
    vae = vae_with_vamp()
    vae.loss(IMAGES).backward()
    assert (vae.learnt_prior.pseudo_inputs.grad.abs() > 1e-6).all()
    whole = vae.encoder[1].weight.grad.clone()
    vae.zero_grad()
    fixed = vae.learnt_prior().expand(())  # the same law, with its gradient cut
    fixed = type(fixed)(
        torch.distributions.Categorical(logits=fixed.mixture_distribution.logits.detach()),
        torch.distributions.Independent(
            torch.distributions.Normal(fixed.component_distribution.mean.detach(), fixed.component_distribution.stddev.detach()),
            1,
        ),
    )
    vae.learnt_prior.forward = lambda: fixed
    vae.loss(IMAGES).backward()
    assert not torch.allclose(whole, vae.encoder[1].weight.grad), "the encoder learns from being the prior, too"


def test_the_encoder_is_the_models_own():
    vae = vae_with_vamp()
    assert vae.learnt_prior.encoder is vae.encoder
    assert len(list(vae.parameters())) == 2 + 4 + 1  # encoder, decoder, pseudo-inputs: none twice
    given = IMAGES.float()
    trained = VampPrior(nn.Sequential(nn.Flatten(), nn.Linear(4, 6)), given).pseudo_inputs
    trained.data += 1
    assert torch.equal(given, IMAGES.float()), "what was given is not trained"
    again = vae_with_vamp()
    again.load_state_dict(vae.state_dict())
    torch.testing.assert_close(again.prior().log_prob(Z), vae.prior().log_prob(Z))


# limits ---------------------------------------------------------------------------------------------------------------


def test_one_component_is_a_gaussian():
    prior = MixturePrior(3, 1).double()
    prior.mean.data.zero_()
    prior.log_sigma.data.zero_()
    torch.testing.assert_close(prior.log_prob(Z), VAE(3).double().prior().log_prob(Z))


def test_a_new_mixture_has_the_variance_of_the_plain_prior():
    with seeded(1):
        z = MixturePrior(2, 2000).sample(20_000)
    torch.testing.assert_close(z.var(0), torch.ones(2), rtol=0, atol=0.1)
    torch.testing.assert_close(z.mean(0), torch.zeros(2), rtol=0, atol=0.1)


def test_far_away_there_is_no_nan():
    prior = mixture()
    far = prior.log_prob(1e6 * torch.ones(2, 3).double())
    assert far.isfinite().all() and (far < -1e9).all()


# errors ---------------------------------------------------------------------------------------------------------------


def test_bad_input():
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(4, 6))
    with pytest.raises(ValueError, match="latent and components must be at least 1"):
        MixturePrior(0, 3)
    with pytest.raises(ValueError, match="latent and components must be at least 1"):
        MixturePrior(3, 0)
    with pytest.raises(ValueError, match=r"must be \[components, \.\.\.\]"):
        VampPrior(encoder, torch.zeros(0, 1, 2, 2))
    with pytest.raises(ValueError, match="pseudo_inputs must be finite"):
        VampPrior(encoder, torch.full((1, 1, 2, 2), torch.nan))
    with pytest.raises(ValueError, match=r"must return \[2, 2 \* latent\]"):
        VampPrior(nn.Sequential(nn.Flatten(), nn.Linear(4, 5)), torch.zeros(2, 1, 2, 2))
    for prior in (MixturePrior(3, 2), VampPrior(encoder, IMAGES)):
        with pytest.raises(ValueError, match=r"must be \[batch, 3\]"):
            prior.log_prob(torch.zeros(5, 2))
        with pytest.raises(ValueError, match="finite"):
            prior.log_prob(torch.full((5, 3), torch.inf))
        for n in (0, -1):
            with pytest.raises(ValueError, match=f"n must be at least 1, got {n}"):
                prior.sample(n)


def test_pseudo_inputs_may_be_rows():
    encoder = nn.Linear(3, 4)
    assert VampPrior(encoder, torch.randn(5, 3))().event_shape == (2,)


def test_pseudo_inputs_go_where_the_encoder_is():
    encoder = nn.Linear(3, 4).to("meta")
    assert VampPrior(encoder, torch.randn(5, 3)).pseudo_inputs.device.type == "meta"
