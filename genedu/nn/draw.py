"""Draw a level from logits: the last step of every autoregressive sampler.

    p_k = exp(l_k / T) / sum_j exp(l_j / T),   k* = argmax_k p_k / e_k,  e_k ~ Exp(1): P(k* = k) = p_k                (1)

(1) is a race: the first of K independent Poisson processes with rates p_k to fire is the k-th with probability p_k. Temperature T
below 1 favours what is likely, above 1 it evens out; the samples are the model's own only at T = 1. Each call draws noise of
the logits' shape, so that two ways to the same logits (cached, or computed anew) give the same levels under one seed.

Source:   E. Gumbel, "Statistical theory of extreme values", 1954 (the race on the logarithmic scale).
Lecture:  "Autoregressive Models" (sample one step at a time).
Differs:  nothing.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def draw_levels(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """(1): logits [..., K] -> levels [...] (long).

    Raises:
        ValueError: temperature is not finite and above 0.
    """
    p = (logits / positive(temperature)).softmax(-1)  # [..., K]
    return (p / torch.empty_like(p).exponential_()).argmax(-1)  # [...], eq. (1)


def draw_bits(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """1 with probability sigmoid(logit / T), else 0: logits [...] -> bits [...] (long).

    Raises:
        ValueError: temperature is not finite and above 0.
    """
    p = (logits / positive(temperature)).sigmoid()
    return (torch.rand_like(p) < p).long()


def positive(temperature: float) -> float:
    """The temperature itself, if it is one.

    Raises:
        ValueError: it is not finite and above 0.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be finite and above 0, got {temperature}: 1 gives the model's own samples")
    return temperature


@contextmanager
def without_dropout(model: nn.Module) -> Iterator[None]:
    """The model in eval mode inside the block, and afterwards in the mode that it was in, also after an error or Ctrl-C."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
