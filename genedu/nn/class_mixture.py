r"""From a model of each class to a model of all: marginal, posterior, and next-step probabilities without the label.

    p(x) = sum_y p(y) p(x|y),   p(y|x) = p(y) p(x|y) / p(x)                                                 (1)
    p(x_i = l | x_<i) = sum_y p(y | x_<i) p(x_i = l | x_<i, y),   p(y | x_<i) ~ p(y) prod_{j<i} p(x_j | x_<j, y)   (2)

(2) factors (1): the product over i of the right side at the levels that are there is p(x). In it the label is guessed anew at
each place from what came before, by Bayes' rule. What is wrong is to average the conditionals with the fixed weights p(y).

Source:   the chain rule and Bayes' rule.
Lecture:  "Autoregressive Models"; "Generative models for classification".
Differs:  nothing.
"""

import torch
from torch import Tensor

from genedu.core import check_values


def each_class(x: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Each row with each of the K labels: [B, ...] -> [K B, ...], [K B]; label 0 comes first for all rows, then label 1."""
    return torch.cat([x] * classes), torch.arange(classes, device=x.device).repeat_interleave(len(x))


def next_step(log_p: Tensor, x: Tensor, log_prior: Tensor, order: Tensor) -> Tensor:
    """Log of (2) in nats: log p(x_i = l | x_<i, y) [K, B, ..., L], levels x [B, ...], log p(y) [K] -> [B, ..., L].

    Args:
        order: the places of a row, flattened, from first to last.
    """
    own = log_p.gather(-1, x.long().expand(log_p.shape[:-1])[..., None]).flatten(2)[..., order]  # [K, B, D], as i runs
    log_w = (log_prior[:, None, None] + own.cumsum(2) - own).log_softmax(0)  # log p(y | x_<i), [K, B, D]
    log_w = log_w[..., order.argsort()].view(*log_p.shape[:-1], 1)  # [K, B, ..., 1]
    return (log_w + log_p).logsumexp(0)  # eq. (2)


def labels_of(y: Tensor, rows: int, classes: int | None, name: str = "y") -> Tensor:
    """`y` itself, if it is a class 0 .. K - 1 for each row; the door of conditional models. Errors call it `name`.

    Raises:
        ValueError: the model has no classes; another shape or type; a class out of range.
    """
    if classes is None:
        raise ValueError("y must be left out, the model has no classes: build it with classes=K to give labels")
    if y.shape != (rows,) or y.dtype != torch.long:
        raise ValueError(f"{name} must be [{rows}] whole numbers (long), a class for each row; got {y.dtype} {list(y.shape)}")
    check_values(y, lambda v: (v >= 0) & (v < classes), f"{name} must be classes 0 to {classes - 1}")
    return y


def prior_of(prior: Tensor | None, classes: int | None) -> Tensor:
    """log p(y), [K], in nats: of a given p(y), or all equally likely; without classes [1], zero.

    Raises:
        ValueError: classes is no whole number >= 1; prior is not [K] numbers above 0 with sum 1.
    """
    k = 1 if classes is None else classes
    if type(k) is not int or k < 1:
        raise ValueError(f"classes must be a whole number of at least 1, or None, got {classes!r}")
    prior = torch.ones(k) / k if prior is None else prior
    if prior.shape != (k,) or not bool((prior > 0).all()) or abs(float(prior.sum()) - 1) > 1e-4:
        raise ValueError(f"prior must be [{k}] numbers above 0 with sum 1, got {prior.tolist()}")
    return prior.log()
