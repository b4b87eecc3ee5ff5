"""The table of models, its part for critics that measure a distance."""

import torch

from genedu.adversarial import WassersteinGAN
from genedu.core import seeded
from tests.adversarial.models_gan import lively
from tests.case import Case

with seeded(45):
    REAL = torch.randn(30, 2)
    IMAGES = torch.rand(30, 1, 4, 4)

WASSERSTEIN: dict[str, Case] = {
    "wasserstein gan": Case(lambda: lively(WassersteinGAN(hidden=8)), REAL),
    "wasserstein gan, images, average": Case(
        lambda: lively(WassersteinGAN(shape=(1, 4, 4), hidden=8, steps=2, average=0.9)), IMAGES
    ),
    "wasserstein gan, no penalty": Case(lambda: lively(WassersteinGAN(hidden=8, penalty=0.0)), REAL),
}
