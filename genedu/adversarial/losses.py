r"""Losses of the two players, on logits: what Algorithm 1 ascends and descends, written so that nothing under- or overflows.

The discriminator emits a logit o, high for data; D = sigmoid(o) is its probability of data. With softplus(a) = log(1 + e^a),

    log D = -softplus(-o),   log(1 - D) = -softplus(o)                                                      (1)
    discriminator:  E_data[softplus(-o)] + E_fake[softplus(o)]  =  -V(D, G), 2 log 2 at o = 0               (2)
    generator, saturating:      E_fake[log(1 - D)] = -E_fake[softplus(o)],    slope in o: -sigmoid(o)       (3)
    generator, non-saturating: -E_fake[log D]      =  E_fake[softplus(-o)],   slope in o: -sigmoid(-o)      (4)
    R1:  gamma/2 E_data |grad_x o(x)|^2                                                                     (5)
    gradient penalty:  lambda E (|grad_x f(x^)| - 1)^2,  x^ evenly between a row of data and a sample       (6)

(3) and (4) push o up where the sample is; but where the discriminator is sure (o far below 0) the slope of (3) is nearly zero and
that of (4) nearly -1. A discriminator that has found the difference teaches nothing by (3). (2) is a cross-entropy that has its
sigmoid inside: one that is applied before it as well leaves a loss that can never come near zero.

Source:   I. Goodfellow et al., "Generative Adversarial Nets", NIPS 2014: (2) and (3) are Algorithm 1, (4) is in section 3;
          L. Mescheder, A. Geiger, S. Nowozin, "Which Training Methods for GANs do actually Converge?", ICML 2018: (5);
          I. Gulrajani et al., "Improved Training of Wasserstein GANs", NIPS 2017: (6) is in eq. 3, for a critic f.
Lecture:  "Generative Adversarial Networks (GANs)", Algorithm 1.
Differs:  written with logits, and as losses to descend.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus

LOSSES = ("saturating", "non_saturating")


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """(2), in nats, from the logits of data and of samples, any number of each: a scalar."""
    return softplus(-real).mean() + softplus(fake).mean()  # eq. (2)


def generator_loss(fake: Tensor, how: str = "non_saturating") -> Tensor:
    """(3) or (4), in nats, from the logits of samples: a scalar.

    Raises:
        ValueError: `how` is none of the two.
    """
    if how not in LOSSES:
        raise ValueError(f"loss must be 'saturating' or 'non_saturating', got {how!r}")
    return -softplus(fake).mean() if how == "saturating" else softplus(-fake).mean()  # eq. (3), (4)


def r1_penalty(logits: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """E |grad_x o(x)|^2, (5) without its gamma/2: data [B, ...] -> scalar, with a graph to the weights of `logits`.

    The logit of a row must depend on that row alone, as it does not under batch norm.
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(logits(x).sum(), x, create_graph=True)  # [B, ...]
        return slope.square().flatten(1).sum(1).mean()  # eq. (5)


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """E (|grad_x f(x)| - 1)^2 of (6), at a place drawn evenly between each row of data and a sample: twice [B, ...] -> scalar.

    The value of a row must depend on that row alone, as it does not under batch norm.

    Raises:
        ValueError: data and samples are not of one shape.
    """
    if real.shape != fake.shape:
        raise ValueError(f"data and samples must have one shape, got {list(real.shape)} and {list(fake.shape)}")
    with torch.enable_grad():
        t = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device, dtype=real.dtype)  # [B, 1, ...]
        x = (t * real.detach() + (1 - t) * fake.detach()).requires_grad_()
        (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)  # [B, ...]
        return (slope.flatten(1).norm(dim=1) - 1).square().mean()  # eq. (6)
