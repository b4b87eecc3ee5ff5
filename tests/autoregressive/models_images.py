"""The table of models, its part for images."""

import torch
from torch import nn

from genedu.autoregressive import PixelCNN, PixelRNN
from genedu.core import seeded
from tests.case import Case

with seeded(31):
    GREY, COLOUR = torch.randint(2, (20, 1, 2, 3)), torch.randint(2, (20, 2, 2, 2))
    LEVELS = torch.randint(3, (20, 1, 2, 2))
    LABELS = torch.arange(20) % 2


def ready(model: nn.Module) -> nn.Module:
    """Parameters so large that the density is far from even."""
    with seeded(32):
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.3)
    return model


def cnn(levels: int = 2, size: tuple[int, int] = (2, 3), **options) -> nn.Module:
    return ready(PixelCNN(levels, size=size, **{"hidden": 12, "layers": 2, **options}))


NO_CLASSES = {"no_meta": {"predict_proba": "has no classes"}}
PLAIN = {"classifier": "has no classes"}
BLIND = {"sees all the past": "has a blind spot, which its own tests map"}
IMAGES: dict[str, Case] = {
    "pixel cnn": Case(cnn, GREY, levels=2, exempt=PLAIN, **NO_CLASSES),
    "pixel cnn, plain": Case(lambda: cnn(gated=False), GREY, levels=2, exempt=PLAIN, **NO_CLASSES),
    "pixel cnn, plain 3x3": Case(lambda: cnn(gated=False, first=3), GREY, levels=2, exempt=PLAIN | BLIND, **NO_CLASSES),
    "pixel cnn, colours": Case(lambda: cnn(size=(2, 2), channels=2), COLOUR, levels=2, exempt=PLAIN, **NO_CLASSES),
    "pixel cnn, plain, colours": Case(
        lambda: cnn(size=(2, 2), channels=2, gated=False), COLOUR, levels=2, exempt=PLAIN, **NO_CLASSES
    ),
    "pixel cnn, classes": Case(lambda: cnn(3, (2, 2), classes=2), (LEVELS, LABELS), levels=3),
    "pixel cnn, plain, classes": Case(lambda: cnn(3, (2, 2), classes=2, gated=False), (LEVELS, LABELS), levels=3),
    "pixel cnn, classes, labels unknown": Case(
        lambda: cnn(3, (2, 2), classes=2, prior=torch.tensor([0.2, 0.8])), LEVELS, levels=3
    ),
    "pixel cnn, logistic": Case(
        lambda: cnn(3, (2, 2), head="logistic", components=2), LEVELS, levels=3, exempt=PLAIN, **NO_CLASSES
    ),
    "pixel cnn, logistic, colours": Case(
        lambda: cnn(size=(2, 2), channels=2, head="logistic", components=2), COLOUR, levels=2, exempt=PLAIN, **NO_CLASSES
    ),
    "pixel rnn, row": Case(
        lambda: ready(PixelRNN(2, size=(2, 2), hidden=8)),
        LEVELS % 2,
        levels=2,
        exempt={"sees all the past": "sees a triangle, which its own tests map"},
    ),
    "pixel rnn, diagonal": Case(lambda: ready(PixelRNN(2, cell="diagonal", size=(2, 2), hidden=8)), LEVELS % 2, levels=2),
}
