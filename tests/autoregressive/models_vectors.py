"""The table of models, its part for vectors: NADE and its kin."""

import torch
from torch import nn

from genedu.autoregressive import MADE, NADE, DeepNADE
from genedu.core import seeded
from tests.case import Case

with seeded(21):
    BITS = torch.randint(2, (30, 5))
ORDER = torch.tensor([3, 0, 4, 1, 2])


def ready(model: nn.Module) -> nn.Module:
    """Parameters so large that the density is far from even."""
    with seeded(22):
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.5)
    return model


VECTORS: dict[str, Case] = {
    "nade": Case(lambda: ready(NADE(5, 6)), BITS, levels=2),
    "made": Case(lambda: ready(MADE(5, (40, 40), order=ORDER)), BITS, levels=2),
    "made, direct": Case(lambda: ready(MADE(5, 20, direct=True)), BITS, levels=2),
    "made, no hidden layer": Case(lambda: ready(MADE(5, ())), BITS, levels=2),
    "deep nade": Case(lambda: ready(DeepNADE(5, 30, 2)), BITS, levels=2),
}
