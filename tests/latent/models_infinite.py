"""The table of models, its part for mixtures of VAEs. Components are of different weight, and labels are fitted."""

import torch

from genedu.core import seeded
from genedu.latent import VAE, InfiniteVAE
from tests.autoregressive.models_vectors import ready
from tests.case import Case

with seeded(33):
    BITS = torch.randint(2, (30, 1, 2, 2))
    REAL = torch.randn(30, 1, 1, 2)
Y = torch.arange(30) % 3


def mixture(likelihood: str, x: torch.Tensor, components: int) -> InfiniteVAE:
    model = InfiniteVAE(
        1.0,
        build=lambda: VAE(2, likelihood=likelihood, shape=tuple(x.shape[1:]), hidden=8, sigma=0.5),
        components=components,
    )
    ready(model)
    for component in model.components:  # near the prior, or the importance weights of these untrained encoders have no variance
        component.encoder[3].weight.data *= 0.2
        component.encoder[3].bias.data *= 0.2
    model.take(list(model.components), torch.arange(30) % 5 % components)  # counts 12, 12, 6 for three
    with seeded(34):
        model.fit_labels(x, Y)
    return model


INFINITE: dict[str, Case] = {
    "infinite vae, bernoulli": Case(lambda: mixture("bernoulli", BITS, 3), BITS, levels=2),
    "infinite vae, gaussian": Case(lambda: mixture("gaussian", REAL, 2), REAL),
    "infinite vae, one component": Case(lambda: mixture("bernoulli", BITS, 1), BITS, levels=2),
}
