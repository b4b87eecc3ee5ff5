r"""Conditional GAN: both players are told the class, so that one generator draws whichever class is asked for.

Without a class, G draws what it likes. Here it is told which y it has to draw, and the discriminator is told which y the row is
said to be. A fine 3 where a 5 was asked for is a forgery too: D has seen data with their own labels only.

    min_G max_D  E_{x,y}[log D(x, y)] + E_{z,y}[log(1 - D(G(z, y), y))],   y of both from the data          (1)
    for a fixed G the best D is  D*(x, y) = p(x|y) / (p(x|y) + q(x|y)),  q(x|y) the law of G(z, y)          (2)
    its value is  -log 4 + 2 E_y[JSD(p(x|y), q(x|y))],  least where q(x|y) = p(x|y) for every y             (3)

(2) needs samples made for labels as frequent as the data's, else p(y)/q(y) enters D* and D judges the label as well: we take
the labels of the minibatch. If D does not see y, (3) is 2 JSD(p(x), q(x)) - log 4, least wherever q(x) = p(x), whatever
class a sample was asked to be.

Source:   M. Mirza, S. Osindero, "Conditional Generative Adversarial Nets", 2014, arXiv 1411.1784: (1) is eq. 2. (2) and (3) are
          Goodfellow's eq. 2 and 6 for each y.
Lecture:  "Discriminator Looks at Latent Variables", "Conditional GAN".
Differs:  y is no latent variable, as the slide's heading has it, but seen with each row. Loss, R1 (on x) and average are `GAN`'s.
"""

import math
from functools import partial

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from genedu.adversarial.losses import LOSSES, discriminator_loss, generator_loss, r1_penalty
from genedu.adversarial.parts import (
    asked_classes,
    checked_sample,
    dense_generator,
    generator_player,
    labelled_rows,
    one_a_row,
    one_hot_rows,
    standard_normal,
)
from genedu.core import Batch, Player
from genedu.nn import Joined, draw_levels, mlp, moving_average
from genedu.nn.class_mixture import prior_of


class ConditionalGAN(nn.Module):
    """Two networks and the game (1) between them; a batch is (x, y): data `[batch, *shape]` and classes `[batch]`.

    Args:
        classes: K.
        generator: noise [N, Z] and one-hot classes [N, K] -> [N, *shape].
        discriminator: rows [B, *shape] and one-hot classes [B, K] -> B logits, high for data of that class.
        loss: what the generator descends, "saturating" or "non_saturating".
        latent: Z, the length of the noise.
        shape: that of one row: (D,) for vectors, (C, H, W) for images in [0, 1].
        steps: k, the discriminator's steps a round.
        r1: gamma of the R1 penalty on the discriminator; 0 is none.
        average: decay of the moving average of the generator's weights, which then draws the samples; 0 is none.
        hidden: width of the default networks, three layers each.
        class_prior: p(y), [K], for samples that are asked for without a class (None: all equally likely).

    Raises:
        ValueError: an unknown loss; classes, latent or steps below 1; r1 below 0; average not in [0, 1); an unfit class_prior.
    """

    origin: Tensor  # [Z], knows device and dtype
    log_prior: Tensor  # log p(y), [K]

    def __init__(
        self,
        classes: int = 10,
        *,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        loss: str = "non_saturating",
        latent: int = 8,
        shape: tuple[int, ...] = (2,),
        steps: int = 1,
        r1: float = 0.0,
        average: float = 0.0,
        hidden: int = 128,
        class_prior: Tensor | None = None,
    ) -> None:
        super().__init__()
        if loss not in LOSSES:
            raise ValueError(f"loss must be 'saturating' or 'non_saturating', got {loss!r}")
        if min(latent, steps) < 1:
            raise ValueError(f"latent and steps must be at least 1, got {latent} and {steps}")
        if not 0 <= r1 < math.inf:
            raise ValueError(f"r1 must be at least 0 and finite, got {r1}")
        self.register_buffer("origin", torch.zeros(latent))
        self.register_buffer("log_prior", prior_of(class_prior, classes))
        pixels = math.prod(shape)
        self.generator = Joined(dense_generator(latent + classes, 3 * [hidden], shape)) if generator is None else generator
        if discriminator is None:
            discriminator = Joined(mlp(pixels + classes, hidden, hidden, hidden, 1, activation=partial(nn.LeakyReLU, 0.2)))
        self.discriminator = discriminator
        self.averaged = moving_average(self.generator, average) if average else None
        self.classes, self.how, self.shape, self.steps, self.r1 = classes, loss, tuple(shape), steps, r1

    def prior(self) -> Distribution:
        """p(z) = N(0, I): batch_shape [], event_shape [Z]."""
        return standard_normal(self.origin)

    def generate(self, y: Tensor) -> Tensor:
        """One sample of the generator that plays for each class, with a gradient to its weights: [n] -> [n, *shape].

        Raises:
            ValueError: the generator does not return that.
        """
        x = self.generator(self.prior().sample((len(y),)), one_hot_rows(y, self.classes, self.origin.dtype))  # [n, *shape]
        return checked_sample(x, len(y), self.shape)

    def discriminate(self, x: Tensor, y: Tensor) -> Tensor:
        """The discriminator's logits, high for data of class y: [B, *shape], [B] -> [B].

        Raises:
            ValueError: the discriminator does not return one number a row.
        """
        return one_a_row(self.discriminator(x, one_hot_rows(y, self.classes, self.origin.dtype)), len(x))  # [B]

    def discriminator_loss(self, batch: Batch) -> Tensor:
        """-(1) with a sample for each row's class, and R1: [B, *shape], [B] -> scalar, nats. No gradient reaches the generator.

        Raises:
            ValueError: the batch is not (x, y) with x finite [batch, *shape], batch >= 1, and y a class for each row.
        """
        x, y = labelled_rows(batch, self.shape, self.classes, self.origin.dtype)
        with torch.no_grad():
            fake = self.generate(y)
        loss = discriminator_loss(self.discriminate(x, y), self.discriminate(fake, y))  # eq. (1)
        return loss + self.r1 / 2 * r1_penalty(lambda x: self.discriminate(x, y), x) if self.r1 else loss

    def generator_loss(self, batch: Batch) -> Tensor:
        """What the generator descends, with a sample for each row's class: a scalar, nats. Raises as `discriminator_loss`."""
        _, y = labelled_rows(batch, self.shape, self.classes, self.origin.dtype)
        return generator_loss(self.discriminate(self.generate(y), y), self.how)  # eq. (1)

    @torch.no_grad()
    def sample(self, n: int, y: int | Tensor | None = None) -> Tensor:
        """G(z, y), by the averaged generator where there is one, for class y, n classes y, or classes from p(y): [n, *shape].

        Raises:
            ValueError: y is no class, or not one for each sample.
        """
        generator = self.generator if self.averaged is None else self.averaged
        y = draw_levels(self.log_prior.expand(n, -1)) if y is None else y  # [n], or one class for all
        y = one_hot_rows(asked_classes(y, n, self.classes, self.origin.device), self.classes, self.origin.dtype)  # [n, K]
        return generator(self.prior().sample((n,)), y)

    def players(self) -> list[Player]:
        """The discriminator, k steps a round; then the generator, which takes of its minibatch the labels alone."""
        return [
            Player("discriminator", list(self.discriminator.parameters()), self.discriminator_loss, steps=self.steps),
            generator_player(self, uses_data=True),
        ]
