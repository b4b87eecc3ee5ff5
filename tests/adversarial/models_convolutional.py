"""The table of models, its part for convolutional networks."""

import math

import torch
from torch import Tensor, nn

from genedu.adversarial import DCGAN, ProgressiveGAN
from genedu.core import Batch, seeded
from tests.adversarial.verdict import Knows
from tests.case import Case

with seeded(43):
    IMAGES = torch.rand(12, 1, 4, 4)

TALK = "batch norm ties the rows of a batch together"
VARIETY = "by the minibatch deviation a score depends on the other rows"


def lively(model: nn.Module) -> nn.Module:
    """Weights at which every parameter matters: as after some training."""
    with seeded(44):
        for parameter in model.parameters():
            if parameter.requires_grad:
                nn.init.normal_(parameter, std=0.5)
    return model


def half_grown(model: ProgressiveGAN) -> ProgressiveGAN:
    model.grow_to(4, over=4)
    model.moves = 2
    return model


def verdict(model: nn.Module, batch: Batch, gain: float) -> Tensor:
    model.discriminator = Knows(batch, gain)
    return model.discriminator_loss(batch)


CONVOLUTIONAL: dict[str, Case] = {
    "dcgan": Case(
        lambda: lively(DCGAN(3, shape=(1, 4, 4), width=4, average=0.9)),
        IMAGES,
        verdict=verdict,
        at_zero=2 * math.log(2),
        exempt={"moves are means": TALK},
    ),
    "dcgan, rules broken": Case(
        lambda: lively(DCGAN(3, shape=(1, 4, 4), width=4, resize="pool", norm="none", slope=0.1, mixed=True, loss="saturating")),
        IMAGES,
        verdict=verdict,
        at_zero=2 * math.log(2),
    ),
    "progressive gan": Case(
        lambda: ProgressiveGAN(4, start=2, latent=3, base=8, cap=4, rows=8, average=0.9),
        IMAGES,
        exempt={"moves are means": VARIETY},
    ),
    "progressive gan, half grown": Case(
        lambda: half_grown(ProgressiveGAN(4, start=2, latent=3, base=8, cap=4, rows=8)),
        IMAGES,
        exempt={"moves are means": VARIETY},
    ),
}
