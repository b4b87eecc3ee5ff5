r"""Learnt priors over z: a mixture of Gaussians, and a mixture of the encoder's own posteriors.

The bound pays KL(q(z|x) || p(z)). Averaged over the data, that is the information that z has about x, plus KL(q(z) || p(z)),
where q(z) = E_x q(z|x) is the aggregate posterior. The second part is pure loss: q(z) is what the decoder is trained on, p(z)
what it is given when we sample. The best prior is q(z) itself, a mixture with a component a training image. These have fewer:

    p(z) = sum_k pi_k N(z; m_k, diag(s_k^2))                                       MixturePrior       (1)
    p(z) = 1/K sum_k q(z|u_k),  u_1 .. u_K trained, of the form of an image          VampPrior          (2)

Both are proper densities, and `sample` draws from what `log_prob` scores: first a component, then its Gaussian. In (2) nearly
all parameters are those of the encoder; as it learns, the prior follows.

Source:   J. Tomczak, M. Welling, "VAE with a VampPrior", AISTATS 2018: (2), and (1) for comparison.
Lecture:  "Latent Variable Models"; "Variational Autoencoders" (the slide has a fixed prior).
Differs:  pseudo-inputs are not kept within the range of pixels, and start where the caller says, best at some training images.
"""

import math

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Independent, MixtureSameFamily, Normal

from genedu.core import check_values, rows_of


def mixture(logits: Tensor, mean: Tensor, log_sigma: Tensor) -> Distribution:
    """(1): weights [K] by their logits, means and log sigmas [K, Z] -> batch_shape [], event_shape [Z]."""
    parts = Independent(Normal(mean, log_sigma.exp(), validate_args=False), 1)
    return MixtureSameFamily(Categorical(logits=logits, validate_args=False), parts, validate_args=False)  # eq. (1)


class MixturePrior(nn.Module):
    """Mixture of Gaussians over z; give it to a model as `prior=`, which trains it along.

    Args:
        latent: Z.
        components: K.

    Raises:
        ValueError: a count below 1.
    """

    def __init__(self, latent: int, components: int) -> None:
        super().__init__()
        if latent < 1 or components < 1:
            raise ValueError(f"latent and components must be at least 1, got {latent} and {components}")
        self.logits = nn.Parameter(torch.zeros(components))
        self.mean = nn.Parameter(torch.randn(components, latent) * math.sqrt(0.5))
        self.log_sigma = nn.Parameter(torch.full((components, latent), 0.5 * math.log(0.5)))  # in all, variance 1 as N(0, I)

    def forward(self) -> Distribution:
        """p(z) of (1): batch_shape [], event_shape [Z]."""
        return mixture(self.logits, self.mean, self.log_sigma)

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) of (1), exact, in nats: [B, Z] -> [B].

        Raises:
            ValueError: z is not finite rows [batch, latent], at least one.
        """
        return self().log_prob(rows_of(z, self.mean.shape[1]))

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """Draw n codes: [n, Z].

        Raises:
            ValueError: n below 1.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        return self().sample((n,))


class VampPrior(nn.Module):
    """Mixture of the posteriors at K trained pseudo-inputs, for a model that has the same encoder.

    Args:
        encoder: [K, C, H, W] -> [K, 2Z], mean and log sigma: the very module that is the model's encoder.
        pseudo_inputs: [K, C, H, W], where they start; a copy is trained.

    Raises:
        ValueError: no pseudo-inputs, or some not finite; an encoder that does not emit an even number of values for each.
    """

    def __init__(self, encoder: nn.Module, pseudo_inputs: Tensor) -> None:
        super().__init__()
        if pseudo_inputs.dim() < 2 or len(pseudo_inputs) == 0:
            raise ValueError(f"pseudo_inputs must be [components, ...] with components >= 1, got {list(pseudo_inputs.shape)}")
        check_values(pseudo_inputs, torch.isfinite, "pseudo_inputs must be finite")
        self.encoder = encoder
        self.pseudo_inputs = nn.Parameter(pseudo_inputs.detach().clone().to(next(encoder.parameters())))  # where the encoder is
        shape = encoder(self.pseudo_inputs).shape
        if len(shape) != 2 or shape[1] % 2 or shape[0] != len(pseudo_inputs):
            raise ValueError(f"the encoder must return [{len(pseudo_inputs)}, 2 * latent], got {list(shape)}")

    def forward(self) -> Distribution:
        """p(z) of (2): batch_shape [], event_shape [Z]."""
        mean, log_sigma = self.encoder(self.pseudo_inputs).chunk(2, dim=-1)  # [K, Z] each
        return mixture(torch.zeros_like(mean[:, 0]), mean, log_sigma)  # eq. (2)

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) of (2), exact, in nats: [B, Z] -> [B].

        Raises:
            ValueError: z is not finite rows [batch, latent], at least one.
        """
        p = self()
        return p.log_prob(rows_of(z, p.event_shape[0]))

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """Draw n codes: [n, Z].

        Raises:
            ValueError: n below 1.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        return self().sample((n,))
