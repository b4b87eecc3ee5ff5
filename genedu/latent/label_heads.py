r"""Label heads: each component of a mixture guesses the label, each is heard as far as it is responsible for the row.

A mixture that was trained without labels tells where a row belongs, r(x), and where it lies there, mu_k(x). With a few labelled
rows this becomes a classifier:

    p(y|x) = sum_k r_k(x) p(y|x, k),   p(y|x, k) = softmax(W_k mu_k(x) + b_k)_y                             (1)
    minimise  sum_i sum_k r_k(x_i) (-log p(y_i|x_i, k)) + l2/2 sum_k (|W_k|^2 + |b_k|^2)                    (2)

By Jensen the first part of (2) is at least -sum_i log p(y_i|x_i). (2) is convex and falls apart into one logistic regression a
component, each with the rows that it is responsible for. The penalty keeps the guess of a component with few labels near even;
one without any has W = 0 and b = 0, and says nothing.

Source:   M. E. Abbasnejad, A. Dick, A. van den Hengel, CVPR 2017, train a classifier on what the mixture finds in unlabelled data
          (abstract); R. Jacobs et al., "Adaptive Mixtures of Local Experts", Neural Computation 3, 1991: the form of (1).
Lecture:  "Mixture of Autoencoders".
Differs:  (1) and (2) are ours: the authors' classifier was not at hand. All of (2) is solved at once, by L-BFGS.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from genedu.core import check_values


def fit_heads(mu: Tensor, r: Tensor, y: Tensor, classes: int | None, l2: float) -> Tensor:
    """Solve (2): mu [B, K, Z], responsibilities [B, K] and labels [B] -> (W, b) [K, Y, Z+1], the last column is b.

    Raises:
        ValueError: y is not a label 0..Y-1 (`classes`, or as many as there are labels) for each row; l2 is not positive, finite.
    """
    if y.shape != r.shape[:1] or y.is_floating_point() or y.dtype == torch.bool:
        raise ValueError(f"y must be whole numbers [{len(r)}], a label for each row, got {y.dtype} {list(y.shape)}")
    classes = int(y.max()) + 1 if classes is None else classes
    check_values(y, lambda v: (v >= 0) & (v < classes), f"y must be labels 0 to {classes - 1}")
    y = y.long()
    if not 0 < l2 < math.inf:
        raise ValueError(
            f"l2 must be positive and finite, got {l2}: without it a component with a single label is sure of it for ever"
        )
    features, r = pad(mu.detach(), (0, 1), value=1.0).double(), r.detach().double()  # [B, K, Z+1]
    heads = features.new_zeros(r.shape[1], classes, features.shape[-1], requires_grad=True)  # [K, Y, Z+1]
    solver = torch.optim.LBFGS([heads], max_iter=500, tolerance_grad=1e-8, tolerance_change=1e-12, line_search_fn="strong_wolfe")

    def objective() -> Tensor:
        solver.zero_grad()
        with torch.enable_grad():
            log_p = torch.einsum("bkz,kyz->bky", features, heads).log_softmax(-1)  # [B, K, Y]
            of_label = log_p.gather(2, y[:, None, None].expand(-1, r.shape[1], 1))[..., 0]  # [B, K]
            value = 0.5 * l2 * heads.square().sum() - (r * of_label).sum()  # eq. (2)
            value.backward()
        return value

    solver.step(objective)
    return heads.detach().to(mu.dtype)


def mix_heads(mu: Tensor, r: Tensor, heads: Tensor) -> Tensor:
    """(1): mu [B, K, Z], responsibilities [B, K] and heads [K, Y, Z+1] -> p(y|x) [B, Y]."""
    p = torch.einsum("bkz,kyz->bky", pad(mu, (0, 1), value=1.0), heads).softmax(-1)  # [B, K, Y]
    return (r[..., None] * p).sum(1)  # eq. (1)
