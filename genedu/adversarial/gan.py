r"""Generative adversarial network: a generator that fools a discriminator, and a discriminator that will not be fooled.

The generator maps noise z ~ N(0, I) to a sample G(z); the law of G(z) is called p_g. No formula gives its density. The
discriminator D(x) is a classifier, data against samples, and the two play

    min_G max_D V(D, G),   V = E_data[log D(x)] + E_z[log(1 - D(G(z)))]                                     (1)
    for a fixed G the best D is  D*(x) = p_data(x) / (p_data(x) + p_g(x))                                   (2)
    V(D*, G) = -log 4 + 2 JSD(p_data, p_g),  least where p_g = p_data; there D* = 1/2                       (3)
    in a round the discriminator makes k steps, the generator one                                          (4)

(2) and (3) speak of a D that may be any function; a network that has made k steps is none. With "non_saturating" the generator
descends -E[log D(G(z))] instead: the same fixed points, a slope where D is sure. (`losses.py` has both on logits, and R1.)

Source:   I. Goodfellow et al., "Generative Adversarial Nets", NIPS 2014: (1) is eq. 1, (2) eq. 2, (3) eq. 6, (4) Algorithm 1.
Lecture:  "Generative Adversarial Networks (GANs)", Algorithm 1.
Differs:  the lecture's box calls the noise's law p_g(z); it is p_z, and p_g the law of samples. Any optimiser; the paper has
          momentum. The averaged generator is from Y. Yazici et al., ICLR 2019; it draws the samples, the other one plays.
"""

import math

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from genedu.adversarial.losses import LOSSES, discriminator_loss, generator_loss, r1_penalty
from genedu.adversarial.parts import (
    checked_sample,
    data_rows,
    dense_discriminator,
    dense_generator,
    generator_player,
    one_a_row,
    standard_normal,
)
from genedu.core import Player
from genedu.nn import moving_average


class GAN(nn.Module):
    """Two networks and the game (1) between them, for data `[batch, *shape]`.

    Args:
        generator: [N, Z] -> [N, *shape].
        discriminator: [B, *shape] -> B logits, high for data.
        loss: what the generator descends, "saturating" or "non_saturating".
        latent: Z, the length of the noise.
        shape: that of one row: (D,) for vectors, (C, H, W) for images in [0, 1].
        steps: k, the discriminator's steps a round.
        rows: m of the generator's moves, which take no data: as many as the minibatch of `fit` has by default.
        r1: gamma of the R1 penalty on the discriminator; 0 is none.
        average: decay of the moving average of the generator's weights, which then draws the samples; 0 is none.
        hidden: width of the default networks, three layers each.

    Raises:
        ValueError: an unknown loss; latent, steps or rows below 1; r1 below 0; average not in [0, 1).
    """

    origin: Tensor  # [Z], knows device and dtype

    def __init__(
        self,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        *,
        loss: str = "non_saturating",
        latent: int = 8,
        shape: tuple[int, ...] = (2,),
        steps: int = 1,
        rows: int = 128,
        r1: float = 0.0,
        average: float = 0.0,
        hidden: int = 128,
    ) -> None:
        super().__init__()
        if loss not in LOSSES:
            raise ValueError(f"loss must be 'saturating' or 'non_saturating', got {loss!r}")
        if min(latent, steps, rows) < 1:
            raise ValueError(f"latent, steps and rows must be at least 1, got {latent}, {steps} and {rows}")
        if not 0 <= r1 < math.inf:
            raise ValueError(f"r1 must be at least 0 and finite, got {r1}")
        self.generator = dense_generator(latent, 3 * [hidden], shape) if generator is None else generator
        self.discriminator = dense_discriminator(math.prod(shape), 3 * [hidden]) if discriminator is None else discriminator
        self.averaged = moving_average(self.generator, average) if average else None
        self.how, self.shape, self.steps, self.rows, self.r1 = loss, tuple(shape), steps, rows, r1
        self.register_buffer("origin", torch.zeros(latent))

    def prior(self) -> Distribution:
        """p(z) = N(0, I): batch_shape [], event_shape [Z]."""
        return standard_normal(self.origin)

    def generate(self, n: int) -> Tensor:
        """n samples of the generator that plays, with a gradient to its weights: [n, *shape].

        Raises:
            ValueError: the generator does not return that.
        """
        return checked_sample(self.generator(self.prior().sample((n,))), n, self.shape)  # [n, *shape]

    def discriminate(self, x: Tensor) -> Tensor:
        """The discriminator's logits, high for data: [B, *shape] -> [B].

        Raises:
            ValueError: the discriminator does not return one number a row.
        """
        return one_a_row(self.discriminator(x), len(x))  # [B]

    def discriminator_loss(self, x: Tensor) -> Tensor:
        """-V of (1) from as many samples as data, and R1: [B, *shape] -> scalar, nats. No gradient reaches the generator.

        Raises:
            ValueError: x is not finite [batch, *shape], images in [0, 1], with batch >= 1.
        """
        x = data_rows(x, self.shape, self.origin.dtype)
        with torch.no_grad():
            fake = self.generate(len(x))
        loss = discriminator_loss(self.discriminate(x), self.discriminate(fake))  # eq. (1)
        return loss + self.r1 / 2 * r1_penalty(self.discriminate, x) if self.r1 else loss

    def generator_loss(self, _: None = None) -> Tensor:
        """What the generator descends, from `rows` samples: a scalar, nats."""
        return generator_loss(self.discriminate(self.generate(self.rows)), self.how)  # eq. (1)

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """G(z) for n draws of z, by the averaged generator where there is one: [n, *shape]."""
        generator = self.generator if self.averaged is None else self.averaged
        return generator(self.prior().sample((n,)))

    def players(self) -> list[Player]:
        """The discriminator, k steps a round; then the generator, which takes no data. (4)"""
        return [
            Player("discriminator", list(self.discriminator.parameters()), self.discriminator_loss, steps=self.steps),
            generator_player(self),
        ]
