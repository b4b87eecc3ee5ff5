"""The table of models, its part for few labels and for the sampler that is put together."""

import math

import torch
from torch import Tensor, nn

from genedu.adversarial import PlugAndPlay, SemiSupervisedGAN
from genedu.core import Batch, seeded
from genedu.nn import mlp
from tests.adversarial.models_gan import IMAGES, REAL, lively
from tests.adversarial.verdict import Knows
from tests.case import Case

SOME = torch.tensor([-1, 0, -1, 1, 2]).repeat(6)
MATCHING = {"moves are means": "feature matching: the square of a mean of samples falls with their number"}


class Right(Knows):
    """Logits: a gain for the class of a row of data (the first, where none is known), minus the gain for all else."""

    def __init__(self, batch: Batch, gain: float, classes: int) -> None:
        super().__init__(batch[0], gain)
        self.y, self.classes = batch[1], classes

    def forward(self, x: Tensor) -> Tensor:
        hot = torch.nn.functional.one_hot(self.y[: len(x)].clamp(min=0), self.classes)  # [B, K]
        return self.gain * (2 * hot * self.is_data(x)[:, None] - 1)  # [B, K]


def verdict(model: nn.Module, batch: Batch, gain: float) -> Tensor:
    model.discriminator = Right(batch, gain, model.classes)
    return model.discriminator_loss(batch)


def plugged() -> nn.Module:
    with seeded(43):
        return PlugAndPlay(mlp(3, 8, 2), nn.Linear(3, 3), mlp(2, 8, 4), latent=3, classes=4)


SEMI: dict[str, Case] = {  # logits 0: log K for the class, log (K + 1)/K for data, log (K + 1) for samples
    "semi-supervised gan": Case(
        lambda: lively(SemiSupervisedGAN(3, shape=(2,), hidden=8)),
        (REAL, SOME),
        verdict=verdict,
        at_zero=2 * math.log(4),
        exempt=MATCHING,
    ),
    "semi-supervised gan, images, usual loss and average": Case(
        lambda: SemiSupervisedGAN(4, shape=(1, 4, 4), feature_matching=False, average=0.9, hidden=8),
        (IMAGES, SOME),
        verdict=verdict,
        at_zero=2 * math.log(5),
    ),
    "plug and play": Case(plugged, REAL),
}
