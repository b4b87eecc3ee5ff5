r"""Gaussian mixture: the density of images, say, as a weighted sum of K Gaussians ("Attempt 1").

First a component is drawn, then the row from its Gaussian. Which component made a row is not seen; given the parameters Bayes'
rule guesses it (the responsibilities r), given the guesses the best parameters are weighted means. EM does the two in turn.

    p(x) = sum_k pi_k N(x; mu_k, Sigma_k),  Sigma_k = L_k L_k',  1 = sum_k pi_k                              (1)
    log p(x) = logsumexp_k [log pi_k + log N(x; mu_k, Sigma_k)]                                             (2)
    r_k(x) = p(k|x) = pi_k N(x; mu_k, Sigma_k) / p(x)                                                       (3)
    J = 1/n sum_i log p(x_i) - 1/2 sum_k [s log|Sigma_k| + tr(Sigma_k^-1 (s T + e I))]                      (4)

Without s and e, J is the log-likelihood a row, which has no maximum: put mu_1 on a row and let Sigma_1 shrink, and it grows for
ever. The ridge e bounds it. The shrinkage s adds to each component s n imagined rows of covariance T: of use where rows are few.
Both EM (`fit_em`, in the file em.py) and gradient steps (`fit`) climb J. Components that start equal stay equal in either.

Source:   C. Bishop, "Pattern Recognition and Machine Learning", 2006, section 9.2: (1) is eq. 9.7, (3) is eq. 9.13.
Lecture:  "Setup" (Attempt 1: learn p(x) directly).
Differs:  the penalty in (4), a log-prior divided by n (inverse Wishart, but for a constant), so that EM and gradient steps
          have one objective. scikit-learn adds e to each Sigma_k after the M step, which climbs no stated objective.
"""

import math
import os

import torch
from torch import Tensor, nn

from genedu.core import Batch, Player, rows_of
from genedu.density.em import climb, penalty
from genedu.fit import History


class GaussianMixture(nn.Module):
    """Mixture of K Gaussians for rows [B, D]; trained by `fit_em(x)` or by `fit(model, x)`.

    Args:
        components: K.
        dim: D.
        covariance: "full" (any), "diag" (a variance a dimension) or "spherical" (one variance).
        ridge: e in (4), in units of x squared; 0 is plain maximum likelihood, which may diverge.
        shrinkage: s in (4), imagined rows a component for each real row.
        target: T in (4), a covariance [D, D]; needed where s > 0.

    Raises:
        ValueError: a count below 1, an unknown covariance, a negative or infinite ridge or shrinkage; shrinkage without a
            symmetric and finite target [D, D].
    """

    target: Tensor  # T, [D, D]

    def __init__(
        self,
        components: int,
        dim: int,
        *,
        covariance: str = "full",
        ridge: float = 1e-6,
        shrinkage: float = 0.0,
        target: Tensor | None = None,
    ) -> None:
        super().__init__()
        for name, count in (("components", components), ("dim", dim)):
            if type(count) is not int or count < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {count!r}")
        if covariance not in ("full", "diag", "spherical"):
            raise ValueError(f"covariance must be 'full', 'diag' or 'spherical', got {covariance!r}")
        for name, value in (("ridge", ridge), ("shrinkage", shrinkage)):
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be finite and at least 0, got {value}")
        target = torch.zeros(dim, dim) if target is None and shrinkage == 0 else target
        if target is None or target.shape != (dim, dim) or not torch.equal(target, target.mT) or not target.isfinite().all():
            raise ValueError(f"shrinkage needs a target, a symmetric covariance [{dim}, {dim}], such as torch.cov(x.T)")
        self.components, self.dim, self.covariance = components, dim, covariance
        self.ridge, self.shrinkage = ridge, shrinkage
        self.register_buffer("target", target.detach().clone())
        self.logits = nn.Parameter(torch.zeros(components))  # pi = softmax
        self.mean = nn.Parameter(torch.randn(components, dim))
        self.log_sigma = nn.Parameter(torch.zeros(components, 1 if covariance == "spherical" else dim))  # log of L's diagonal
        if covariance == "full":
            self.below = nn.Parameter(torch.zeros(components, dim * (dim - 1) // 2))  # L below its diagonal, row by row

    @property
    def weights(self) -> Tensor:
        """pi: [K]."""
        return self.logits.softmax(0)

    def root(self) -> Tensor:
        """L in (1), lower triangular, [K, D, D]; or the standard deviations, [K, D] ("diag") or [K, 1] ("spherical")."""
        sigma = self.log_sigma.exp()
        if self.covariance != "full":
            return sigma
        k, i, j = torch.arange(self.components, device=sigma.device)[:, None], *self._lower()
        return sigma.diag_embed().index_put((k, i, j), self.below)

    def _lower(self) -> Tensor:
        """Rows and columns of the elements below the diagonal: [2, D (D - 1) / 2]."""
        return torch.tril_indices(self.dim, self.dim, -1, device=self.mean.device)

    def covariances(self) -> Tensor:
        """Sigma: [K, D, D]."""
        root = self.root() if self.covariance == "full" else self.root().expand(-1, self.dim).diag_embed()
        return root @ root.mT  # eq. (1)

    def log_joint(self, x: Tensor) -> Tensor:
        """log [pi_k N(x; mu_k, Sigma_k)] in nats: [B, D] -> [B, K]. Raises as `log_prob`."""
        difference = rows_of(x, self.dim).to(self.mean.dtype) - self.mean[:, None]  # [K, B, D]
        if self.covariance == "full":
            white = torch.linalg.solve_triangular(self.root(), difference.mT, upper=False).mT  # [K, B, D]
        else:
            white = difference / self.root()[:, None]  # [K, B, D]
        log_root = self.log_sigma.expand(-1, self.dim).sum(1)  # [K], half of log|Sigma|
        log_normal = -0.5 * white.square().sum(2).T - log_root - 0.5 * self.dim * math.log(2 * math.pi)  # [B, K]
        return self.logits.log_softmax(0) + log_normal  # [B, K]

    def log_prob(self, x: Tensor) -> Tensor:
        """(2) in nats: [B, D] -> [B].

        Raises:
            ValueError: x is not finite rows [batch, dim], at least one.
        """
        return self.log_joint(x).logsumexp(1)  # eq. (2): exp(-1000) is 0, its log-sum-exp is not

    def responsibilities(self, x: Tensor) -> Tensor:
        """(3), how likely each component made the row: [B, D] -> [B, K]. Raises as `log_prob`."""
        return self.log_joint(x).softmax(1)  # eq. (3)

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """Draw n rows: [n, D].

        Raises:
            ValueError: n below 1.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        k = torch.multinomial(self.weights, n, replacement=True)  # [n]
        eps = torch.randn_like(self.mean[k])  # [n, D]
        if self.covariance != "full":
            return self.mean[k] + self.root()[k] * eps  # eq. (1)
        for j, root in enumerate(self.root()):
            eps = torch.where(k[:, None] == j, eps @ root.T, eps)  # row by row L_k eps: all at once would need [n, D, D]
        return self.mean[k] + eps  # [n, D], eq. (1)

    @torch.no_grad()
    def fit_em(
        self,
        x: Tensor,
        max_iter: int = 100,
        tol: float = 1e-4,
        init: str | Tensor = "kmeans++",
        *,
        seed: int = 0,
        progress: bool | None = None,
    ) -> History:
        """EM steps on rows [B, D] until J grows by less than `tol` nats a row, in double precision.

        Args:
            init: "kmeans++" (far-apart rows as first means, each row to the nearest), means [K, D] used likewise, or "current":
                go on from the model's parameters.
            progress: show a bar; by default unless GENEDU_PROGRESS=0.

        Returns:
            At the start and after each step, `losses["em"]` is -J, `watched["log_likelihood"]` the mean of log p; nats a row.

        Raises:
            ValueError: x is not finite [B, dim], has fewer rows than components where these are started from rows; an unknown
                init, means of another shape or not finite.
            FloatingPointError: a component collapsed to a singular covariance (ridge = 0). The model is as before.
        """
        rows = len(rows_of(x, self.dim))
        if type(max_iter) is not int or max_iter < 0 or not tol >= 0:
            raise ValueError(f"max_iter must be a whole number and tol a number, both at least 0; got {max_iter!r} and {tol!r}")
        if isinstance(init, Tensor) and (init.shape != self.mean.shape or not init.isfinite().all()):
            raise ValueError(f"init must be means {list(self.mean.shape)}, got {list(init.shape)}; all must be finite")
        if not isinstance(init, Tensor) and init not in ("kmeans++", "current"):
            raise ValueError(f"init must be 'kmeans++', 'current' or a tensor of means, got {init!r}")
        if not isinstance(init, Tensor) and init == "kmeans++" and rows < self.components:
            raise ValueError(f"x must have at least a row for each of the {self.components} components, got {rows} rows")
        progress = os.environ.get("GENEDU_PROGRESS") != "0" if progress is None else progress
        return climb(self, x, max_iter, tol, init, seed, progress)

    @torch.no_grad()
    def assign(self, pi: Tensor, mean: Tensor, root: Tensor) -> None:
        """Take the parameters of (1): weights [K], means [K, D] and what `root()` returns."""
        diagonal = root.diagonal(dim1=1, dim2=2) if self.covariance == "full" else root  # [K, D]
        for parameter, value in ((self.logits, pi.log()), (self.mean, mean), (self.log_sigma, diagonal.log())):
            parameter.copy_(value)
        if self.covariance == "full":
            self.below.copy_(root[:, *self._lower()])

    def extra(self) -> Tensor:
        """s T + e I in (4): [D, D]."""
        identity = torch.eye(self.dim, device=self.mean.device, dtype=self.mean.dtype)
        return self.shrinkage * self.target + self.ridge * identity

    def loss(self, x: Batch) -> Tensor:
        """-J of (4), with the mean over rows [B, D], in nats. Raises as `log_prob`."""
        return penalty(self.root(), self.extra(), self.shrinkage) - self.log_prob(x).mean()  # type: ignore[arg-type]  # eq. (4)

    def players(self) -> list[Player]:
        return [Player("mixture", list(self.parameters()), self.loss)]
