"""The table of models, its part for codes."""

import math

from torch import Tensor, nn

from genedu.adversarial import InfoGAN
from tests.adversarial.models_gan import IMAGES, REAL, lively
from tests.adversarial.verdict import Knows
from tests.case import Case


def verdict(model: nn.Module, batch: Tensor, gain: float) -> Tensor:
    """Without the bound on information: what Q's logits cost is in the file of this model."""
    model.trunk, model.weight = nn.Flatten(), 0.0
    model.discriminator = Knows(batch.flatten(1), gain)
    model.recogniser = nn.Linear(batch[0].numel(), model.recogniser.out_features)
    return model.discriminator_loss(batch)


GUESS = 2 * math.log(2)

REPRESENTATION: dict[str, Case] = {
    "info gan": Case(lambda: lively(InfoGAN(3, 0, shape=(2,), hidden=8)), REAL, verdict=verdict, at_zero=GUESS),
    "info gan, numbers, images, r1 and average": Case(
        lambda: InfoGAN(3, 2, shape=(1, 4, 4), r1=0.1, average=0.9, hidden=8), IMAGES, verdict=verdict, at_zero=GUESS
    ),
    "info gan, learnt sigma": Case(
        lambda: lively(InfoGAN(1, 2, shape=(2,), hidden=8, sigma=None, weight=0.3)),
        REAL,
        verdict=verdict,
        at_zero=GUESS,
    ),
}
