"""The table of models, its part for the GAN and what keeps its shape."""

import math

import torch
from torch import Tensor, nn

from genedu.adversarial import GAN, PackedGAN
from genedu.core import Batch, seeded
from tests.adversarial.verdict import Knows
from tests.case import Case

with seeded(41):
    REAL = torch.randn(30, 2)
    IMAGES = torch.rand(30, 1, 4, 4)


def lively(model: nn.Module) -> nn.Module:
    """Weights at which every parameter matters: as after some training."""
    with seeded(42):
        for parameter in model.parameters():
            if parameter.requires_grad:
                nn.init.normal_(parameter, std=0.5)
    return model


def verdict(model: nn.Module, batch: Batch, gain: float) -> Tensor:
    model.discriminator = Knows(batch, gain)
    return model.discriminator_loss(batch)


def verdict_on_packs(model: nn.Module, batch: Tensor, gain: float) -> Tensor:
    model.discriminator = Knows(model.packs(batch), gain)
    return model.discriminator_loss(batch)


PACKED = {"moves are means": "rows meet in packs: twice the rows pair others"}
GANS: dict[str, Case] = {
    "gan": Case(lambda: lively(GAN(hidden=8)), REAL, verdict=verdict, at_zero=2 * math.log(2)),
    "gan, saturating, images": Case(
        lambda: lively(GAN(loss="saturating", shape=(1, 4, 4), hidden=8)), IMAGES, verdict=verdict, at_zero=2 * math.log(2)
    ),
    "gan, r1 and average": Case(
        lambda: GAN(r1=0.1, average=0.9, hidden=8, steps=2),
        REAL,
        verdict=verdict,
        at_zero=2 * math.log(2),
    ),
    "packed gan": Case(lambda: lively(PackedGAN(hidden=8)), REAL, verdict=verdict_on_packs, at_zero=2 * math.log(2)),
    "packed gan, images, r1 and average": Case(
        lambda: PackedGAN(pack=3, rows=12, shape=(1, 4, 4), r1=0.1, average=0.9, hidden=8),
        IMAGES,
        verdict=verdict_on_packs,
        at_zero=2 * math.log(2),
    ),
}
