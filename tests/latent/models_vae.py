"""The table of models, its part for the VAE and its kin."""

import torch

from genedu.core import seeded
from genedu.latent import VAE
from tests.autoregressive.models_vectors import ready
from tests.case import Case

with seeded(31):
    BITS = torch.randint(2, (30, 1, 2, 2))
    LEVELS = torch.randint(3, (30, 1, 1, 2))
    REAL = torch.randn(30, 1, 1, 2)

VAES: dict[str, Case] = {
    "vae, bernoulli": Case(lambda: ready(VAE(2, shape=(1, 2, 2), hidden=16)), BITS, levels=2),
    "vae, categorical": Case(
        lambda: ready(VAE(1, likelihood="categorical", levels=3, shape=(1, 1, 2), hidden=16)), LEVELS, levels=3
    ),
    "vae, gaussian": Case(lambda: ready(VAE(2, likelihood="gaussian", shape=(1, 1, 2), hidden=16)), REAL),
}
