r"""Probabilistic PCA: the latent-variable model whose likelihood, posterior and best parameters are all known in closed form.

A row is a point of a plane plus noise that is the same in all directions. All is linear and Gaussian, so the integral over z is
solved, and nothing need be bounded. That makes it the truth against which a VAE with linear networks is held.

    z ~ N(0, I),  x|z ~ N(W z + m, sigma^2 I),  W [D, Q]                                                     (1)
    p(x) = N(m, C),  C = W W' + sigma^2 I                                                                    (2)
    p(z|x) = N(z*(x), sigma^2 M^-1),  z*(x) = M^-1 W' (x - m),  M = W' W + sigma^2 I                         (3)
    log p(x) = -1/2 [|x - m - W z*|^2 / sigma^2 + |z*|^2 + log|M| + (D - Q) log sigma^2 + D log 2 pi]        (4)
    sigma^2 = mean of l_{Q+1} .. l_D,  W = U_Q (L_Q - sigma^2 I)^1/2 R                                       (5)
    1/n sum_i log p(x_i) = -1/2 [D log 2 pi + sum_{j <= Q} log l_j + (D - Q) log sigma^2 + D]  at (5)        (6)

Here l_1 >= .. >= l_D are the eigenvalues of the covariance of the rows (divided by n), U_Q has the first Q eigenvectors as its
columns, L_Q is the diagonal of the first Q eigenvalues, m is the mean. (5) is the global maximum for any rotation R: the
likelihood does not know R. `fit` takes R = I, so that M is diagonal and z_j goes along the jth axis of largest variance.

Source:   M. Tipping, C. Bishop, "Probabilistic Principal Component Analysis", J. R. Statist. Soc. B 61, 1999: (2) is in section
          3.1, (3) is eq. 6, (5) is eq. 7 and 8. (4) is ours: (2) by the matrix determinant lemma and Woodbury's identity, in a
          form that subtracts no large numbers; (6) is (2) at (5), where tr(C^-1 S) = D.
Lecture:  "Latent Variable Models"; "Variational Autoencoders".
Differs:  R = I, and each column of W has its largest entry positive, so that one data set gives one W.
"""

import math

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, MultivariateNormal, Normal

from genedu.core import Player, rows_of


class ProbabilisticPCA(nn.Module):
    """Gaussian with a covariance of Q strong directions and noise, for rows [B, D]; `fit(x)` in closed form, or by gradient.

    Args:
        latent: Q, below D.
        dim: D.

    Raises:
        ValueError: not 1 <= latent < dim.
    """

    def __init__(self, latent: int, dim: int) -> None:
        super().__init__()
        if not 1 <= latent < dim:
            raise ValueError(f"latent must be at least 1 and below dim, for noise needs a direction; got {latent} and {dim}")
        self.latent, self.dim = latent, dim
        self.W = nn.Parameter(torch.randn(dim, latent) / math.sqrt(dim))
        self.mean = nn.Parameter(torch.zeros(dim))
        self.log_sigma = nn.Parameter(torch.zeros(()))

    @property
    def sigma(self) -> Tensor:
        """Standard deviation of the noise, in units of x: []."""
        return self.log_sigma.exp()

    @property
    def covariance(self) -> Tensor:
        """C of (2): [D, D]."""
        return self.W @ self.W.T + self.sigma.square() * torch.eye(self.dim, device=self.W.device, dtype=self.W.dtype)

    @torch.no_grad()
    def fit(self, x: Tensor) -> "ProbabilisticPCA":
        """Maximum likelihood (5) of rows [B, D], worked out in double precision -> self.

        Raises:
            ValueError: x is not finite rows [batch, dim], or has no noise: all rows lie in one plane of `latent` dimensions.
        """
        x = rows_of(x, self.dim).to(self.W.device, torch.float64)
        values, vectors = torch.linalg.eigh(torch.cov(x.T, correction=0))  # [D] rising, [D, D]
        values, vectors = values.flip(0), vectors.flip(1)
        noise = values[self.latent :].mean()  # eq. (5)
        if noise <= 1e-12 * values[0]:
            raise ValueError(
                f"x must leave its best plane of {self.latent} dimensions, got {len(x)} rows that do not: the likelihood has no "
                "maximum; take a smaller latent or more rows"
            )
        axes = vectors[:, : self.latent]  # [D, Q]
        axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
        self.W.copy_(axes * (values[: self.latent] - noise).clamp(min=0).sqrt())  # eq. (5)
        self.mean.copy_(x.mean(0))
        self.log_sigma.copy_(0.5 * noise.log())
        return self

    def _precision(self) -> Tensor:
        """M of (3), sigma^2 times the precision of the posterior: [Q, Q]."""
        return self.W.T @ self.W + self.sigma.square() * torch.eye(self.latent, device=self.W.device, dtype=self.W.dtype)

    def prior(self) -> Distribution:
        """p(z) = N(0, I): batch_shape [], event_shape [Q]."""
        origin = torch.zeros(self.latent, device=self.W.device, dtype=self.W.dtype)
        return Independent(Normal(origin, torch.ones_like(origin), validate_args=False), 1)

    def posterior(self, x: Tensor) -> Distribution:
        """p(z|x) itself, not an approximation: [B, D] -> batch_shape [B], event_shape [Q]. Raises as `log_prob`."""
        root = torch.linalg.cholesky(self._precision())  # [Q, Q]
        z = torch.cholesky_solve(self.W.T @ (rows_of(x, self.dim).to(self.W.dtype) - self.mean).T, root).T  # [B, Q], eq. (3)
        covariance = self.sigma.square() * torch.cholesky_inverse(root)  # [Q, Q], eq. (3)
        scale = torch.linalg.cholesky(covariance).expand(len(x), -1, -1)  # [B, Q, Q]
        return MultivariateNormal(z, scale_tril=scale, validate_args=False)

    def conditional(self, z: Tensor) -> Distribution:
        """p(x|z) of (1): [..., Q] -> batch_shape [...], event_shape [D]."""
        return Independent(Normal(z @ self.W.T + self.mean, self.sigma, validate_args=False), 1)  # eq. (1)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x), exact, in nats: [B, D] -> [B].

        Raises:
            ValueError: x is not finite rows [batch, dim], at least one.
        """
        difference = rows_of(x, self.dim).to(self.W.dtype) - self.mean  # [B, D]
        root = torch.linalg.cholesky(self._precision())  # [Q, Q]
        z = torch.cholesky_solve(self.W.T @ difference.T, root).T  # [B, Q], eq. (3)
        distance = ((difference - z @ self.W.T) / self.sigma).square().sum(1) + z.square().sum(1)  # [B]
        log_det = 2 * root.diagonal().log().sum() + 2 * (self.dim - self.latent) * self.log_sigma  # []
        return -0.5 * (distance + log_det + self.dim * math.log(2 * math.pi))  # [B], eq. (4)

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """Draw n rows: [n, D].

        Raises:
            ValueError: n below 1.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        return self.conditional(self.prior().sample((n,))).sample()  # eq. (1)

    def loss(self, x: Tensor) -> Tensor:
        """Mean of -log p(x) over rows [B, D], in nats. Raises as `log_prob`."""
        return -self.log_prob(x).mean()

    def players(self) -> list[Player]:
        return [Player("model", list(self.parameters()), self.loss)]
