"""The table of models, its part for richer VAEs."""

import torch
from torch import nn

from genedu.core import seeded
from genedu.latent import AutoregressiveVAE, LadderVAE
from tests.autoregressive.models_vectors import ready
from tests.case import Case

with seeded(33):
    BITS = torch.randint(2, (30, 1, 2, 2))
    LEVELS = torch.randint(3, (30, 1, 1, 3))
    REAL = torch.randn(30, 1, 1, 2)

TINY = {"hidden": 8, "layers": 1, "width": 8}


def wide(model: nn.Module) -> nn.Module:
    """Large parameters, but posteriors near the prior: much narrower ones give importance weights without a variance."""
    ready(model)
    with torch.no_grad():
        for last in model.heads if isinstance(model, LadderVAE) else [model.encoder[-1]]:
            last.weight *= 0.2
            last.bias *= 0.2
        if isinstance(model, LadderVAE):
            for head in model.heads:  # what the data say is merged with the prior, and so narrower than either
                head.bias[len(head.bias) // 2 :] += 1.0
            for net in model.down:
                net[-1].weight *= 0.2
                net[-1].bias *= 0.2
        elif model.flow is not None:
            for step in model.flow.steps:
                step.bias[model.flow.dim :] += 3.0
    return model


RICH: dict[str, Case] = {
    "autoregressive vae, window 0": Case(
        lambda: wide(AutoregressiveVAE(1, 0, levels=2, shape=(1, 2, 2), **TINY)), BITS, levels=2
    ),
    "autoregressive vae, window 1, flow": Case(
        lambda: wide(AutoregressiveVAE(2, 1, 2, levels=3, shape=(1, 1, 3), **TINY)), LEVELS, levels=3
    ),
    "autoregressive vae, pixel cnn": Case(
        lambda: wide(AutoregressiveVAE(1, None, levels=2, shape=(1, 2, 2), **TINY)), BITS, levels=2
    ),
    "ladder vae, bernoulli": Case(
        lambda: wide(LadderVAE((2, 1), likelihood="bernoulli", shape=(1, 2, 2), hidden=8)), BITS, levels=2
    ),
    "ladder vae, categorical": Case(lambda: wide(LadderVAE((2, 2, 1), levels=3, shape=(1, 1, 3), hidden=8)), LEVELS, levels=3),
    "ladder vae, gaussian": Case(lambda: wide(LadderVAE((2, 1), likelihood="gaussian", shape=(1, 1, 2), hidden=8)), REAL),
}
