"""The table of models, its part for networks that see or predict a label."""

import math

import torch
from torch import Tensor, nn

from genedu.adversarial import AuxiliaryClassifierGAN, ConditionalGAN
from genedu.core import Batch
from tests.adversarial.models_gan import IMAGES, REAL, lively
from tests.adversarial.verdict import Knows
from tests.case import Case

Y = torch.arange(30) % 3


class Right(Knows):
    """Logits of the source, and of the class a gain for the one-hot class where the row is data; samples are all of one class."""

    def __init__(self, batch: Batch, gain: float, classes: int, of_samples: Tensor) -> None:
        super().__init__(batch[0], gain)
        self.y, self.of_samples, self.classes = batch[1], of_samples, classes

    def forward(self, x: Tensor, hot: Tensor | None = None) -> Tensor:
        source = super().forward(x)  # [B]
        if hot is not None:  # who is told the class does not name it
            return source
        y = torch.where(self.is_data(x), self.y[: len(x)], self.of_samples[: len(x)])
        return torch.cat([source[:, None], self.gain * torch.nn.functional.one_hot(y, self.classes)], 1)  # [B, 1 + K]


def verdict(model: nn.Module, batch: Batch, gain: float) -> Tensor:
    model.discriminator = Right(batch, gain, model.classes, batch[1])
    return model.discriminator_loss(batch)


CONDITIONAL: dict[str, Case] = {
    "conditional gan": Case(lambda: lively(ConditionalGAN(3, hidden=8)), (REAL, Y), verdict=verdict, at_zero=2 * math.log(2)),
    "conditional gan, images, r1 and average": Case(
        lambda: ConditionalGAN(3, shape=(1, 4, 4), r1=0.1, average=0.9, hidden=8, steps=2),
        (IMAGES, Y),
        verdict=verdict,
        at_zero=2 * math.log(2),
    ),
    "auxiliary classifier gan": Case(
        lambda: lively(AuxiliaryClassifierGAN(3, hidden=8, weight=0.5)),
        (REAL, Y),
        verdict=verdict,
        at_zero=2 * math.log(2) + math.log(3),
    ),
    "auxiliary classifier gan, images, r1 and average": Case(
        lambda: AuxiliaryClassifierGAN(3, shape=(1, 4, 4), r1=0.1, average=0.9, hidden=8),
        (IMAGES, Y),
        verdict=verdict,
        at_zero=2 * math.log(2) + 2 * math.log(3),
    ),
    "auxiliary classifier gan, wasserstein": Case(
        lambda: lively(AuxiliaryClassifierGAN(3, hidden=8, wasserstein=True)), (REAL, Y)
    ),
}
