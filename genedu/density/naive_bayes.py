r"""Naive Bayes: within a class the features are independent, so that a class is fitted by counting.

A generative classifier, p(x, y) = p(y) prod_j p(x_j|y), with few numbers a class: it is good with few rows, since each number
is learnt from all rows of its class. Bits are counted, reals get a mean and a variance.

    p(y) = n_y / n,  log p(x, y) = log p(y) + sum_j log p(x_j|y)                                            (1)
    bernoulli: p_jy = p(x_j = 1|y) = (n_jy + a) / (n_y + 2a),  n_jy rows of class y have bit j              (2)
    gaussian:  p(x_j|y) = N(mu_jy, v_jy + e max_j v_j),  v_j the variance of feature j over all rows        (3)
    log p(x) = log sum_y p(x, y),  p(y|x) = p(x, y) / p(x)                                                  (4)
    two classes of bits: p(1|x) = sigmoid(w'x + b),  w_j = log p_j1 (1 - p_j0) / (p_j0 (1 - p_j1)),
        b = log p(1)/p(0) + sum_j log (1 - p_j1) / (1 - p_j0)                                               (5)

Where features depend on each other within a class, each copy of one counts as news: the posterior is over-confident, and with
many rows `LogisticRegression`, of the same form (5), is better. With few rows naive Bayes often is.

Source:   A. Ng, M. Jordan, "On Discriminative vs. Generative Classifiers: A comparison of logistic regression and naive Bayes",
          NIPS 14, 2001: propositions 1 and 2, corollary 6 on how many rows either needs; (2) at a = 1 is its estimate.
Lecture:  "Generative vs. Discriminative"; "Generative models for classification".
Differs:  p(y) is not smoothed; (2) is kept as log odds, which hold a p near 1 in single precision; e in (3) is scikit-learn's.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, one_hot

from genedu.core import Batch, check_values, fitted_buffers
from genedu.density.labelled import class_count, class_means, label_rows, labels_for, scored_rows, training_rows


class NaiveBayes(nn.Module):
    """Generative classifier of rows [B, D] with independent features in each class 0..K-1. Fitted by counting.

    Args:
        kind: "bernoulli" (x is 0 or 1) or "gaussian" (x is real).
        laplace: a in (2), the rows that each class is thought to have seen with and without each bit.
        var_smoothing: e in (3).
        classes: K; counted in `fit` if None.

    Raises:
        ValueError: an unknown kind; a negative or endless laplace or var_smoothing; classes below 2.
    """

    log_prior: Tensor  # [K], nats
    log_odds: Tensor  # [K, D], log p / (1 - p) of (2); bernoulli
    mean: Tensor  # [K, D]; gaussian
    variance: Tensor  # [K, D], smoothed; gaussian

    def __init__(
        self, *, kind: str = "bernoulli", laplace: float = 1.0, var_smoothing: float = 1e-9, classes: int | None = None
    ) -> None:
        super().__init__()
        if kind not in ("bernoulli", "gaussian"):
            raise ValueError(f"kind must be 'bernoulli' or 'gaussian', got {kind!r}")
        for name, value in (("laplace", laplace), ("var_smoothing", var_smoothing)):
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be at least 0 and finite, got {value}")
        self.kind, self.laplace, self.var_smoothing, self.classes = kind, laplace, var_smoothing, class_count(classes)
        fitted_buffers(self, "log_prior", *(["log_odds"] if kind == "bernoulli" else ["mean", "variance"]))

    def _check_bits(self, x: Tensor) -> None:
        if self.kind == "bernoulli":
            check_values(x, lambda x: (x == 0) | (x == 1), "x must be 0 or 1, as digits('binary') gives")

    @torch.no_grad()
    def fit(self, x: Tensor, y: Tensor) -> "NaiveBayes":
        """Count: rows [B, D] and labels [B] -> self.

        Raises:
            TypeError, ValueError: as `training_rows`; bits that are not 0 or 1; a feature whose variance in a class is 0, or
                beyond the range of the precision.
        """
        x, y, classes = training_rows(x, y, self.classes, self.log_prior)
        self._check_bits(x)
        if self.kind == "bernoulli":
            member = one_hot(y, classes).to(x.dtype)  # [B, K]
            count, on = member.sum(0), member.T @ x  # [K], [K, D]
            self.log_odds = (on + self.laplace).log() - (count[:, None] - on + self.laplace).log()  # [K, D], eq. (2)
        else:
            count, mean, centred = class_means(x, y, classes)  # [K], [K, D], [B, D]
            variance = class_means(centred.square(), y, classes).mean  # [K, D]
            variance = variance + self.var_smoothing * x.var(0, correction=0).max()  # eq. (3)
            for k, j in (variance == 0).nonzero()[:1].tolist():
                raise ValueError(f"feature {j} has no variance in class {k}: drop it, bring more rows, or use var_smoothing > 0")
            check_values(variance, torch.isfinite, "variances must be finite: use smaller units, or double precision")
            self.mean, self.variance = mean, variance
        self.log_prior = (count / len(x)).log()  # [K], eq. (1)
        return self

    def log_joint(self, x: Tensor, *, observed: Tensor | None = None) -> Tensor:
        """log p(x, y) for all y, in nats: [B, D] -> [B, K]. Raises as `log_prob`."""
        if self.kind == "bernoulli":
            x = scored_rows(x, self.log_odds, observed)
            self._check_bits(x)
            on, off = logsigmoid(self.log_odds), logsigmoid(-self.log_odds)  # [K, D], log p and log 1 - p
            each = torch.where(x[:, None] == 1, on, off)  # [B, K, D]; a sum of products would make 0 * -inf a nan
        else:
            x = scored_rows(x, self.mean, observed)
            square = (x[:, None] - self.mean).square() / self.variance  # [B, K, D]
            each = -0.5 * (square + self.variance.log() + math.log(2 * math.pi))  # [B, K, D], eq. (3)
        if observed is not None:
            each = each.masked_fill(~observed, 0)
        return self.log_prior + each.sum(-1)  # [B, K], eq. (1)

    def log_prob(self, x: Tensor, y: Tensor | None = None, *, observed: Tensor | None = None) -> Tensor:
        """log p(x, y), or log p(x) without y, in nats: [B, D], [B] -> [B]. At laplace=0 the impossible scores -inf.

        Args:
            observed: bool [D]; the other features are summed out, whatever stands there.

        Raises:
            ValueError: not fitted; x is not [B, D] and finite, or not bits; y is no label a row; observed is not bool [D].
        """
        log_joint = self.log_joint(x, observed=observed)
        if y is None:
            return log_joint.logsumexp(1)  # [B], eq. (4)
        return log_joint.gather(1, label_rows(y, *log_joint.shape)[:, None]).squeeze(1)  # [B]

    def predict_proba(self, x: Tensor, *, observed: Tensor | None = None) -> Tensor:
        """p(y|x) by Bayes' rule: [B, D] -> [B, K]. Raises as `log_prob`, and:

        Raises:
            ValueError: a row is impossible under every class (only at laplace=0), so that (4) is 0 / 0.
        """
        log_joint = self.log_joint(x, observed=observed)
        must = "each row must be possible under some class, else p(y|x) is 0 / 0: use laplace > 0"
        check_values(log_joint.logsumexp(1), lambda log_p: log_p > -math.inf, must)
        return log_joint.softmax(1)  # eq. (4)

    @torch.no_grad()
    def sample(self, n: int, y: int | Tensor | None = None) -> Tensor:
        """Draw n rows, of labels from the prior, of class y, or of the n labels y: [n, D], bits long, reals floating.

        Raises:
            ValueError: not fitted; n below 1; y is no class.
        """
        label = labels_for(self.log_prior, n, y)  # [n]
        if self.kind == "bernoulli":
            return torch.bernoulli(torch.sigmoid(self.log_odds)[label]).long()  # [n, D]
        return torch.normal(self.mean[label], self.variance.sqrt()[label])  # [n, D]

    def loss(self, batch: Batch) -> Tensor:
        """Mean of -log p(x, y) over the rows of (x, y), in nats."""
        x, y = batch
        return -self.log_prob(x, y).mean()

    def logit_weights(self) -> tuple[Tensor, Tensor]:
        """(5), the weights of log p(1|x)/p(0|x) = w'x + b for bits: w [D], b [].

        Raises:
            ValueError: not fitted; not the bernoulli kind with two classes; a p of 0 or 1 (only at laplace=0).
        """
        if self.kind != "bernoulli" or len(self.log_prior) not in (0, 2):
            got = f"{self.kind!r} with {len(self.log_prior)}"
            raise ValueError(f"a linear logit needs the bernoulli kind with two classes, got {got}")
        scored_rows(torch.zeros_like(self.log_odds), self.log_odds, None)
        must = "the log odds of a bit must be finite for a logit with weights: use laplace > 0"
        check_values(self.log_odds, torch.isfinite, must)
        off = logsigmoid(-self.log_odds).sum(1)  # [K], sum_j log 1 - p_jy
        w = self.log_odds[1] - self.log_odds[0]  # [D], eq. (5)
        return w, self.log_prior[1] - self.log_prior[0] + off[1] - off[0]  # eq. (5)
