"""The table of models (a line is a `Case`). A model missing here fails a test."""

import torch
from torch import nn

from genedu.core import seeded
from genedu.density import EnergyModel, GaussianClassifier, GaussianMixture, LogisticRegression, NaiveBayes
from tests.adversarial.models_conditional import CONDITIONAL
from tests.adversarial.models_convolutional import CONVOLUTIONAL
from tests.adversarial.models_gan import GANS
from tests.adversarial.models_representation import REPRESENTATION
from tests.adversarial.models_semi import SEMI
from tests.adversarial.models_wasserstein import WASSERSTEIN
from tests.autoregressive.models_images import IMAGES
from tests.autoregressive.models_sequences import SEQUENCES
from tests.autoregressive.models_signals import SIGNALS
from tests.autoregressive.models_vectors import VECTORS
from tests.case import Case
from tests.latent.models_autoencoder import AUTOENCODERS
from tests.latent.models_infinite import INFINITE
from tests.latent.models_rich import RICH
from tests.latent.models_vae import VAES

Y = torch.arange(60) % 3
with seeded(11):
    REAL = torch.randn(60, 2) * torch.tensor([1.0, 0.5]) + Y[:, None] * torch.tensor([1.5, -1.0])
    BITS = (torch.rand(60, 3) < 0.2 + 0.25 * Y[:, None]).long()
PAIR = (REAL[:40], Y[:40] % 2)


def mixture(covariance: str) -> nn.Module:
    """Three different components, as `fit` meets them: with a ridge and shrinkage, so that the loss has all its terms."""
    with seeded(12):
        model = GaussianMixture(3, 2, covariance=covariance, ridge=0.01, shrinkage=0.1, target=0.5 * torch.eye(2))
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.5)
    return model


def fitted_mixture() -> nn.Module:
    model = GaussianMixture(3, 2)
    model.fit_em(REAL, progress=False)
    return model


def energy(dim: int = 2) -> nn.Module:
    with seeded(13):
        return EnergyModel(dim=dim, low=-6.0, high=6.0, steps=120)


MODELS = (
    VECTORS
    | IMAGES
    | SEQUENCES
    | SIGNALS
    | AUTOENCODERS
    | VAES
    | INFINITE
    | RICH
    | GANS
    | CONVOLUTIONAL
    | CONDITIONAL
    | REPRESENTATION
    | SEMI
    | WASSERSTEIN
    | {
        "lda": Case(lambda: GaussianClassifier().fit(REAL, Y), (REAL, Y)),
        "lda with ledoit-wolf": Case(lambda: GaussianClassifier(shrinkage="ledoit_wolf").fit(REAL, Y), (REAL, Y)),
        "qda": Case(lambda: GaussianClassifier(shared_covariance=False).fit(REAL, Y), (REAL, Y)),
        "naive bayes bernoulli": Case(lambda: NaiveBayes(kind="bernoulli").fit(BITS, Y), (BITS, Y), levels=2),
        "naive bayes gaussian": Case(lambda: NaiveBayes(kind="gaussian").fit(REAL, Y), (REAL, Y)),
        "logistic regression": Case(lambda: LogisticRegression(dim=2, classes=3), (REAL, Y)),
        "logistic regression, two classes": Case(lambda: LogisticRegression(dim=2, classes=2), PAIR),
        "logistic regression, fitted": Case(
            lambda: LogisticRegression().fit(REAL, Y), (REAL, Y), exempt={"players": "at its minimum"}
        ),
        "gaussian mixture, full": Case(lambda: mixture("full"), REAL),
        "gaussian mixture, diagonal": Case(lambda: mixture("diag"), REAL),
        "gaussian mixture, spherical": Case(lambda: mixture("spherical"), REAL),
        "gaussian mixture, fitted": Case(lambda: fitted_mixture(), REAL),
        "energy model": Case(energy, REAL),
        "energy model, one dimension": Case(lambda: energy(dim=1), REAL[:, :1]),
    }
)
