r"""Packed GAN: a discriminator that judges several rows at once, and so sees when samples are too much alike.

A generator that always draws the same mode makes samples of which each, by itself, looks like data. Two of them side by side
do not. The discriminator is given packs of m rows drawn independently, all data or all samples:

    min_G max_D  E_{x_1..x_m ~ data}[log D(x_1, .., x_m)] + E_{x_1..x_m ~ p_g}[log(1 - D(x_1, .., x_m))]    (1)
    best D:  its logit is sum_i log p(x_i) - log q(x_i);  its value is -log 4 + 2 JSD(p^m, q^m)             (2)

with p the data's law, q = p_g, and p^m the law of m independent rows. JSD(p^m, q^m) grows with m unless q = p or the two do not
overlap at all. So does the total variation, but not at the same rate for all q: of two q equally far from p, the one that leaves
out a part of the data is farther in packs than the one that is a little wrong everywhere. m = 1 is the GAN. The generator is the
same as ever: it makes one row.

Source:   Z. Lin, A. Khetan, G. Fanti, S. Oh, "PacGAN: The power of two samples in generative adversarial networks", NeurIPS 2018.
          (2) is Goodfellow's eq. 2 and 6 for p^m and q^m.
Lecture:  "Problems with GANs" (mode collapse).
Differs:  packs are neighbouring rows of a minibatch, whose order is random; R1 and the averaged generator as in `gan.py`. A
          number of rows that m does not divide is refused: to drop some unseen would be quiet waste.
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


class PackedGAN(nn.Module):
    """The game (1), for data `[batch, *shape]` with a batch that `pack` divides.

    Args:
        generator: [N, Z] -> [N, *shape].
        discriminator: B packs -> B logits, high for data. A pack of m rows is [m D] for vectors, [m C, H, W] for images.
        pack: m, rows a pack.
        loss: what the generator descends, "saturating" or "non_saturating".
        latent: Z, the length of the noise.
        shape: that of one row: (D,) for vectors, (C, H, W) for images in [0, 1].
        steps: k, the discriminator's steps a round.
        rows: of the generator's moves, which take no data.
        r1: gamma of the R1 penalty on the discriminator, whose slope is that in all rows of a pack; 0 is none.
        average: decay of the moving average of the generator's weights, which then draws the samples; 0 is none.
        hidden: width of the default networks, three layers each.

    Raises:
        ValueError: an unknown loss; pack, latent, steps or rows below 1; rows that pack does not divide; r1 below 0; average not
            in [0, 1).
    """

    origin: Tensor  # [Z], knows device and dtype

    def __init__(
        self,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        *,
        pack: int = 2,
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
        if min(pack, latent, steps, rows) < 1:
            raise ValueError(f"pack, latent, steps and rows must be at least 1, got {pack}, {latent}, {steps} and {rows}")
        if rows % pack:
            raise ValueError(f"rows must be a multiple of pack, got {rows} and {pack}: packs are full")
        if not 0 <= r1 < math.inf:
            raise ValueError(f"r1 must be at least 0 and finite, got {r1}")
        self.generator = dense_generator(latent, 3 * [hidden], shape) if generator is None else generator
        self.discriminator = (
            dense_discriminator(pack * math.prod(shape), 3 * [hidden]) if discriminator is None else discriminator
        )
        self.averaged = moving_average(self.generator, average) if average else None
        self.pack, self.how, self.shape, self.steps, self.rows, self.r1 = pack, loss, tuple(shape), steps, rows, r1
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

    def packs(self, x: Tensor) -> Tensor:
        """Each m neighbouring rows side by side, along the first axis of a row: [B, C, ...] -> [B/m, m C, ...].

        Raises:
            ValueError: pack does not divide the number of rows.
        """
        if len(x) % self.pack:
            raise ValueError(
                f"the number of rows must be a multiple of pack = {self.pack}, got {len(x)}: choose another batch_size"
            )
        return x.reshape(-1, self.pack * x.shape[1], *x.shape[2:])  # [B/m, m C, ...]

    def discriminate(self, x: Tensor) -> Tensor:
        """The discriminator's logits, high for data, one for each pack: [B, *shape] -> [B/m].

        Raises:
            ValueError: pack does not divide the number of rows; the discriminator does not return one number a pack.
        """
        packed = self.packs(x)  # [B/m, m C, ...]
        return one_a_row(self.discriminator(packed), len(packed), of="packs")  # [B/m]

    def discriminator_loss(self, x: Tensor) -> Tensor:
        """Minus the value (1) from as many samples as data, and R1: [B, *shape] -> scalar, nats, a mean over packs.

        Raises:
            ValueError: x is not finite [batch, *shape], images in [0, 1], with a batch of one pack or more full ones.
        """
        x = data_rows(x, self.shape, self.origin.dtype)
        with torch.no_grad():
            fake = self.generate(len(x))
        loss = discriminator_loss(self.discriminate(x), self.discriminate(fake))  # eq. (1)
        penalty = r1_penalty(lambda packed: self.discriminator(packed).view(-1), self.packs(x)) if self.r1 else 0.0
        return loss + self.r1 / 2 * penalty

    def generator_loss(self, _: None = None) -> Tensor:
        """What the generator descends, from `rows` samples in packs: a scalar, nats."""
        return generator_loss(self.discriminate(self.generate(self.rows)), self.how)  # eq. (1)

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """G(z) for n draws of z, by the averaged generator where there is one: [n, *shape]."""
        generator = self.generator if self.averaged is None else self.averaged
        return generator(self.prior().sample((n,)))

    def players(self) -> list[Player]:
        """The discriminator, k steps a round; then the generator, which takes no data."""
        return [
            Player("discriminator", list(self.discriminator.parameters()), self.discriminator_loss, steps=self.steps),
            generator_player(self),
        ]
