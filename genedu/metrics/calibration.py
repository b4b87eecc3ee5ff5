"""Calibration: of all answers given with 80 per cent, are 80 per cent right?

A classifier's top probability is its confidence. It is calibrated if confidence is the chance to be right. Rows of like
confidence are put in one of M bins of equal width, ((m - 1)/M, m/M], and both are averaged in each:

    acc(m) = share of right answers,  conf(m) = mean confidence, over the n_m rows of bin m                     (1)
    ECE = sum_m n_m / n |acc(m) - conf(m)|                                                 (2)

(1) is the reliability diagram. (2) is 0 for a calibrated classifier with rows without number; with n rows noise alone makes it
up to sum_m sqrt(n_m) / (2 n) in the mean. It says nothing of accuracy: who always tells the share of the most frequent class is
calibrated. Errors of both signs inside one bin cancel.

Source:   C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, section 2: (1), (2),
          bins of equal width. The noise is the standard deviation of a share, at most 1/(2 sqrt n_m).
Lecture:  "Uncertainty-aware GAN"; "Generative models for classification".
Differs:  nothing.
"""

from numbers import Integral
from typing import NamedTuple

import torch
from torch import Tensor

from genedu.core import check_values
from genedu.metrics.classification import _check
from genedu.metrics.distances import exact


class Reliability(NamedTuple):
    confidence: Tensor  # [M], mean in a bin, nan in an empty one
    accuracy: Tensor  # [M], share of right answers, nan in an empty one
    counts: Tensor  # [M] rows, long


def reliability(proba: Tensor, y: Tensor, *, bins: int = 15) -> Reliability:
    """(1), the points of a reliability diagram: probabilities [B, K] and labels [B] -> [M] each, on their device.

    Args:
        bins: M, over (0, 1]; of equal probabilities the first class counts as the answer.

    Raises:
        ValueError: a wrong shape; y is not a label 0..K-1; rows that are no probabilities (to 0.001); bins below 1.
    """
    _check(proba, y)
    proba = proba.byte() if proba.dtype == torch.bool else proba  # one-hot answers, all of them sure
    if not isinstance(bins, Integral) or bins < 1:
        raise ValueError(f"bins must be a whole number of at least 1, got {bins}")
    must = "proba must be probabilities: at least 0, each row with sum 1. For logits use softmax(-1) once"
    check_values(proba, lambda p: p >= 0, must)
    check_values(exact(proba).sum(-1), lambda total: (total - 1).abs() <= 1e-3, must + " (the sum of a row)")
    top, answer = proba.max(-1)  # [B], [B]
    edges = (exact(torch.arange(1, bins, device=top.device)) / bins).to(top.dtype)  # [M - 1]: 1/M .. (M - 1)/M
    inside = torch.bucketize(top, edges)  # [B]: how many edges are below it
    one_hot = exact(inside[:, None] == torch.arange(bins, device=top.device))  # [B, M]
    count = one_hot.sum(0)  # [M]
    return Reliability(exact(top) @ one_hot / count, exact(answer == y) @ one_hot / count, count.long())  # eq. (1)


def expected_calibration_error(proba: Tensor, y: Tensor, *, bins: int = 15) -> float:
    """(2), between 0 and 1: probabilities [B, K] and labels [B] -> a float.

    Raises:
        ValueError: as `reliability`.
    """
    confidence, accuracy, counts = reliability(proba, y, bins=bins)
    return (exact(counts) / len(y) * (accuracy - confidence).abs()).nansum().item()  # eq. (2); an empty bin adds nothing
