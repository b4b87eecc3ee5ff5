r"""Autoregressive VAE: a decoder that sees some of the pixels it has drawn, so that the latent need not tell all details.

A factorised decoder draws each pixel from z alone: what z does not tell, it blurs, or draws as noise. Let it see a window of
earlier pixels, too. Its likelihood is a product of conditionals for each z, and the ELBO is what it was:

    p(x|z) = prod_i p(x_i | x_window(i), z),   p(x) = int p(z) p(x|z) dz                                     (1)
    log p(x) >= E_q[log p(x|z)] - KL(q(z|x) || p(z))  =: ELBO(x)                                            (2)
    q(z|x): z_0 ~ N(mu(x), sigma(x)^2), then steps of the inverse autoregressive flow                        (3)
    log p(x) >= E[log 1/K sum_k p(x, z_k) / q(z_k|x)],  z_k ~ q                                             (4)
    loss = mean over rows of -E_q[log p(x|z)] + beta max(lambda, mean over rows of KL(q(z|x) || p(z)))       (5)

Window 0 is the VAE. As the window grows, z is left with what the window cannot see. With all earlier pixels in it nothing is
left: for a decoder able to be p(x) by itself, z saves at most the KL that it costs, and less where q is not the exact
posterior. So the *optimum* of (2) has q(z|x) = p(z). This posterior collapse is no failure of the optimiser. Who wants a z must
weaken the window, or let lambda nats be free.

Source:   I. Gulrajani et al., "PixelVAE", ICLR 2017, arXiv 1611.05013: (1); D. Kingma et al., "Improving Variational Inference
          with Inverse Autoregressive Flow", NIPS 2016: (3), and free bits, (5); X. Chen et al., "Variational Lossy
          Autoencoder", ICLR 2017: the window; Y. Burda, R. Grosse, R. Salakhutdinov, ICLR 2016: (4).
Lecture:  "Problems with VAEs" (use autoregressive networks in encoder and decoder).
Differs:  z enters as a map, added in each layer; lambda in (5) is for all latents together, not for each one.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal
from torch.nn.functional import cross_entropy

from genedu.core import Player, levels_of
from genedu.latent.inverse_autoregressive_flow import InverseAutoregressiveFlow
from genedu.latent.vae import ElboTerms, kl_per_latent
from genedu.nn import PixelNet
from genedu.nn.draw import positive
from genedu.nn.raster import fill
from genedu.nn.window_net import WindowNet

CONTEXT = 16  # numbers in h, what the flow is told of x
MAP = 8  # features of the map that z becomes
ROWS = 512  # images in one pass of the importance-weighted bound


class AutoregressiveVAE(nn.Module):
    """Images [B, 1, H, W] of levels 0 .. levels - 1, trained by `fit(model, x)`.

    Args:
        latent: Z.
        window: k, the rows above and the columns to either side that a pixel sees (genedu.nn.window_net); 0: none, k as large
            as the image: all earlier ones. None: the PixelCNN of chapter 4, whose layers each see farther.
        flow_steps: T of (3); 0: the posterior is a diagonal Gaussian.
        levels: values of a pixel, L.
        shape: (1, H, W).
        encoder: images [B, 1, H, W], scaled to -1 .. 1, -> [B, 2Z], mean and log sigma; with a flow 16 more numbers, its h.
        beta, free_bits: weight of the KL and lambda in (5), nats.
        hidden, layers, dropout, gated: of the decoder's net, as of `PixelCNN`; `gated` is for window=None only.
        width: units of the hidden layer in the encoder, and between z and its map.

    Raises:
        ValueError: latent below 1, flow_steps or window below 0; beta or free_bits negative; more than one colour.
    """

    origin: Tensor  # zeros [Z]

    def __init__(
        self,
        latent: int,
        window: int | None = None,
        flow_steps: int = 0,
        *,
        levels: int = 17,
        shape: tuple[int, int, int] = (1, 8, 8),
        encoder: nn.Module | None = None,
        beta: float = 1.0,
        free_bits: float = 0.0,
        hidden: int = 24,
        layers: int = 3,
        dropout: float = 0.0,
        gated: bool = False,
        width: int = 128,
    ) -> None:
        super().__init__()
        least = {"latent": (latent, 1), "window": (window or 0, 0), "flow_steps": (flow_steps, 0), "levels": (levels, 2)}
        for name, (n, low) in least.items():
            if type(n) is not int or n < low:
                raise ValueError(f"{name} must be a whole number of at least {low}, got {n!r}")
        if not (beta >= 0 and free_bits >= 0) or len(shape) != 3 or shape[0] != 1:
            raise ValueError(f"beta, free_bits must be at least 0, shape (1, H, W), got {beta}, {free_bits}, {shape}")
        pixels, context = math.prod(shape), CONTEXT if flow_steps else 0
        self.levels, self.shape, self.beta, self.free_bits = levels, tuple(shape), beta, free_bits
        self.encoder = encoder or nn.Sequential(
            nn.Flatten(), nn.Linear(pixels, width), nn.ReLU(), nn.Linear(width, 2 * latent + context)
        )
        self.flow = InverseAutoregressiveFlow(latent, steps=flow_steps, context=context) if flow_steps else None
        to_map = nn.Linear(width, MAP * pixels), nn.Unflatten(1, (MAP, *shape[1:]))
        self.spread = nn.Sequential(nn.Linear(latent, width), nn.ReLU(), *to_map)  # z -> a map [N, MAP, H, W]
        sizes: dict[str, Any] = {"condition": MAP, "hidden": hidden, "layers": layers, "dropout": dropout}
        if window is None:
            self.net: Any = PixelNet(levels, torch.zeros(levels), shape, stack="gated" if gated else "plain", **sizes)
        else:
            self.net = WindowNet(levels, shape, window=window, **sizes)
        self.register_buffer("origin", torch.zeros(latent))  # knows device and dtype

    def prior(self) -> Distribution:
        """p(z) = N(0, I): batch_shape [], event_shape [Z]."""
        return Independent(Normal(self.origin, torch.ones_like(self.origin), validate_args=False), 1)

    def base(self, x: Tensor) -> tuple[Distribution, Tensor | None]:
        """The law of z_0 in (3), batch_shape [B], event_shape [Z], and h [B, 16]; without a flow q(z|x) itself, and None.

        Raises:
            ValueError: x is not levels of the model's size; the encoder returns too few or too many numbers.
        """
        levels_of(x, self.levels, self.shape)
        told = self.encoder(2 * x.to(self.origin.dtype) / (self.levels - 1) - 1)  # [B, 2Z + C]
        z, context = len(self.origin), CONTEXT if self.flow else 0
        if told.shape != (len(x), 2 * z + context):
            raise ValueError(f"the encoder must return [batch, {2 * z + context}] numbers, got {list(told.shape)}")
        mu, log_sigma, h = told.split([z, z, context], 1)
        return Independent(Normal(mu, log_sigma.exp(), validate_args=False), 1), h if self.flow else None

    def infer(self, x: Tensor, samples: int) -> tuple[Tensor, Tensor]:
        """Draws z of (3), and log q(z|x) in nats: [B, 1, H, W] -> [K, B, Z], [K, B]. Raises as `base`."""
        q, h = self.base(x)
        z = q.rsample((samples,))  # [K, B, Z]
        log_q = q.log_prob(z)
        if self.flow is not None:
            z, log_det = self.flow(z, None if h is None else h.expand(samples, -1, -1))
            log_q = log_q - log_det
        return z, log_q

    def log_conditional(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) of (1) in nats: [B, 1, H, W], [B, Z] -> [B]."""
        f = self.net(x, self.spread(z))  # [B, H, W, L]
        return -cross_entropy(f.flatten(0, 2), x.flatten(), reduction="none").view(len(x), -1).sum(1)  # eq. (1)

    def elbo_terms(self, x: Tensor) -> ElboTerms:
        """The two terms of (2) in nats, the KL exact without a flow and else from the same z: [B, 1, H, W] -> [B] and [B].

        Raises as `base`.
        """
        if self.flow is None:
            q, _ = self.base(x)
            z, kl = q.rsample(), kl_per_latent(q).sum(-1)  # [B, Z], [B]
        else:
            z, log_q = (v[0] for v in self.infer(x, 1))
            kl = log_q - self.prior().log_prob(z)
        return ElboTerms(self.log_conditional(x.long(), z), kl)

    def elbo(self, x: Tensor) -> Tensor:
        """Unbiased estimate of (2) from one z, in nats: [B, 1, H, W] -> [B]. Raises as `base`."""
        reconstruction, kl = self.elbo_terms(x)
        return reconstruction - kl  # eq. (2)

    def log_prob_bound(self, x: Tensor, samples: int) -> Tensor:
        """Importance-weighted bound (4) from K = `samples` draws, in nats: [B, 1, H, W] -> [B].

        Raises:
            ValueError: fewer than one sample; x as in `base`.
        """
        if samples < 1:
            raise ValueError(f"samples must be at least 1, got {samples}")
        z, log_q = self.infer(x, samples)
        x = x.long()
        some = z.split(max(1, ROWS // len(x)))  # few samples at a time: all K B images at once would need K times the memory
        likelihood = torch.cat([self.log_conditional(x.repeat(len(s), 1, 1, 1), s.flatten(0, 1)) for s in some]).view(-1, len(x))
        return (likelihood + self.prior().log_prob(z) - log_q).logsumexp(0) - math.log(samples)  # eq. (4)

    def loss(self, x: Tensor) -> Tensor:
        """Eq. (5), a mean over rows, in nats. Raises as `base`."""
        reconstruction, kl = self.elbo_terms(x)
        return self.beta * kl.mean().clamp(min=self.free_bits or -math.inf) - reconstruction.mean()  # eq. (5)

    def players(self) -> list[Player]:
        return [Player("model", list(self.parameters()), self.loss)]

    @torch.no_grad()
    def sample(self, n: int, z: Tensor | None = None, *, temperature: float = 1.0, cached: bool = True) -> Tensor:
        """Draw z from the prior, or take the z [n, Z] that are given, then the pixels one by one: [n, 1, H, W], long.

        Raises:
            ValueError: n below 1, z that does not fit, a temperature that is not above 0.
        """
        z = self.prior().sample((n,)) if z is None and n > 0 else z
        if z is None or z.shape != (n, len(self.origin)):
            raise ValueError(
                f"n must be at least 1 and z [n, {len(self.origin)}], got {n} and {z if z is None else list(z.shape)}"
            )
        positive(temperature)
        training = self.training
        self.eval()
        x = torch.zeros(n, *self.shape, dtype=torch.long, device=self.origin.device)
        c = self.spread(z)
        walk = self.net.walk(x, c) if cached else lambda r, column: self.net(x, c)[:, r, column]
        fill(x, 0, lambda _, r, column: walk(r, column), temperature)
        self.train(training)
        return x
