r"""Gaussian classifier (LDA, QDA): each class is a Gaussian, and Bayes' rule says which class a row comes from.

A generative classifier learns p(x, y) = p(y) p(x|y), and gets p(y|x) for nothing. With Gaussian classes the maximum of the
likelihood has a closed form. One covariance for all gives flat borders (linear discriminant analysis), one a class curved ones.

    p(y) = n_y / n,  p(x|y) = N(mu_y, Sigma_y),  mu_y = mean of the rows of class y                         (1)
    Sigma_y = mean of (x - mu_y)(x - mu_y)' over the rows of class y; shared: over all rows                 (2)
    shrunk: (1 - s) Sigma + s m I,  m = tr(Sigma) / D                                                       (3)
    log N(x; mu, L L') = -1/2 |L^-1 (x - mu)|^2 - sum_j log L_jj - D/2 log 2 pi                             (4)
    log p(x) = log sum_y p(x, y),  p(y|x) = p(x, y) / p(x)                                                  (5)
    two classes, one Sigma: p(1|x) = sigmoid(w'x + b),  w = Sigma^-1 (mu_1 - mu_0),
        b = log p(1)/p(0) - 1/2 (mu_1' Sigma^-1 mu_1 - mu_0' Sigma^-1 mu_0)                                 (6)
    s = min(b2, d2) / d2,  d2 = |Sigma - m I|^2,  b2 = 1/n^2 sum_i |x_i x_i' - Sigma|^2, rows centred       (7)

(2) is singular where a feature is constant or rows are few; any s > 0 cures that. (7) estimates the best s. Where the classes
are Gaussian with one covariance no rule errs less; where they are not, the borders can be far off: see `LogisticRegression`.

Source:   C. Bishop, "Pattern Recognition and Machine Learning", 2006, section 4.2: (6) is eq. 4.65-4.67;
          O. Ledoit, M. Wolf, J. Multivariate Analysis 88, 2004: (3) with (7) is eq. 14, |A|^2 the squared Frobenius norm.
Lecture:  "Generative vs. Discriminative"; "Generative models for classification".
Differs:  (2) divides by n, the maximum of the likelihood, not by n - 1; (7) is taken of the rows as they are
          (scikit-learn's LDA scales the features first); |A|^2 is not divided by D, which cancels in (7).
"""

import math

import torch
from torch import Tensor, nn

from genedu.core import Batch, fitted_buffers
from genedu.density.labelled import class_count, class_means, label_rows, labels_for, scored_rows, training_rows


def ledoit_wolf(rows: Tensor, covariance: Tensor) -> Tensor:
    """The shrinkage (7) for centred rows [B, D] and their covariance [D, D]: a number in [0, 1]."""
    ball = covariance.diagonal().mean() * torch.eye(len(covariance)).to(covariance)
    distance = (covariance - ball).square().sum()
    spread = (rows.square().sum(1).square().mean() - covariance.square().sum()) / len(rows)  # b2, multiplied out
    return torch.minimum(spread, distance) / distance if distance > 0 else distance  # eq. (7)


class GaussianClassifier(nn.Module):
    """Generative classifier of rows [B, D] with Gaussian classes 0..K-1. Fitted in closed form; no gradient is needed.

    Args:
        shared_covariance: one Sigma for all classes (LDA) or one a class (QDA).
        shrinkage: s in (3), from 0 to 1, or "ledoit_wolf" for (7), a class at a time where each has its own Sigma.
        classes: K; counted in `fit` if None.

    Raises:
        ValueError: shrinkage outside [0, 1] or unknown; classes below 2.
    """

    log_prior: Tensor  # [K], nats
    mean: Tensor  # [K, D]
    covariance: Tensor  # [D, D] or [K, D, D]

    def __init__(self, *, shared_covariance: bool = True, shrinkage: float | str = 0.0, classes: int | None = None) -> None:
        super().__init__()
        if shrinkage != "ledoit_wolf" and not (isinstance(shrinkage, int | float) and 0 <= shrinkage <= 1):
            raise ValueError(f"shrinkage must be a number in [0, 1] or 'ledoit_wolf', got {shrinkage!r}")
        self.shared_covariance, self.shrinkage, self.classes = shared_covariance, shrinkage, class_count(classes)
        fitted_buffers(self, "log_prior", "mean", "covariance")

    @torch.no_grad()
    def fit(self, x: Tensor, y: Tensor) -> "GaussianClassifier":
        """Maximum likelihood: rows [B, D] and labels [B] -> self.

        Raises:
            TypeError, ValueError: as `training_rows`; a covariance that is not positive definite.
        """
        x, y, classes = training_rows(x, y, self.classes, self.mean)
        count, mean, centred = class_means(x, y, classes)  # [K], [K, D], [B, D], eq. (1)
        if self.shared_covariance:
            covariance = self._shrunk(centred, "")  # [D, D]
        else:
            parts = [self._shrunk(centred[y == k], f" of class {k}") for k in range(classes)]
            covariance = torch.stack(parts)  # [K, D, D]
        self.log_prior, self.mean, self.covariance = (count / len(x)).log(), mean, covariance  # eq. (1)
        return self

    def _shrunk(self, rows: Tensor, of: str) -> Tensor:
        """(3) of centred rows [B, D] -> [D, D]."""
        covariance = rows.T @ rows / len(rows)  # [D, D], eq. (2)
        s = ledoit_wolf(rows, covariance) if isinstance(self.shrinkage, str) else self.shrinkage
        shrunk = (1 - s) * covariance
        shrunk.diagonal().add_(s * covariance.diagonal().mean())  # eq. (3)
        root, failed = torch.linalg.cholesky_ex(shrunk)
        variance, rest = shrunk.diagonal(), root.diagonal().square()  # rest: not explained by the features before it
        if failed or (rest <= 10 * len(rest) * torch.finfo(rest.dtype).eps * variance).any():
            raise ValueError(
                f"the covariance{of} is not positive definite: a feature is constant or a combination of others, or there are "
                f"no more rows than features; got {len(rows)} rows of {len(rest)} features: drop constant features, bring "
                "more rows than features, or use shrinkage=0.1 or 'ledoit_wolf'"
            )
        return shrunk

    def log_joint(self, x: Tensor, *, observed: Tensor | None = None) -> Tensor:
        """log p(x, y) for all y, in nats: [B, D] -> [B, K]. Raises as `log_prob`."""
        x = scored_rows(x, self.mean, observed)
        difference, covariance = x - self.mean[:, None], self.covariance  # [K, B, D]
        dims: int | Tensor = x.shape[1]
        if observed is not None:  # the marginal has the sub-block of Sigma: beside it stands I, which adds nothing
            difference, dims = difference * observed, observed.to(x.dtype).sum()
            identity = torch.eye(x.shape[1], device=x.device, dtype=x.dtype)
            covariance = torch.where(observed & observed[:, None], covariance, identity)
        root = torch.linalg.cholesky(covariance)  # L in (4), [D, D] or [K, D, D]
        white = torch.linalg.solve_triangular(root, difference.mT, upper=False)  # [K, D, B]
        log_root = root.diagonal(dim1=-2, dim2=-1).log().sum(-1)  # [] or [K]
        log_normal = -0.5 * white.square().sum(1) - log_root[..., None] - 0.5 * dims * math.log(2 * math.pi)  # [K, B], eq. (4)
        return (log_normal + self.log_prior[:, None]).T  # [B, K]

    def log_prob(self, x: Tensor, y: Tensor | None = None, *, observed: Tensor | None = None) -> Tensor:
        """log p(x, y), or log p(x) without y, in nats: [B, D], [B] -> [B].

        Args:
            observed: bool [D]; the other features are integrated out, whatever stands there.

        Raises:
            ValueError: not fitted; x is not [B, D] and finite; y is no label a row; observed is not bool [D].
        """
        log_joint = self.log_joint(x, observed=observed)
        if y is None:
            return log_joint.logsumexp(1)  # [B], eq. (5)
        return log_joint.gather(1, label_rows(y, *log_joint.shape)[:, None]).squeeze(1)  # [B]

    def predict_proba(self, x: Tensor, *, observed: Tensor | None = None) -> Tensor:
        """p(y|x) by Bayes' rule: [B, D] -> [B, K]. Raises as `log_prob`."""
        return self.log_joint(x, observed=observed).softmax(1)  # eq. (5)

    @torch.no_grad()
    def sample(self, n: int, y: int | Tensor | None = None) -> Tensor:
        """Draw n rows, of labels from the prior, of class y, or of the n labels y: [n, D].

        Raises:
            ValueError: not fitted; n below 1; y is no class.
        """
        label = labels_for(self.log_prior, n, y)  # [n]
        eps = torch.randn(n, self.mean.shape[1], device=self.mean.device, dtype=self.mean.dtype)
        each = self.mean[:, None] + eps @ torch.linalg.cholesky(self.covariance).mT  # [K, n, D]: as if it were of class k
        return each[label, torch.arange(n, device=label.device)]  # [n, D]

    def loss(self, batch: Batch) -> Tensor:
        """Mean of -log p(x, y) over the rows of (x, y), in nats."""
        x, y = batch
        return -self.log_prob(x, y).mean()

    def logit_weights(self) -> tuple[Tensor, Tensor]:
        """(6), the weights of log p(1|x)/p(0|x) = w'x + b: w [D], b [].

        Raises:
            ValueError: not fitted; not two classes with a shared covariance.
        """
        scored_rows(self.mean, self.mean, None)
        if len(self.mean) != 2 or self.covariance.dim() != 2:
            raise ValueError(
                "a linear logit needs two classes and a shared covariance, got "
                f"{len(self.mean)} classes and shared_covariance={self.shared_covariance}"
            )
        step = (self.mean[1] - self.mean[0])[:, None]
        w = torch.cholesky_solve(step, torch.linalg.cholesky(self.covariance)).squeeze(1)  # [D], eq. (6)
        b = self.log_prior[1] - self.log_prior[0] - 0.5 * (self.mean[0] + self.mean[1]) @ w  # [], eq. (6) multiplied out
        return w, b
