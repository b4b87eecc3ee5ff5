r"""DCGAN: the game of `gan.py` between two convolutional networks that are built so that they can be trained.

Nothing is new in the loss. A list of rules was found by trying which architectures train at all:

    G and D resize by convolutions of stride 2, not by pooling; no dense layers but G's first               (1)
    batch norm in G and D, but not at G's output and not at D's input                                       (2)
    ReLU in G, leaky ReLU with slope 0.2 in D; images are in [0, 1], by a sigmoid at G's end                (3)
    weights start as N(0, 0.02^2); Adam with momentum 0.5                                                   (4)
    D sees data in one batch and samples in another                                                         (5)

Batch norm ties the rows of a batch together: a logit depends on the other rows. At G's output or D's input it would hide how
bright and how contrasted the images of a batch are together. By (5) all rows of a batch are of one kind; in a mixed batch the
mean that is taken off tells D how different the two kinds are, and is another one when only samples come, in G's move. A sample
is drawn with the running mean and deviation, so that it does not depend on its neighbours.

Source:   A. Radford, L. Metz, S. Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative
          Adversarial Networks", ICLR 2016, section 3: (1) to (3); section 4: the slope 0.2, (4).
Lecture:  "DCGAN".
Differs:  the slide says "use batch normalization"; (2) says where. (5) is in the authors' code, not among their rules. The
          averaged generator is not theirs. Their images are in [-1, 1], by a tanh, their noise is uniform. Kernels and sides:
          `genedu/nn/strided.py`. No R1: it asks for rows that do not talk.
"""

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from genedu.adversarial.losses import LOSSES, discriminator_loss, generator_loss
from genedu.adversarial.parts import checked_sample, data_rows, generator_player, one_a_row, standard_normal
from genedu.core import Player
from genedu.nn import moving_average, strided_discriminator, strided_generator


class DCGAN(nn.Module):
    """A GAN for images `[batch, C, S, S]` in [0, 1] with a side S of 4, 8, 16, ...; each rule can be broken by an argument.

    Args:
        latent: Z, the length of the noise.
        shape: (C, S, S).
        generator, discriminator: other networks, [N, Z] -> [N, C, S, S] and [B, C, S, S] -> B logits.
        width: channels at side S/2; twice as many at each further halving.
        loss: what the generator descends, "saturating" or "non_saturating".
        rows: of the generator's moves, which take no data.
        average: decay of the moving average of the generator's weights, which then draws the samples; 0 is none.
        resize: "stride", rule (1), or "pool": pooling in D, copies of pixels in G.
        norm: where batch norm is: "hidden", rule (2), "none" or "everywhere".
        slope: of D's leaky ReLU below 0, rule (3); 0 makes it a ReLU.
        init: standard deviation of the weights at the start, rule (4); None: torch's own start.
        mixed: break rule (5): data and samples go through D in one batch.

    Raises:
        ValueError: an unknown loss; latent or rows below 1; average not in [0, 1); where a default network is built also an
            unknown norm or resize, a width below 1, a shape that is none of these.
    """

    origin: Tensor  # [Z], knows device and dtype

    def __init__(
        self,
        latent: int = 32,
        *,
        shape: tuple[int, int, int] = (1, 8, 8),
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        width: int = 32,
        loss: str = "non_saturating",
        rows: int = 128,
        average: float = 0.0,
        resize: str = "stride",
        norm: str = "hidden",
        slope: float = 0.2,
        init: float | None = 0.02,
        mixed: bool = False,
    ) -> None:
        super().__init__()
        if loss not in LOSSES:
            raise ValueError(f"loss must be 'saturating' or 'non_saturating', got {loss!r}")
        if min(latent, rows) < 1:
            raise ValueError(f"latent and rows must be at least 1, got {latent} and {rows}")
        how = {"width": width, "norm": norm, "resize": resize, "init": init}
        self.generator = strided_generator(latent, shape, **how) if generator is None else generator  # eq. (1) to (4)
        self.discriminator = strided_discriminator(shape, slope=slope, **how) if discriminator is None else discriminator
        self.averaged = moving_average(self.generator, average) if average else None
        self.how, self.shape, self.rows, self.mixed = loss, tuple(shape), rows, mixed
        self.register_buffer("origin", torch.zeros(latent))

    def prior(self) -> Distribution:
        """p(z) = N(0, I): batch_shape [], event_shape [Z]."""
        return standard_normal(self.origin)

    def generate(self, n: int) -> Tensor:
        """n samples of the generator that plays, in one batch, with a gradient to its weights: [n, C, S, S].

        Raises:
            ValueError: the generator does not return that.
        """
        return checked_sample(self.generator(self.prior().sample((n,))), n, self.shape)  # [n, C, S, S]

    def discriminate(self, x: Tensor) -> Tensor:
        """The discriminator's logits, high for data; all rows share one batch: [B, C, S, S] -> [B].

        Raises:
            ValueError: the discriminator does not return one number a row.
        """
        return one_a_row(self.discriminator(x), len(x))  # [B]

    def discriminator_loss(self, x: Tensor) -> Tensor:
        """-V(D, G) from as many samples as data: [B, C, S, S] -> scalar, nats. No gradient reaches the generator.

        Raises:
            ValueError: x is not [batch, C, S, S] with batch >= 1 and values in [0, 1].
        """
        x = data_rows(x, self.shape, self.origin.dtype)
        with torch.no_grad():
            fake = self.generate(len(x))
        if self.mixed:
            real, false = self.discriminate(torch.cat([x, fake])).split(len(x))
        else:
            real, false = self.discriminate(x), self.discriminate(fake)  # eq. (5)
        return discriminator_loss(real, false)

    def generator_loss(self, _: None = None) -> Tensor:
        """What the generator descends, from `rows` samples: a scalar, nats."""
        return generator_loss(self.discriminate(self.generate(self.rows)), self.how)

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """G(z) for n draws of z, by the averaged generator where there is one, with running statistics: [n, C, S, S]."""
        generator, training = self.generator if self.averaged is None else self.averaged, self.training
        generator.eval()
        x = generator(self.prior().sample((n,)))
        generator.train(training)
        return x

    def players(self) -> list[Player]:
        """The discriminator; then the generator, which takes no data."""
        return [
            Player("discriminator", list(self.discriminator.parameters()), self.discriminator_loss),
            generator_player(self),
        ]
