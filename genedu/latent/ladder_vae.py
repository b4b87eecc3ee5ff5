r"""Ladder VAE: a hierarchy of latents, inferred from the top down, each by what the data say and what the layer above expects.

    p(x, z) = p(z_L) prod_{i<L} p(z_i|z_{i+1}) p(x|z_1),   p(z_i|z_{i+1}) = N(mu_p, sigma_p^2)(z_{i+1})      (1)
    upwards, from x alone:   d_1 = up_1(x), d_i = up_i(d_{i-1}),   (m_i, s_i) = head_i(d_i)                  (2)
    1/sigma_q^2 = 1/s_i^2 + 1/sigma_p^2,   mu_q = sigma_q^2 (m_i / s_i^2 + mu_p / sigma_p^2)                (3)
    q(z_L|x) = N(m_L, s_L^2),   q(z_i|z_{i+1}, x) = N(mu_q, sigma_q^2)                                      (4)
    log p(x) >= E_q[log p(x|z_1)] - KL(q(z_L|x) || p(z_L)) - sum_{i<L} E_q KL(q(z_i|z_{i+1}, x) || p(z_i|z_{i+1}))  (5)
    loss = mean over rows of -E_q[log p(x|z_1)] + beta sum_i KL_i                                           (6)

(3) is Bayes' rule for Gaussians: what the data say of z_i, N(m_i, s_i^2) up to a factor, times what z_{i+1} expects, the very
p(z_i|z_{i+1}) of the model. In a chain of linear Gaussian layers (3) is exact, and (5) reaches log p(x). The upper layers are
learned last, and often never: a lower layer can do their work, and an unused one costs no KL. Warm-up (beta from 0 to 1) helps.

Source:   C. Sønderby, T. Raiko, L. Maaløe, S. Sønderby, O. Winther, "Ladder Variational Autoencoders", NIPS 2016,
          arXiv 1602.02282: (2) to (5); the importance-weighted bound as in genedu.latent.vae.
Lecture:  "Problems with VAEs".
Differs:  log sigma in place of a softplus; no batch normalisation, which mixes the rows; (3) is computed from log precisions.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Normal

from genedu.core import Player, check_values
from genedu.latent.likelihoods import LIKELIHOODS, likelihood_of


class LadderTerms(NamedTuple):
    reconstruction: Tensor  # [B] nats, E_q[log p(x|z_1)] from one z
    kl: Tensor  # [B, L] nats, layer 1 (next to x) first; each exact, given the layer above it


class Layer(NamedTuple):
    z: Tensor  # [K, B, Z_i]
    q: Normal  # of z_i
    p: Normal  # of z_i, given z_{i+1}


def merge(m: Tensor, log_s: Tensor, mu_p: Tensor, log_sigma_p: Tensor) -> tuple[Tensor, Tensor]:
    """(3): two Gaussians' means and log sigmas -> those of their product, normalised; any shapes that broadcast."""
    log_precision = torch.logaddexp(-2 * log_s, -2 * log_sigma_p)  # eq. (3)
    share = (-2 * log_s - log_precision).exp()  # of the data
    return share * m + (1 - share) * mu_p, -0.5 * log_precision  # eq. (3)


class LadderVAE(nn.Module):
    """Images [B, C, H, W], trained by `fit(model, x)`, with `schedule=warm_up(model)` for more than one layer.

    Args:
        latents: Z_1, ..., Z_L, the layer next to x first.
        likelihood, sigma, levels, shape: as of `VAE`.
        beta: weight of all KLs in (6); a plain attribute, which `warm_up` changes.
        hidden: width of the default networks.
        up: L networks, [B, C, H, W] -> d_1, then d_{i-1} -> d_i.
        heads: L networks, d_i -> [B, 2 Z_i], m_i and log s_i.
        down: L - 1 networks, z_{i+1} -> [N, 2 Z_i], mu_p and log sigma_p of z_i, that of z_1 first.
        decoder: z_1 -> N rows of C H W numbers (categorical: C H W levels, levels last).

    Raises:
        ValueError: an unknown likelihood, no layer or one without latents, too few or too many networks, beta below 0, sigma not
            above 0, levels below 2.
    """

    origin: Tensor  # zeros [Z], of the top layer

    def __init__(
        self,
        latents: Sequence[int] = (8, 4),
        *,
        likelihood: str = "categorical",
        beta: float = 1.0,
        shape: tuple[int, int, int] = (1, 8, 8),
        sigma: float = 0.2,
        levels: int = 17,
        hidden: int = 128,
        up: Sequence[nn.Module] | None = None,
        heads: Sequence[nn.Module] | None = None,
        down: Sequence[nn.Module] | None = None,
        decoder: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if likelihood not in LIKELIHOODS:
            raise ValueError(f"likelihood must be 'bernoulli', 'gaussian' or 'categorical', got {likelihood!r}")
        if not latents or min(latents) < 1 or not beta >= 0:
            raise ValueError(f"latents must be one number of at least 1 a layer, beta at least 0, got {latents} and {beta}")
        if not sigma > 0 or levels < 2:
            raise ValueError(f"sigma must be above 0, levels at least 2, got {sigma} and {levels}")
        pixels, n = math.prod(shape), len(latents)
        out = pixels * levels if likelihood == "categorical" else pixels
        sizes = [pixels] + [hidden] * n
        self.up = nn.ModuleList(up or (nn.Sequential(nn.Flatten(), nn.Linear(a, hidden), nn.ReLU()) for a in sizes[:-1]))
        self.heads = nn.ModuleList(heads or (nn.Linear(hidden, 2 * z) for z in latents))
        self.down = nn.ModuleList(
            down or (nn.Sequential(nn.Linear(b, hidden), nn.ReLU(), nn.Linear(hidden, 2 * a)) for a, b in pairwise(latents))
        )
        if (len(self.up), len(self.heads), len(self.down)) != (n, n, n - 1):
            raise ValueError(f"{n} layers need as many networks in up and heads, and one less in down")
        self.decoder = decoder or nn.Sequential(nn.Linear(latents[0], hidden), nn.ReLU(), nn.Linear(hidden, out))
        self.likelihood, self.beta, self.shape, self.sigma, self.levels = likelihood, beta, tuple(shape), sigma, levels
        self.register_buffer("origin", torch.zeros(latents[-1]))  # knows device and dtype

    def conditional(self, z: Tensor) -> Distribution:
        """p(x|z_1): [..., Z_1] -> batch_shape [...], event_shape [C, H, W]."""
        flat = self.decoder(z.reshape(-1, z.shape[-1]))  # [N, C*H*W] or [N, C*H*W*levels]
        return likelihood_of(self.likelihood, flat, z.shape[:-1], self.shape, levels=self.levels, sigma=self.sigma)

    def expect(self, i: int, above: Tensor) -> Normal:
        """p(z_i|z_{i+1}) of (1), i counted from 0: [..., Z_{i+1}] -> a Gaussian [..., Z_i]."""
        mu, log_sigma = self.down[i](above).chunk(2, -1)
        return Normal(mu, log_sigma.exp(), validate_args=False)  # eq. (1)

    def check(self, x: Tensor) -> None:
        """The door.

        Raises:
            ValueError: x has the wrong shape or values.
        """
        if x.shape[1:] != self.shape or len(x) == 0:
            raise ValueError(f"x must be [batch, {', '.join(map(str, self.shape))}] with batch >= 1, got {list(x.shape)}")
        top = {"bernoulli": 1, "categorical": self.levels - 1}.get(self.likelihood)
        if top is None:
            check_values(x, torch.isfinite, "x must be finite")
        else:
            check_values(x, lambda v: (v >= 0) & (v <= top) & (v == v.round()), f"x must be whole numbers 0 to {top}")

    def infer(self, x: Tensor, samples: int = 1) -> list[Layer]:
        """Draws of (4) with their q and p, layer 1 first: [B, C, H, W] -> L times z [K, B, Z_i] and two Gaussians.

        Raises:
            ValueError: x has the wrong shape or values.
        """
        self.check(x)
        d, told = x.to(self.origin.dtype), []
        for up, head in zip(self.up, self.heads, strict=True):
            d = up(d)
            told.append(head(d).expand(samples, -1, -1).chunk(2, -1))  # eq. (2), [K, B, Z_i] each
        layers: list[Layer] = []
        for i in reversed(range(len(told))):
            m, log_s = told[i]
            if not layers:
                p = Normal(torch.zeros_like(m), torch.ones_like(m), validate_args=False)
            else:
                p = self.expect(i, layers[0].z)
                m, log_s = merge(m, log_s, p.loc, p.scale.log())  # eq. (3): with what was drawn above
            q = Normal(m, log_s.exp(), validate_args=False)  # eq. (4)
            layers.insert(0, Layer(q.rsample(), q, p))
        return layers

    def elbo_terms(self, x: Tensor) -> LadderTerms:
        """The terms of (5), in nats: [B, C, H, W] -> [B] and [B, L]. Raises as `infer`."""
        layers = self.infer(x)
        kl = torch.stack([torch.distributions.kl_divergence(a.q, a.p).sum(-1)[0] for a in layers], -1)  # [B, L]
        return LadderTerms(self.conditional(layers[0].z).log_prob(x.to(self.origin.dtype))[0], kl)

    def elbo(self, x: Tensor) -> Tensor:
        """Unbiased estimate of (5) from one z, in nats: [B, C, H, W] -> [B]. Raises as `infer`."""
        reconstruction, kl = self.elbo_terms(x)
        return reconstruction - kl.sum(-1)  # eq. (5)

    def log_prob_bound(self, x: Tensor, samples: int) -> Tensor:
        """Importance-weighted bound from K = `samples` draws of (4), in nats: [B, C, H, W] -> [B].

        Raises:
            ValueError: fewer than one sample; x as in `infer`.
        """
        if samples < 1:
            raise ValueError(f"samples must be at least 1, got {samples}")
        layers = self.infer(x, samples)
        weight = self.conditional(layers[0].z).log_prob(x.to(self.origin.dtype))  # [K, B]
        for z, q, p in layers:
            weight = weight + (p.log_prob(z) - q.log_prob(z)).sum(-1)
        return weight.logsumexp(0) - math.log(samples)

    def loss(self, x: Tensor) -> Tensor:
        """Eq. (6), a mean over rows, in nats. Raises as `infer`."""
        reconstruction, kl = self.elbo_terms(x)
        return self.beta * kl.sum(-1).mean() - reconstruction.mean()  # eq. (6)

    def players(self) -> list[Player]:
        return [Player("model", list(self.parameters()), self.loss)]

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """Draw from the top down by (1), noise included, in the form of the data: [n, C, H, W]. n below 1 is a ValueError."""
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        z = torch.randn(n, len(self.origin), dtype=self.origin.dtype, device=self.origin.device)
        for i in reversed(range(len(self.down))):
            z = self.expect(i, z).sample()
        x = self.conditional(z).sample()
        return x if self.likelihood == "gaussian" else x.long()
