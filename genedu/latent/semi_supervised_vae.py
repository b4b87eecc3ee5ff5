r"""Semi-supervised VAE (M2): the class is a second latent variable, seen for some rows and inferred for the others.

A digit is a class y and a style z, drawn apart. For a row with a label the VAE's bound holds with y given. For a row without one
y is summed out, exactly, as there are only K classes; the weights q(y|x) come from a network: the classifier we are after.

    p(x, y, z) = p(x|y, z) p(y) p(z),  p(y) = 1/K,  p(z) = N(0, I)                                          (1)
    log p(x, y) >= E_q(z|x,y)[log p(x|y, z)] + log p(y) - KL(q(z|x, y) || p(z))  =: -L(x, y)                (2)
    log p(x) >= sum_y q(y|x) [-L(x, y) - log q(y|x)]  =: -U(x)                                              (3)
    loss = mean over rows of  L(x, y) - alpha log q(y|x)  with a label,  U(x) without                       (4)
    log p(x) >= E[log 1/S sum_s p(x, y_s, z_s) / (q(y_s|x) q(z_s|x, y_s))],  tighter with S                 (5)

(3) is largest in q(y|x) at softmax_y(-L(x, y)), where it is logsumexp_y(-L(x, y)): unlabelled rows teach the classifier Bayes'
rule. In (2) q(y|x) does not occur, so that without alpha labelled rows would not teach it at all. With one class (3) is the VAE.

Source:   D. Kingma, D. Rezende, S. Mohamed, M. Welling, "Semi-supervised Learning with Deep Generative Models", NIPS 2014,
          arXiv 1406.5298: (2) is eq. 6, (3) eq. 7, (4) eq. 8 and 9. (5) is the bound of Y. Burda et al., ICLR 2016, with y and z.
Lecture:  "Variational Autoencoders".
Differs:  alpha is the weight of each labelled row; the paper's alpha, the weight of their mean beside a sum over all rows, is the
          number of labelled rows times ours. p(y) is uniform, not learnt. Networks see x divided by its highest level.
"""

import math

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Independent, Normal

from genedu.core import Batch, Player, check_values, levels_of
from genedu.latent.likelihoods import likelihood_of
from genedu.latent.vae import kl_per_latent


class SemiSupervisedVAE(nn.Module):
    """VAE of discrete images with a class; a batch is (x, y), where y = -1 marks a row without a label.

    Args:
        latent: Z, the number of latent dimensions.
        classes: K.
        encoder: [N, C*H*W + K] -> [N, 2Z], the posterior's mean followed by its log sigma; y comes one-hot, after the pixels.
        decoder: [N, Z + K] -> N rows of C*H*W logits (categorical: C*H*W*levels, levels last), in any shape; y comes after z.
        classifier: [B, C*H*W] -> [B, K], the logits of q(y|x).
        likelihood: "bernoulli" (x is 0 or 1) or "categorical" (x is a level).
        alpha: weight of the classification term in (4). Where few rows have a label take it large, or the classes drift.
        shape: (C, H, W) of one image.
        levels: number of grey levels of the categorical likelihood.
        hidden: width of the default networks.

    Raises:
        ValueError: an unknown likelihood; latent or classes below 1, levels below 2; alpha below 0.
    """

    origin: Tensor  # [Z], knows device and dtype

    def __init__(
        self,
        latent: int = 8,
        classes: int = 10,
        *,
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
        classifier: nn.Module | None = None,
        likelihood: str = "bernoulli",
        alpha: float = 100.0,
        shape: tuple[int, int, int] = (1, 8, 8),
        levels: int = 17,
        hidden: int = 128,
    ) -> None:
        super().__init__()
        if likelihood not in ("bernoulli", "categorical"):
            raise ValueError(f"likelihood must be 'bernoulli' or 'categorical', got {likelihood!r}")
        if latent < 1 or classes < 1:
            raise ValueError(f"latent and classes must be at least 1, got {latent} and {classes}")
        if not alpha >= 0 or levels < 2:
            raise ValueError(f"alpha must be at least 0, levels at least 2, got {alpha} and {levels}")
        self.levels = 2 if likelihood == "bernoulli" else levels
        pixels, out = math.prod(shape), math.prod(shape) * (1 if likelihood == "bernoulli" else levels)
        self.encoder = encoder or net(pixels + classes, hidden, 2 * latent)
        self.decoder = decoder or net(latent + classes, hidden, out)
        self.classifier = classifier or net(pixels, hidden, classes)
        self.classes, self.likelihood, self.alpha, self.shape = classes, likelihood, alpha, tuple(shape)
        self.register_buffer("origin", torch.zeros(latent))

    def prior(self) -> Distribution:
        """p(z) = N(0, I): batch_shape [], event_shape [Z]."""
        return Independent(Normal(self.origin, torch.ones_like(self.origin), validate_args=False), 1)

    def class_posterior(self, x: Tensor) -> Categorical:
        """q(y|x): [B, C, H, W] -> batch_shape [B]. Raises as `elbo`."""
        return Categorical(logits=self.classifier(self._flat(x)), validate_args=False)

    def predict_proba(self, x: Tensor) -> Tensor:
        """q(y|x) as a table: [B, C, H, W] -> [B, K]. Raises as `elbo`."""
        return self.class_posterior(x).probs

    def posterior(self, x: Tensor, y: Tensor | None = None) -> Independent:
        """q(z|x, y) for labels y [B], or for each class in turn: [B, C, H, W] -> batch_shape [B] or [B, K]. Raises as `elbo`."""
        flat = self._flat(x)
        y = torch.arange(self.classes, device=flat.device).expand(len(x), -1) if y is None else self._labels(x, y, 0)
        pixels = flat if y.dim() == 1 else flat[:, None].expand(-1, self.classes, -1)  # [B, D] or [B, K, D]
        out = self.encoder(torch.cat([pixels, self._hot(y)], -1).flatten(0, -2)).unflatten(0, y.shape)  # [..., 2Z]
        mu, log_sigma = out.chunk(2, -1)
        return Independent(Normal(mu, log_sigma.exp(), validate_args=False), 1)

    def conditional(self, z: Tensor, y: Tensor) -> Distribution:
        """p(x|y, z): [..., Z] and classes [...] -> batch_shape [...], event_shape [C, H, W]."""
        flat = self.decoder(torch.cat([z, self._hot(y)], -1).reshape(-1, z.shape[-1] + self.classes))
        return likelihood_of(self.likelihood, flat, z.shape[:-1], self.shape, levels=self.levels)

    def class_elbos(self, x: Tensor) -> Tensor:
        """One-sample estimates of -L(x, y) of (2) for each class, in nats: [B, C, H, W] -> [B, K]. Raises as `elbo`."""
        q = self.posterior(x)
        z = q.rsample()  # [B, K, Z]
        every = torch.arange(self.classes, device=z.device).expand(len(x), -1)  # [B, K]
        reconstruction = self.conditional(z, every).log_prob(x[:, None].to(z.dtype))  # [B, K]
        return reconstruction - math.log(self.classes) - kl_per_latent(q).sum(-1)  # eq. (2)

    def elbo(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """(2) for a row with a label, (3) for one without; estimated from one z a class, in nats: [B, C, H, W], [B] -> [B].

        Raises:
            ValueError: x is not levels [batch, C, H, W]; y is not one of -1, 0 .. K - 1 for each row.
        """
        y = self._labels(x, y, -1)
        bounds, log_q = self.class_elbos(x), self.class_posterior(x).logits  # [B, K] each
        without = (log_q.exp() * (bounds - log_q)).sum(1)  # [B], eq. (3)
        given = bounds.gather(1, y.clamp(min=0)[:, None]).squeeze(1)  # [B], eq. (2)
        return torch.where(y < 0, without, given)

    def log_prob_bound(self, x: Tensor, y: Tensor | None = None, *, samples: int) -> Tensor:
        """(5) from S = `samples` draws, of log p(x, y) for a row with a label: [B, C, H, W], [B] -> [B] nats.

        Raises:
            ValueError: as `elbo`; fewer than one sample.
        """
        if samples < 1:
            raise ValueError(f"samples must be at least 1, got {samples}")
        y, q_y, q_z = self._labels(x, y, -1), self.class_posterior(x), self.posterior(x)
        drawn = q_y.sample((samples,))  # [S, B]
        label = torch.where(y < 0, drawn, y)
        log_q_y = torch.where(y < 0, q_y.log_prob(drawn), 0.0)  # [S, B]
        row = torch.arange(len(x), device=label.device)
        q = Independent(Normal(q_z.base_dist.loc[row, label], q_z.base_dist.scale[row, label], validate_args=False), 1)
        z = q.rsample()  # [S, B, Z]
        log_joint = self.prior().log_prob(z) - math.log(self.classes) + self.conditional(z, label).log_prob(x.to(z.dtype))
        return (log_joint - log_q_y - q.log_prob(z)).logsumexp(0) - math.log(samples)  # [B], eq. (5)

    @torch.no_grad()
    def sample(self, n: int, y: int | Tensor | None = None) -> Tensor:
        """Draw n images, of classes drawn from p(y), of class y, or of the n classes y: [n, C, H, W] long.

        Raises:
            ValueError: n below 1; y is no class, or not one for each image.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        z = self.prior().sample((n,))  # [n, Z]
        if not isinstance(y, Tensor):
            y = torch.randint(self.classes, (n,), device=z.device) if y is None else torch.full((n,), y, device=z.device)
        return self.conditional(z, self._labels(z, y, 0)).sample().long()  # eq. (1)

    def loss(self, batch: Batch) -> Tensor:
        """Eq. (4) of (x, y), or of x alone, a mean over rows, in nats. Raises as `elbo`."""
        x, y = batch if isinstance(batch, tuple) else (batch, None)
        y = self._labels(x, y, -1)
        log_q = self.class_posterior(x).logits.gather(1, y.clamp(min=0)[:, None]).squeeze(1)  # [B]
        return (-self.elbo(x, y) - self.alpha * log_q * (y >= 0)).mean()  # eq. (4)

    def players(self) -> list[Player]:
        return [Player("model", list(self.parameters()), self.loss)]

    def _flat(self, x: Tensor) -> Tensor:
        """What the networks see of x: [B, D] in [0, 1]."""
        return levels_of(x, self.levels, self.shape).flatten(1).to(self.origin.dtype) / (self.levels - 1)

    def _hot(self, y: Tensor) -> Tensor:
        return (y[..., None] == torch.arange(self.classes, device=y.device)).to(self.origin.dtype)  # [..., K]

    def _labels(self, x: Tensor, y: Tensor | None, lowest: int) -> Tensor:
        """y as long [B]; -1 for each row of x if there is none."""
        if y is None:
            return torch.full((len(x),), -1, device=x.device)
        if y.shape != (len(x),) or y.is_floating_point():
            raise ValueError(f"y must be one whole number for each of {len(x)} rows, got {y.dtype} {list(y.shape)}")
        y = y.long()  # first: of type uint8, -1 would be 255
        must = f"y must be a class 0..{self.classes - 1}" + (", or -1 for a row without a label" if lowest < 0 else "")
        check_values(y, lambda y: (y >= lowest) & (y < self.classes), must)
        return y


def net(inputs: int, hidden: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
