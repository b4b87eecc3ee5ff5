"""The table of models, its part for the VAE and its kin."""

import torch
from torch import nn

from genedu.core import seeded
from genedu.latent import VAE, MixturePrior, VampPrior
from tests.case import Case

with seeded(31):
    BITS = torch.randint(2, (30, 1, 2, 2))
    LEVELS = torch.randint(3, (30, 1, 1, 2))
    REAL = torch.randn(30, 1, 1, 2)
    CODES = torch.randn(30, 2)


def wide(model: nn.Module) -> nn.Module:
    """A decoder that is far from even, and an encoder that is hardly narrower than the prior: importance weights stay small."""
    with seeded(22):
        for name, parameter in model.named_parameters():
            nn.init.normal_(parameter, std=0.15 if name.startswith("encoder") else 0.5)
    return model


def vamp() -> VampPrior:
    return VampPrior(nn.Sequential(nn.Flatten(), nn.Linear(4, 4)), BITS[:3])


def with_vamp() -> VAE:
    prior = vamp()
    return VAE(2, encoder=prior.encoder, prior=prior, shape=(1, 2, 2), hidden=16)


VAES: dict[str, Case] = {
    "vae, bernoulli": Case(lambda: wide(VAE(2, shape=(1, 2, 2), hidden=16)), BITS, levels=2),
    "vae, categorical": Case(
        lambda: wide(VAE(1, likelihood="categorical", levels=3, shape=(1, 1, 2), hidden=16)), LEVELS, levels=3
    ),
    "vae, gaussian": Case(lambda: wide(VAE(2, likelihood="gaussian", shape=(1, 1, 2), hidden=16)), REAL),
    "vae, learnt sigma": Case(lambda: wide(VAE(2, likelihood="gaussian", learn_sigma=True, shape=(1, 1, 2), hidden=16)), REAL),
    "vae, free bits": Case(lambda: wide(VAE(2, free_bits=0.01, beta=0.5, shape=(1, 2, 2), hidden=16)), BITS, levels=2),
    "vae, mixture prior": Case(lambda: wide(VAE(2, prior=MixturePrior(2, 3), shape=(1, 2, 2), hidden=16)), BITS, levels=2),
    "vae, vamp prior": Case(lambda: wide(with_vamp()), BITS, levels=2),
    "mixture prior": Case(lambda: wide(MixturePrior(2, 3)), CODES),
    "vamp prior": Case(lambda: wide(vamp()), CODES),
}
