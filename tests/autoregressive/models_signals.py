"""The table of models, its part for sound and video."""

from functools import partial

import torch
from torch import nn

from genedu.autoregressive import VideoPixelNetwork, WaveNet
from genedu.core import seeded
from tests.case import Case

with seeded(14):
    WAVES = torch.randint(3, (20, 5))  # [B, T]
    SPEAKERS = torch.arange(20) % 2  # [B]
    VIDEOS = torch.randint(2, (20, 2, 1, 2, 2))  # [B, T, C, H, W]


def wavenet(**options) -> nn.Module:
    """Sees 8 samples: more than the five of an event. No parameter is small."""
    with seeded(15):
        model = WaveNet(3, 3, 1, hidden=4, **options)
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.4)
    model.sample = partial(model.sample, length=5)  # type: ignore[method-assign]
    return model


def video(**options) -> nn.Module:
    """Two frames of four pixels; no parameter is small."""
    with seeded(16):
        model = VideoPixelNetwork(2, size=2, hidden=8, layers=1, **options)
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.4)
    model.sample = partial(model.sample, frames=2)  # type: ignore[method-assign]
    return model


NO_CLASSES = {"exempt": {"classifier": "has no classes"}, "no_meta": {"predict_proba": "has no classes"}}
SIGNALS: dict[str, Case] = {
    "wavenet": Case(wavenet, WAVES, levels=3, **NO_CLASSES),
    "wavenet, three taps": Case(lambda: wavenet(kernel=3), WAVES, levels=3, **NO_CLASSES),
    "wavenet with classes": Case(lambda: wavenet(classes=2), (WAVES, SPEAKERS), levels=3),
    "wavenet with classes, labels unknown": Case(lambda: wavenet(classes=2), WAVES, levels=3),
    "video pixel network": Case(video, VIDEOS, levels=2),
    "video pixel network, baseline": Case(
        lambda: video(within=False), VIDEOS, levels=2, exempt={"sees all the past": "does not see its own frame, on purpose"}
    ),
}
