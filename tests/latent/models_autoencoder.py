"""The table of models, its part for autoencoders and their kin."""

import torch
from torch import nn

from genedu.core import seeded
from genedu.latent import ProbabilisticPCA
from tests.case import Case

with seeded(21):
    ROWS = torch.randn(60, 3) * torch.tensor([2.0, 0.7, 0.5]) + 0.3 * torch.randn(60, 1)


def plane() -> nn.Module:
    with seeded(22):
        return ProbabilisticPCA(2, 3)


AUTOENCODERS: dict[str, Case] = {
    "probabilistic pca": Case(plane, ROWS),
    "probabilistic pca, fitted": Case(lambda: ProbabilisticPCA(1, 3).fit(ROWS), ROWS, exempt={"players": "at its minimum"}),
}
