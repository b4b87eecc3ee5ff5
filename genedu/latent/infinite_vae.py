r"""Infinite VAE: a mixture of VAEs whose number grows with the data.

One VAE must explain all kinds of images with one decoder and one cloud of latents. Here each row first chooses a component c by a
Chinese restaurant process, then that VAE makes the row. Which VAEs there are, and who belongs to whom, is learned in turns: rows
are assigned given the VAEs, VAEs take a few gradient steps on their own rows.

    c ~ CRP(alpha),   z ~ N(0, I),   x ~ p_c(x|z),   z with its own decoder and its own encoder q_c(z|x)     (1)
    J = sum_i L_{c_i}(x_i) + log P(c),   L_c(x) <= log p_c(x)  the importance-weighted bound of VAE c       (2)
    P(c_i = k | the rest) ~ n_-i,k exp L_k(x_i),  or  alpha / E exp L_s(x_i)  for E newcomers s              (3)
    log p(x) >= E log sum_k pi_k exp L_k(x),   pi_k = n_k / n                                               (4)
    r_k(x) = pi_k exp L_k(x) / sum_j pi_j exp L_j(x)                                                        (5)
    p(y|x) = sum_k r_k(x) p(y|x, k),   p(y|x, k) = softmax(W_k mu_k(x) + b_k)                               (6)

log P(c) and sweeps by (3) are those of chinese_restaurant.py, the training loop is in infinite_fit.py, (6) in label_heads.py. In
(4) exp L_k is an unbiased estimate of p_k(x), so that (4) is a bound by Jensen, whatever the noise. In (3) and (5) a component
with a tight bound takes rows from one that models them better but is worse inferred; more samples in L make that smaller. An
untrained newcomer never wins a row from trained VAEs, so it is first warmed up on a badly explained row and its neighbours.

Source:   M. E. Abbasnejad, A. Dick, A. van den Hengel, "Infinite Variational Autoencoder for Semi-Supervised Learning", CVPR
          2017: mixture of VAEs, Dirichlet process integrated out, use for few labels (its abstract); L_c with an encoder and a
          decoder a component (the lecture's formula). R. Neal, J. Comp. Graph. Statistics 9, 2000: (3) is algorithm 8.
Lecture:  "Infinite Variational Autoencoders", "Infinite VAEs", "Mixture of Autoencoders".
Differs:  (2) to (6) and the training are derived here from (1): the authors' sampler, settings and tables were not at hand. VAEs
          are point estimates, so that newcomers are warmed up instead of drawn from a base measure, and sweeps climb J with noise
          rather than sample a posterior. (4) leaves out the mass alpha / (n + alpha) of components not yet seen.
"""

import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from genedu.core import Batch, Player, fitted_buffers, seeded
from genedu.fit import Adam, History
from genedu.latent.infinite_fit import Pace, as_many_components, climb, trainer
from genedu.latent.label_heads import fit_heads, mix_heads
from genedu.latent.vae import VAE


class InfiniteVAE(nn.Module):
    """Mixture of VAEs, trained by `fit_gibbs(x, sweeps)`; with a fixed number of components also by `fit(model, x)`.

    Args:
        alpha: of the Chinese restaurant process: the larger, the more components.
        build: makes one component, which offers what `VAE` offers; by default a `VAE(8)` with 64 hidden units.
        components: K at the start.

    Raises:
        ValueError: alpha is not positive and finite, components below 1.
    """

    components: Any  # nn.ModuleList of K modules that offer what `VAE` offers
    counts: Tensor  # n_k, [K]
    heads: Tensor  # (W_k, b_k), [K, Y, Z+1]

    def __init__(self, alpha: float, *, build: Callable[[], nn.Module] | None = None, components: int = 1) -> None:
        super().__init__()
        if not 0 < alpha < math.inf or components < 1:
            raise ValueError(f"alpha must be positive and finite, components at least 1; got {alpha} and {components}")
        self.alpha, self.build = alpha, build or (lambda: VAE(8, hidden=64))
        self.components = nn.ModuleList(self.build() for _ in range(components))
        self.register_buffer("counts", torch.zeros(components))
        fitted_buffers(self, "heads")
        self.register_load_state_dict_pre_hook(as_many_components)

    @property
    def weights(self) -> Tensor:
        """pi in (4): [K]; all the same before the first `fit_gibbs`."""
        n = self.counts + (self.counts.sum() == 0)
        return n / n.sum()

    def bounds(self, x: Tensor, samples: int) -> Tensor:
        """L_k(x) of each component, in nats: [B, ...] -> [B, K]. Raises as the components do for bad x or samples."""
        return torch.stack([c.log_prob_bound(x, samples) for c in self.components], 1)

    def log_joint(self, x: Tensor, samples: int) -> Tensor:
        """log [pi_k exp L_k(x)] in nats: [B, ...] -> [B, K]."""
        bounds = self.bounds(x, samples)
        return self.weights.log().to(bounds.dtype) + bounds

    def log_prob_bound(self, x: Tensor, samples: int) -> Tensor:
        """(4) with `samples` draws a component, in nats: [B, ...] -> [B]."""
        return self.log_joint(x, samples).logsumexp(1)  # eq. (4)

    def elbo(self, x: Tensor) -> Tensor:
        """(4) with one draw a component, in nats: [B, ...] -> [B]. Of a single component it is that VAE's own `elbo`."""
        return self.components[0].elbo(x) if len(self.components) == 1 else self.log_prob_bound(x, 1)

    def responsibilities(self, x: Tensor, samples: int = 20) -> Tensor:
        """(5), how likely each component made the row: [B, ...] -> [B, K]."""
        return self.log_joint(x, samples).softmax(1)  # eq. (5)

    def outlier_score(self, x: Tensor, samples: int = 20) -> Tensor:
        """Minus (4) in nats, high for rows that no component explains: [B, ...] -> [B]."""
        return -self.log_prob_bound(x, samples)

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """Draw x: first a component by pi, then from its VAE: [n, ...].

        Raises:
            ValueError: n below 1.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        c = torch.multinomial(self.weights, n, replacement=True)  # [n]
        x = torch.stack([component.sample(n) for component in self.components])  # [K, n, ...]
        return x[c, torch.arange(n, device=c.device)]  # eq. (1)

    def loss(self, x: Tensor) -> Tensor:
        """Mean of -log sum_k pi_k exp ELBO_k(x), nats; of one component its own loss. Exact KLs: less noise than (4)."""
        if len(self.components) == 1:
            return self.components[0].loss(x)
        elbos = torch.stack([c.elbo(x) for c in self.components], 1)  # [B, K], from one draw each
        return -(self.weights.log().to(elbos.dtype) + elbos).logsumexp(1).mean()

    def fit_gibbs(
        self,
        x: Tensor,
        sweeps: int,
        *,
        how: str = "gibbs",
        newcomers: int = 1,
        warm_up: int = 50,
        neighbours: int = 30,
        passes: float = 4.0,
        samples: int = 5,
        batch_size: int = 64,
        lr: float = 3e-3,
        optimizer: Callable[..., torch.optim.Optimizer] = Adam,
        augment: Callable[[Batch], Batch] | None = None,
        temper: Callable[[float], float] | None = None,
        start: Tensor | None = None,
        callback: Callable[[int, History], None] | None = None,
        seed: int = 0,
        progress: bool | None = None,
    ) -> History:
        """Sweeps over all rows, [N, ...]. A second call goes on, with other rows if they are given. Leaves it in eval mode.

        Args:
            how: "gibbs" or "metropolis".
            newcomers: fresh components offered in each sweep; 0 keeps components from being born.
            warm_up: Adam steps of a newcomer on `neighbours` rows before it is judged (and of the first ones on their rows).
            passes: over a component's rows in each sweep, by `optimizer` with `lr`, `batch_size` and `augment` as in `fit`.
            samples: in the bounds L_k.
            temper: factor on L_k in (3), as a function of sweep / sweeps.
            start: each row's component, 0..K-1, [N]. By default drawn from (5); before the first fit by k-means++.
            callback: called as `callback(sweep, history)` after each sweep.

        Returns:
            A sweep's `losses["gibbs"]` is -J / n, nats a row; `watched` has the number of "components", the share of rows that
            "moved" and the mean "bound" of a row under its component.

        Raises:
            ValueError: no rows, unknown `how`, numbers that make no sense, a start that is not N components; bad x.
            FloatingPointError: a loss or a bound is not finite.
        """
        progress = os.environ.get("GENEDU_PROGRESS") != "0" if progress is None else progress
        with seeded(seed):
            improve = trainer(lr, batch_size, optimizer, augment)
            pace = Pace(how, newcomers, warm_up, neighbours, passes, samples, batch_size, temper)
            return climb(self, x.to(self.counts.device), sweeps, start, improve, pace, callback, progress)

    def take(self, components: Sequence[nn.Module], c: Tensor) -> None:
        """Hold these components, with as many rows each as c [N] says. Label heads, made for others, are forgotten."""
        self.components = nn.ModuleList(components)
        self.counts = torch.bincount(c, minlength=len(components)).to(self.counts)
        self.heads = self.heads.new_empty(0)

    def codes(self, x: Tensor) -> Tensor:
        """mu_k(x) in (6), the means of the components' posteriors: [B, ...] -> [B, K, Z]."""
        return torch.stack([c.posterior(x).mean for c in self.components], 1)

    @torch.no_grad()
    def fit_labels(self, x: Tensor, y: Tensor, *, classes: int | None = None, l2: float = 0.1, samples: int = 20) -> None:
        """Fit the heads of (6) to rows [B, ...] with labels [B] (long); all else stays as it is.

        Y is `classes`, by default the largest label plus one; l2 is the weight of the penalty on W and b.

        Raises:
            ValueError: y is not a label 0..Y-1 for each row, l2 is not positive; bad x.
        """
        self.heads = fit_heads(self.codes(x), self.responsibilities(x, samples), y, classes, l2)

    @torch.no_grad()
    def predict_proba(self, x: Tensor, samples: int = 20) -> Tensor:
        """p(y|x) of (6): [B, ...] -> [B, Y].

        Raises:
            ValueError: no labels were fitted since the components were.
        """
        if self.heads.numel() == 0:
            raise ValueError("there are no label heads for these components: call fit_labels(x, y) first")
        return mix_heads(self.codes(x), self.responsibilities(x, samples), self.heads)  # eq. (6)

    def players(self) -> list[Player]:
        return [Player("components", list(self.parameters()), self.loss)]
