"""Classification: how often right, how sure when right, and how well two kinds are ranked.

A classifier gives each row x a score s_k or a probability p(k|x) for each class; a detector gives one score, high for "positive".

    accuracy = 1/n sum_i [argmax_k s_ik = y_i]                                             (1)
    log loss = 1/n sum_i -log p(y_i|x_i)                                                   (2)
    AUROC = P(s+ > s-) + 1/2 P(s+ = s-)                                                    (3)
          = (R - P (P + 1)/2) / (P N),   R the sum of the positives' ranks                 (4)

(1) forgets how sure the classifier was. The mean of (2) exceeds that of the true p(y|x), the entropy of y given x, by the mean
of KL(p(.|x) || q(.|x)) for a guess q; a single sure mistake makes it infinite. (3), the area under the ROC curve, needs no
threshold and no rising map of s changes it. In (4) there are P positive and N negative rows; equal scores share their mean rank.

Source:   (3) and (4): J. Hanley, B. McNeil, "The meaning and use of the area under a receiver operating characteristic
          (ROC) curve", Radiology 143 (1982); (1) and (2) are scikit-learn's `accuracy_score` and `log_loss`.
Lecture:  "Generative vs. Discriminative".
Differs:  (4) is counted in whole numbers, twice the ranks, so that it is exact. (2) clips no probability (scikit-learn's does).
"""

import torch
from torch import Tensor

from genedu.core import check_values


def accuracy(scores: Tensor, y: Tensor) -> float:
    """(1), between 0 and 1: scores [B, K] of any scale and labels [B]. Equal scores count for the first class.

    Raises:
        ValueError: a wrong shape; nan among the scores; y is not a label 0..K-1.
    """
    return (_choice(scores, y) == y).sum().item() / len(y)  # eq. (1)


def confusion_matrix(scores: Tensor, y: Tensor) -> Tensor:
    """How often class j was chosen where the truth is i: scores [B, K] and labels [B] -> counts [K, K] (long), rows the truth.

    Raises:
        ValueError: a wrong shape; nan among the scores; y is not a label 0..K-1.
    """
    choice, k = _choice(scores, y), scores.shape[1]
    cell = k * y.long() + choice  # [B]
    return cell.new_zeros(k * k).index_add(0, cell, torch.ones_like(cell)).view(k, k)


def log_loss(proba: Tensor, y: Tensor) -> float:
    """(2) in nats a row: probabilities [B, K] and labels [B]. Infinite where a class that came had probability 0.

    Raises:
        ValueError: a wrong shape; y is not a label 0..K-1; rows that are no probabilities (to 0.001).
    """
    _check(proba, y)
    must = "proba must be probabilities: at least 0, each row with sum 1. For logits use softmax(-1) once"
    check_values(proba, lambda p: p >= 0, must)
    proba = proba.to(torch.promote_types(proba.dtype, torch.float32))
    check_values(proba.sum(-1), lambda total: (total - 1).abs() <= 1e-3, must + " (the sum of a row)")
    return 0.0 - proba.gather(1, y.long()[:, None]).log().mean().item()  # eq. (2); 0.0 - 0.0 is not -0.0


def auroc(score: Tensor, positive: Tensor) -> float:
    """(4): scores [N], high for positive and possibly infinite, and truths [N] (bool) -> a float between 0 and 1.

    1 for a perfect ranking, 0.5 for a blind one, 0 for one with the wrong sign.

    Raises:
        ValueError: a wrong shape or type; nan among the scores; only one kind of rows.
    """
    if score.dim() != 1 or score.shape != positive.shape:
        raise ValueError(f"score and positive must both be [N], got {list(score.shape)} and {list(positive.shape)}")
    if positive.dtype != torch.bool:
        raise ValueError(f"positive must be bool, got {positive.dtype}: use y == 1")
    check_values(score, lambda s: ~s.isnan(), "score must not be nan")
    n_positive = int(positive.sum().item())
    n_negative = len(score) - n_positive
    if n_positive == 0 or n_negative == 0:
        raise ValueError(f"auroc needs both kinds of rows, got {n_positive} positive and {n_negative} negative")
    score = (score.byte() if score.dtype == torch.bool else score).contiguous()  # yes or no are scores, too
    rising = score.sort().values
    below, up_to = torch.searchsorted(rising, score), torch.searchsorted(rising, score, right=True)  # [N]
    twice_ranks = below + up_to + 1  # [N]: equal scores have the ranks below + 1 .. up_to, and share their mean
    twice_sum = int(twice_ranks[positive].sum().item())
    return (twice_sum - n_positive * (n_positive + 1)) / (2 * n_positive * n_negative)  # eq. (4)


def _choice(scores: Tensor, y: Tensor) -> Tensor:
    _check(scores, y)
    check_values(scores, lambda s: ~s.isnan(), "scores must not be nan")
    return scores.argmax(-1)  # [B]


def _check(scores: Tensor, y: Tensor) -> None:
    if scores.dim() != 2 or scores.numel() == 0:
        raise ValueError(f"scores must be [batch, classes] with batch >= 1, got {list(scores.shape)}")
    if y.shape != scores.shape[:1]:
        raise ValueError(f"y must be [batch] = {list(scores.shape[:1])}, got {list(y.shape)}")
    if y.is_floating_point() or y.dtype == torch.bool:
        raise ValueError(f"y must be whole numbers, got {y.dtype}: use y.long()")
    check_values(y, lambda label: (label >= 0) & (label < scores.shape[1]), f"y must be labels 0..{scores.shape[1] - 1}")
