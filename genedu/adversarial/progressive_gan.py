r"""Progressive GAN: first learn what an image looks like from far away, then add layers for ever finer detail.

Both networks start at a side of 4 and are doubled up to 1024, each time with the layers so far kept and trained on. New layers
are faded in by a factor alpha that rises from 0 to 1, in both networks and in the data (equations in `genedu/nn/growing.py`).
Four smaller things keep the players in balance at that size:

    weights of size one, scaled by He's constant when they are used        (`equalised.py`)                 (1)
    features of the generator with mean square one at each place           (`pixel_norm.py`)                (2)
    the critic sees how much the rows of a batch differ                    (`minibatch_deviation.py`)       (3)
    samples from a moving average of the generator's weights               (`averaging.py`)                 (4)

The game is the one of Wasserstein with gradient penalty: the critic f has no sigmoid, is a score with a slope near 1, and

    critic descends  E_fake[f] - E_data[f] + lambda E (|grad f| - 1)^2 + eps E_data[f^2]                    (5)
    generator descends  -E_fake[f]                                                                          (6)

eps, the drift, only keeps f near 0: all else in (5) does not change if a constant is added to f.

Source:   T. Karras, T. Aila, S. Laine, J. Lehtinen, "Progressive Growing of GANs for Improved Quality, Stability, and
          Variation", ICLR 2018: growing, (1) to (4) and eps = 0.001; I. Gulrajani et al., NIPS 2017, eq. 3: (5), lambda = 10.
Lecture:  "High dimensional faces using GANs".
Differs:  images are in [0, 1], and samples are clamped to it: a sigmoid would keep them there as well, but its slope dies where
          a score without bounds drives it, and in our trials all images turned black for good. Small default widths. The penalty
          takes the slope of the sum of all scores, as the authors' code does, though by (3) a row moves the others' a little.
"""

import math

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from genedu.adversarial.losses import gradient_penalty
from genedu.adversarial.parts import data_rows, standard_normal
from genedu.core import Player
from genedu.nn import GrowingCritic, GrowingGenerator, at_stage, growing_widths, moving_average


class ProgressiveGAN(nn.Module):
    """A Wasserstein GAN for images `[batch, C, S, S]` in [0, 1] that grows from side `start` to S = `max_resolution`.

    It is built whole: without `grow_to` it plays at side S from the beginning, which is the comparison. The batch always has side
    S and is made smaller where the networks are; samples have the networks' side. In the paper: `max_resolution=1024, channels=3,
    latent=512, base=16384, cap=512`.

    Args:
        start: the smallest side, at least 2; S is start times a power of two.
        channels: C of the images.
        latent: Z, the length of the noise.
        base, cap: the block of side R has min(cap, base / R) channels.
        grey: the level around which images start; the mean of the data is a good one.
        penalty: lambda of (5).
        drift: eps of (5).
        steps: of the critic a round.
        rows: of the generator's moves, which take no data.
        average: decay of the moving average of the generator's weights, which then draws the samples; 0 is none.

    Raises:
        ValueError: sides that are none of these; channels, latent, base, cap, steps or rows below 1; penalty or drift below 0 or
            not finite; average not in [0, 1).
    """

    origin: Tensor  # [Z], knows device and dtype

    def __init__(
        self,
        max_resolution: int = 8,
        *,
        start: int = 4,
        channels: int = 1,
        latent: int = 32,
        base: int = 256,
        cap: int = 32,
        grey: float = 0.5,
        penalty: float = 10.0,
        drift: float = 0.001,
        steps: int = 1,
        rows: int = 128,
        average: float = 0.0,
    ) -> None:
        super().__init__()
        doublings = (max_resolution // max(start, 1)).bit_length() - 1
        if start < 2 or doublings < 0 or start * 2**doublings != max_resolution:
            raise ValueError(f"max_resolution must be start (2 or more) doubled, got {max_resolution} from {start}")
        if min(channels, latent, base, cap, steps, rows) < 1:
            raise ValueError("channels, latent, base, cap, steps and rows must be at least 1")
        if not (0 <= penalty < math.inf and 0 <= drift < math.inf):
            raise ValueError(f"penalty and drift must be at least 0 and finite, got {penalty} and {drift}")
        self.sides = [start * 2**i for i in range(doublings + 1)]
        widths = growing_widths(self.sides, base, cap)
        self.generator = GrowingGenerator(latent, channels, self.sides, widths, grey=grey)  # eq. (1), (2)
        self.critic = GrowingCritic(channels, self.sides, widths)  # eq. (1), (3)
        self.averaged = moving_average(self.generator, average) if average else None  # eq. (4)
        self.shape = (channels, max_resolution, max_resolution)
        self.penalty, self.drift, self.steps, self.rows = penalty, drift, steps, rows
        self.side, self.moves, self.over = max_resolution, 0, 0
        self.register_buffer("origin", torch.zeros(latent))

    @property
    def alpha(self) -> float:
        """How far the newest layers are faded in, 0 to 1."""
        return min(1.0, self.moves / self.over) if self.over else 1.0

    def grow_to(self, side: int, *, over: int = 0) -> None:
        """Play at `side` from now on; alpha rises from 0 to 1 over the generator's next `over` moves (0: it is 1 at once).

        Raises:
            ValueError: the side is none of `sides`; over below 0, or above 0 at the smallest side, which has no old way.
        """
        if side not in self.sides:
            raise ValueError(f"side must be one of {self.sides}, got {side}")
        if over < 0 or (over and side == self.sides[0]):
            raise ValueError(f"over must be at least 0, and 0 at the smallest side {self.sides[0]}, got {over}")
        self.side, self.moves, self.over = side, 0, over

    def get_extra_state(self) -> dict[str, int]:
        """The stage, for `state_dict`. To resume a run of `fit`, call `grow_to` as before it: the stage says who plays."""
        return {"side": self.side, "moves": self.moves, "over": self.over}

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.side, self.moves, self.over = state["side"], state["moves"], state["over"]

    def prior(self) -> Distribution:
        """p(z) = N(0, I): batch_shape [], event_shape [Z]."""
        return standard_normal(self.origin)

    def generate(self, n: int) -> Tensor:
        """n samples of the generator that plays, not clamped, with a gradient to its weights: [n, C, side, side]."""
        return self.generator(self.prior().sample((n,)), self.side, self.alpha)

    def score(self, x: Tensor) -> Tensor:
        """f(x), high for data; it depends on the other rows by (3): [B, C, side, side] -> [B]."""
        return self.critic(x, self.side, self.alpha).squeeze(1)

    def critic_loss(self, x: Tensor) -> Tensor:
        """(5), from as many samples as data: [B, *shape] -> scalar. No gradient reaches the generator.

        Raises:
            ValueError: x is not [batch, *shape] with batch >= 1 and values in [0, 1].
        """
        x = at_stage(data_rows(x, self.shape, self.origin.dtype), self.side, self.alpha)  # [B, C, side, side]
        with torch.no_grad():
            fake = self.generate(len(x))
        real = self.score(x)  # [B]
        slope = gradient_penalty(self.score, x, fake)
        return self.score(fake).mean() - real.mean() + self.penalty * slope + self.drift * real.square().mean()  # eq. (5)

    def generator_loss(self, _: None = None) -> Tensor:
        """(6), from `rows` samples: a scalar."""
        return -self.score(self.generate(self.rows)).mean()  # eq. (6)

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """Images for n draws of z, by the averaged generator where there is one, clamped to [0, 1]: [n, C, side, side]."""
        generator = self.generator if self.averaged is None else self.averaged
        return generator(self.prior().sample((n,)), self.side, self.alpha).clamp(0, 1)

    def moved(self) -> None:
        """After each of the generator's moves: alpha rises, the average follows."""
        self.moves += 1
        if self.averaged is not None:
            self.averaged.update_parameters(self.generator)

    def players(self) -> list[Player]:
        """The critic, then the generator, each with the parameters of this stage; all others are marked as not trainable."""
        critic, generator = (network.used(self.side, self.alpha) for network in (self.critic, self.generator))
        self.critic.requires_grad_(False), self.generator.requires_grad_(False)
        for w in critic + generator:
            w.requires_grad_()
        return [
            Player("critic", critic, self.critic_loss, steps=self.steps),
            Player("generator", generator, self.generator_loss, uses_data=False, after_step=self.moved),
        ]
