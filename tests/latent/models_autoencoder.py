"""The table of models, its part for autoencoders and their kin."""

import torch
from torch import nn

from genedu.core import seeded
from genedu.latent import Autoencoder, ProbabilisticPCA, SemiSupervisedVAE
from tests.case import Case

with seeded(21):
    ROWS = torch.randn(60, 3) * torch.tensor([2.0, 0.7, 0.5]) + 0.3 * torch.randn(60, 1)
    UNIT = torch.rand(60, 1, 2, 2)
    BITS = (torch.rand(60, 1, 2, 2) < 0.4).long()
    LABELS = torch.arange(60) % 4 - 1  # the first row has none


def plane() -> nn.Module:
    with seeded(22):
        return ProbabilisticPCA(2, 3)


def two_kinds_of_rows(likelihood: str = "bernoulli") -> nn.Module:
    with seeded(23):
        return SemiSupervisedVAE(2, 3, likelihood=likelihood, levels=3, shape=(1, 2, 2), hidden=8)


def autoencoder(**options) -> nn.Module:
    with seeded(24):
        return Autoencoder(2, shape=(1, 2, 2), hidden=8, **options)


NEEDS_A_CLASS = {"latent variable": "p(x|y, z) needs a class beside z"}
AUTOENCODERS: dict[str, Case] = {
    "probabilistic pca": Case(plane, ROWS),
    "probabilistic pca, fitted": Case(lambda: ProbabilisticPCA(1, 3).fit(ROWS), ROWS, exempt={"players": "at its minimum"}),
    "semi-supervised vae": Case(two_kinds_of_rows, (BITS, LABELS), levels=2, exempt=NEEDS_A_CLASS),
    "semi-supervised vae, grey": Case(lambda: two_kinds_of_rows("categorical"), (BITS, LABELS.flip(0)), exempt=NEEDS_A_CLASS),
    "autoencoder": Case(autoencoder, UNIT),
    "autoencoder, linear": Case(lambda: autoencoder(linear=True), UNIT),
    "autoencoder, denoising": Case(lambda: autoencoder(noise=0.3), UNIT),
}
