r"""Wasserstein GAN: the critic measures how far mass has to be carried from the samples to the data, and in which direction.

A discriminator of two laws that do not touch says "different" and no more, however near they are. A critic f that may not rise
by more than one unit a step of length one gives the distance itself:

    W1(p_data, p_g) = max_{|f|_L <= 1} E_data[f(x)] - E_z[f(G(z))]                                          (1)
    the critic descends     E_z[f(G(z))] - E_data[f(x)] + lambda E (|grad_x f(x^)| - 1)^2                   (2)
    the generator descends -E_z[f(G(z))]                                                                    (3)

(2) does not forbid steeper critics, it makes them pay, at places x^ evenly between a row of data and a sample. So its value is no
W1. In one dimension, with F the distribution functions and m the density of x^, the slope can be chosen at each place for itself:

    -min_f (2) = W1 + 1/(4 lambda) int (F_g - F_data)^2 / m dx,    at |f'| = 1 + |F_g - F_data| / (2 lambda m)              (4)

always too much unless the laws agree, the less so the larger lambda. Two points that lie d apart have |F_g - F_data| = 1 and
m = 1/d between them: the slope is 1 + d / (2 lambda), the value d + d^2 / (4 lambda). With lambda = 0 nothing holds f, and where
the laws differ (2) has no minimum.

Source:   M. Arjovsky, S. Chintala, L. Bottou, "Wasserstein GAN", ICML 2017: (1) is the dual form that it starts from;
          I. Gulrajani et al., "Improved Training of Wasserstein GANs", NIPS 2017: (2) is eq. 3, lambda 10, five steps a round.
          (4) is (2) written with F_g - F_data by parts, and a square completed at each place.
Lecture:  "Various Architectures"; "GANs for art" (GANgogh's critic); "High dimensional faces".
Differs:  the default critic has no constant at its end, as (2) does not see it. The averaged generator is that of `gan.py`.
"""

import math

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from genedu.adversarial.losses import gradient_penalty
from genedu.adversarial.parts import checked_sample, data_rows, dense_generator, generator_player, one_a_row, standard_normal
from genedu.core import Player
from genedu.nn import mlp, moving_average


class WassersteinGAN(nn.Module):
    """A generator and a critic, for data `[batch, *shape]`.

    Args:
        generator: [N, Z] -> [N, *shape].
        critic: [B, *shape] -> B numbers, high for data; each depends on its row alone (no batch norm).
        latent: Z, the length of the noise.
        shape: that of one row: (D,) for vectors, (C, H, W) for images in [0, 1].
        penalty: lambda of (2); 0 is none.
        steps: the critic's steps a round.
        rows: of the generator's moves, which take no data: as many as the minibatch of `fit` has by default.
        average: decay of the moving average of the generator's weights, which then draws the samples; 0 is none.
        hidden: width of the default networks, three layers each.

    Raises:
        ValueError: latent, steps or rows below 1; penalty below 0 or not finite; average not in [0, 1).
    """

    origin: Tensor  # [Z], knows device and dtype

    def __init__(
        self,
        generator: nn.Module | None = None,
        critic: nn.Module | None = None,
        *,
        latent: int = 8,
        shape: tuple[int, ...] = (2,),
        penalty: float = 10.0,
        steps: int = 5,
        rows: int = 128,
        average: float = 0.0,
        hidden: int = 128,
    ) -> None:
        super().__init__()
        if min(latent, steps, rows) < 1:
            raise ValueError(f"latent, steps and rows must be at least 1, got {latent}, {steps} and {rows}")
        if not 0 <= penalty < math.inf:
            raise ValueError(f"penalty must be at least 0 and finite, got {penalty}")
        self.generator = dense_generator(latent, 3 * [hidden], shape) if generator is None else generator
        body = mlp(math.prod(shape), hidden, hidden, hidden, activation=lambda: nn.LeakyReLU(0.2))
        self.critic = (
            nn.Sequential(nn.Flatten(), body, nn.LeakyReLU(0.2), nn.Linear(hidden, 1, bias=False)) if critic is None else critic
        )
        self.averaged = moving_average(self.generator, average) if average else None
        self.shape, self.penalty, self.steps, self.rows = tuple(shape), penalty, steps, rows
        self.register_buffer("origin", torch.zeros(latent))

    def prior(self) -> Distribution:
        """p(z) = N(0, I): batch_shape [], event_shape [Z]."""
        return standard_normal(self.origin)

    def generate(self, n: int) -> Tensor:
        """n samples of the generator that plays, with a gradient to its weights: [n, *shape].

        Raises:
            ValueError: the generator returns another shape.
        """
        return checked_sample(self.generator(self.prior().sample((n,))), n, self.shape)  # [n, *shape]

    def criticise(self, x: Tensor) -> Tensor:
        """f(x), high for data, in units of length: [B, *shape] -> [B].

        Raises:
            ValueError: the critic does not return one number a row.
        """
        return one_a_row(self.critic(x), len(x), who="critic", what="number")  # [B]

    def critic_loss(self, x: Tensor) -> Tensor:
        """(2), from as many samples as data: [B, *shape] -> scalar. No gradient reaches the generator.

        Raises:
            ValueError: x is not finite [batch, *shape], images in [0, 1], with batch >= 1.
        """
        x = data_rows(x, self.shape, self.origin.dtype)
        with torch.no_grad():
            fake = self.generate(len(x))
        loss = self.criticise(fake).mean() - self.criticise(x).mean()  # eq. (1)
        return loss + self.penalty * gradient_penalty(self.criticise, x, fake) if self.penalty else loss  # eq. (2)

    def generator_loss(self, _: None = None) -> Tensor:
        """(3), from `rows` samples: a scalar."""
        return -self.criticise(self.generate(self.rows)).mean()  # eq. (3)

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """G(z) for n draws of z, by the averaged generator where there is one: [n, *shape]."""
        generator = self.generator if self.averaged is None else self.averaged
        return generator(self.prior().sample((n,)))

    def players(self) -> list[Player]:
        """The critic, `steps` moves a round; then the generator, which takes no data."""
        return [
            Player("critic", list(self.critic.parameters()), self.critic_loss, steps=self.steps),
            generator_player(self),
        ]
