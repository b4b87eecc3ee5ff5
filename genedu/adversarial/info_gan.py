r"""InfoGAN: a GAN some of whose noise must be readable from the picture, so that it comes to mean something.

The generator's input is noise z and codes: a category c, even among K, and C numbers u, even in (-1, 1). A plain GAN may ignore
them. InfoGAN pays for information between codes and picture, bounded by a network Q that guesses the codes from the picture:

    min over G and Q, max over D of  V(D, G) - weight L,   L = L(c) + L(u)                                  (1)
    L(c) = E log Q(c|G(z, c, u)) + H(c)  =  I(c; x) - E KL(p(c|x) || Q(c|x))  <=  I(c; x)  <=  H(c) = log K    (2)
    L(u) = sum_j E log N(u_j; m_j(x), sigma^2) + C log 2  <=  C (log 2 - log(sigma sqrt(2 pi)))             (3)

(2) is tight where Q is the posterior. A number carries information without limit, so the entropy of an even code, log 2, is no
ceiling for (3): what (3) can report at most is set by sigma, by our choice. Below sigma = 1/sqrt(2 pi), 0.4, that exceeds log 2.
Q is a second head on the discriminator's trunk, and the discriminator's player owns and trains both: what D learns from real data
helps Q to read them, which a net of Q's own, fed with samples alone, would have to extrapolate.

Source:   X. Chen, Y. Duan, R. Houthooft, J. Schulman, I. Sutskever, P. Abbeel, "InfoGAN", NIPS 2016: (1) is eq. 6, (2) eq. 4-5.
Lecture:  "InfoGAN", "Representation learning".
Differs:  G descends -log D, not log(1 - D) as (1) has it; the noise is normal, theirs is even. The gain is ours, and so is the
          ceiling in (3) (the authors fix sigma, too); R1 and averaging are as in `GAN`.
"""

import math
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Independent, Normal
from torch.nn.functional import one_hot, softplus

from genedu.adversarial.losses import discriminator_loss, generator_loss, r1_penalty
from genedu.adversarial.parts import asked_classes, checked_sample, data_rows, dense_generator, generator_player
from genedu.core import Player, check_values
from genedu.nn import mlp, moving_average


class Codes(NamedTuple):
    """Q(c|x) and Q(u|x): batch_shape [B] each; the second has event_shape [C]."""

    category: Categorical
    numbers: Distribution


class InfoGAN(nn.Module):
    """The game (1) for data `[batch, *shape]`, with one category and some numbers as codes.

    Args:
        categories: K, of the code c.
        continuous: C, how many numbers u; may be 0.
        generator: [N, latent + K + C] -> [N, *shape]; its input is noise, one-hot category, numbers.
        trunk: [B, *shape] -> [B, features], of the discriminator and of Q; give `features` with it.
        weight: of L in (1); 0 is the plain GAN.
        gain: of the one-hot category beside noise of spread 1; a loud category takes the coarse differences, the noise the fine.
        sigma: of Q(u|x); None: Q says it too, and the ceiling of (3) is gone.
        latent, shape, rows, r1, average, hidden: as in `GAN`; latent is the length of the noise alone.

    Raises:
        ValueError: categories, latent or rows below 1; continuous, weight or r1 below 0; sigma not above 0;
            average not in [0, 1).
    """

    origin: Tensor  # [latent], knows device and dtype

    def __init__(
        self,
        categories: int = 10,
        continuous: int = 2,
        *,
        generator: nn.Module | None = None,
        trunk: nn.Module | None = None,
        features: int | None = None,
        weight: float = 1.0,
        gain: float = 3.0,
        sigma: float | None = 0.5,
        latent: int = 8,
        shape: tuple[int, ...] = (1, 8, 8),
        rows: int = 128,
        r1: float = 0.0,
        average: float = 0.0,
        hidden: int = 128,
    ) -> None:
        super().__init__()
        if min(categories, latent, rows) < 1:
            raise ValueError(f"categories, latent and rows must be at least 1, got {categories}, {latent} and {rows}")
        if continuous < 0 or not (0 <= weight < math.inf and 0 <= r1 < math.inf):
            raise ValueError(f"continuous, weight and r1 must be at least 0 and finite, got {continuous}, {weight} and {r1}")
        if sigma is not None and not 0 < sigma < math.inf:
            raise ValueError(f"sigma must be above 0 and finite, or None to be learnt, got {sigma}")
        pixels, features = math.prod(shape), features or hidden
        inputs, bends = latent + categories + continuous, partial(nn.LeakyReLU, 0.2)
        self.generator = dense_generator(inputs, 3 * [hidden], shape) if generator is None else generator
        if trunk is None:
            trunk = nn.Sequential(nn.Flatten(), mlp(pixels, hidden, hidden, features, activation=bends), bends())
        self.trunk = trunk
        self.discriminator = nn.Linear(features, 1)
        self.recogniser = nn.Linear(features, categories + continuous * (1 if sigma else 2))
        self.averaged = moving_average(self.generator, average) if average else None
        self.categories, self.continuous, self.weight, self.gain, self.sigma = categories, continuous, weight, gain, sigma
        self.shape, self.rows, self.r1 = tuple(shape), rows, r1
        self.register_buffer("origin", torch.zeros(latent))

    def draw(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """Noise [n, latent], categories [n] (long) and numbers [n, C], from their priors."""
        z = torch.randn(n, len(self.origin), device=self.origin.device, dtype=self.origin.dtype)
        c = torch.randint(self.categories, (n,), device=self.origin.device)
        u = 2 * torch.rand(n, self.continuous, device=self.origin.device, dtype=self.origin.dtype) - 1
        return z, c, u

    def assemble(self, z: Tensor, c: Tensor, u: Tensor) -> Tensor:
        """The generator's input, noise, gain times one-hot, numbers: [n, latent], [n], [n, C] -> [n, latent + K + C]."""
        return torch.cat([z, self.gain * one_hot(c, self.categories).to(z), u.to(z)], 1)

    def _generate(self, z: Tensor, c: Tensor, u: Tensor) -> Tensor:
        return checked_sample(self.generator(self.assemble(z, c, u)), len(z), self.shape)  # [n, *shape]

    def _features(self, x: Tensor) -> Tensor:
        h = self.trunk(x)
        if h.shape != (len(x), self.recogniser.in_features):
            want = [len(x), self.recogniser.in_features]
            raise ValueError(f"the trunk must return [batch, features] = {want}, got {list(h.shape)}")
        return h

    def discriminate(self, x: Tensor) -> Tensor:
        """The discriminator's logits, high for data: [B, *shape] -> [B]."""
        return self.discriminator(self._features(x)).view(len(x))  # [B]

    def codes(self, x: Tensor) -> Codes:
        """Q(c|x) and Q(u|x): what the recogniser reads from pictures [B, *shape].

        Raises:
            ValueError: x is not finite [B, *shape], images in [0, 1], with B >= 1; the trunk does not return [B, features].
        """
        return self._read(self._features(data_rows(x, self.shape, self.origin.dtype)))

    def _read(self, h: Tensor) -> Codes:
        out = self.recogniser(h)  # [B, K + C or K + 2 C]
        logits, mean, spread = out.tensor_split((self.categories, self.categories + self.continuous), 1)
        sigma = torch.full_like(mean, self.sigma) if self.sigma else softplus(spread) + 0.01  # [B, C]
        category = Categorical(logits=logits, validate_args=False)
        return Codes(category, Independent(Normal(mean, sigma, validate_args=False), 1))

    def bounds(self, q: Codes, c: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """L(c) of (2) and L(u) of (3), in nats, from Q and the codes that were drawn: two scalars."""
        category = q.category.log_prob(c).mean() + math.log(self.categories)  # eq. (2)
        return category, q.numbers.log_prob(u).mean() + self.continuous * math.log(2)  # eq. (3)

    @torch.no_grad()
    def information_bound(self, n: int = 1000) -> tuple[Tensor, Tensor]:
        """L(c) <= log K and L(u), in nats, each the mean over n samples; of the generator that draws the samples."""
        z, c, u = self.draw(n)
        return self.bounds(self.codes((self.averaged or self.generator)(self.assemble(z, c, u))), c, u)

    def discriminator_loss(self, x: Tensor) -> Tensor:
        """-V - weight L of (1) from as many samples as data, and R1: [B, *shape] -> scalar, nats. Leaves the generator alone.

        Raises:
            ValueError: x is not finite [batch, *shape], images in [0, 1], with batch >= 1.
        """
        x = data_rows(x, self.shape, self.origin.dtype)
        z, c, u = self.draw(len(x))
        with torch.no_grad():
            fake = self._generate(z, c, u)  # [B, *shape]
        h = self._features(fake)  # [B, features]
        loss = discriminator_loss(self.discriminate(x), self.discriminator(h).view(len(x)))
        loss = loss - self.weight * sum(self.bounds(self._read(h), c, u))  # eq. (1)
        return loss + self.r1 / 2 * r1_penalty(self.discriminate, x) if self.r1 else loss

    def generator_loss(self, _: None = None) -> Tensor:
        """What the generator descends, the non-saturating loss of `GAN` - weight L, from `rows` samples: a scalar, nats."""
        z, c, u = self.draw(self.rows)
        h = self._features(self._generate(z, c, u))  # [rows, features]
        loss = generator_loss(self.discriminator(h).view(self.rows))
        return loss - self.weight * sum(self.bounds(self._read(h), c, u))  # eq. (1)

    @torch.no_grad()
    def sample(self, n: int, *, category: Tensor | int | None = None, numbers: Tensor | None = None) -> Tensor:
        """n samples, by the averaged generator where there is one: [n, *shape]. What is not given is drawn from its prior.

        Args:
            category: one for all, or [n] whole numbers.
            numbers: [C] for all, or [n, C]; beyond (-1, 1) the generator extrapolates.

        Raises:
            ValueError: a category out of range or no whole number, or not n of them; numbers not finite or of another shape.
        """
        z, c, u = self.draw(n)
        if category is not None:
            c = asked_classes(category, n, self.categories, c.device, "category")
        if numbers is not None:
            if numbers.shape not in (u.shape, u.shape[1:]):
                raise ValueError(f"numbers must be {list(u.shape)}, or {list(u.shape[1:])} for all, got {list(numbers.shape)}")
            check_values(u := numbers.to(u).expand_as(u), torch.isfinite, "numbers must be finite")
        return (self.averaged or self.generator)(self.assemble(z, c, u))

    def players(self) -> list[Player]:
        """The discriminator with the trunk and Q; then the generator, which takes no data."""
        judge = [*self.trunk.parameters(), *self.discriminator.parameters(), *self.recogniser.parameters()]
        return [
            Player("discriminator", judge, self.discriminator_loss),
            generator_player(self),
        ]
