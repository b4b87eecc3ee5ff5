r"""Warm-up: the weight of the KL rises from 0, so that latents are used before they are taxed.

At the start of training the decoder makes nothing of z, so that the cheapest posterior is the prior. Once there, a latent may
stay there ("posterior collapse"). With a weight that starts at 0 it first learns to tell something:

    beta(t) = to * min(1, t / share),  t = round / rounds                                              (1)

Only from t = share on is the loss the bound's. `fit` asks its schedule for a factor before each loss, and tells it t; this is
where beta is set. It follows from t alone, so that a run continued from a checkpoint goes on with the right one.

Source:   C. Sønderby, T. Raiko, L. Maaløe, S. Sønderby, O. Winther, "Ladder Variational Autoencoders", NIPS 2016: warm-up.
Lecture:  "Variational Autoencoders".
Differs:  (1) counts rounds of minibatches, not epochs.
"""

import math
from collections.abc import Callable

from torch import nn


def warm_up(
    model: nn.Module, share: float = 0.3, *, to: float = 1.0, schedule: Callable[[float], float] | None = None
) -> Callable[[float], float]:
    """A schedule for `fit` that sets `model.beta` by (1): `fit(vae, x, schedule=warm_up(vae))`.

    Args:
        share: part of the rounds that the rise takes.
        to: beta from there on.
        schedule: the factor on the learning rate, as `fit` takes it; by default 1.

    Raises:
        ValueError: share is not above 0 and below 1; to is negative or not finite; the model has no `beta`.
    """
    if not (0 < share < 1 and 0 <= to < math.inf):
        raise ValueError(f"share must be above 0 and below 1, to at least 0 and finite, got {share} and {to}")
    if getattr(model, "beta", None) is None:
        raise ValueError(f"model must have a weight beta, as a VAE has, got {type(model).__name__}: leave out warm_up")

    def set_beta(t: float) -> float:
        model.beta = to * min(1.0, t / share)  # type: ignore[assignment]  # eq. (1)
        return 1.0 if schedule is None else schedule(t)

    return set_beta
