r"""Codes against classes: does a code found without labels know what the labels know?

Each row has a code a (0 .. K-1, its numbering arbitrary) and a class b. From n rows, with frequencies p,

    one to one:  max over matchings m of mean [m(a) = b];   majority:  sum_a max_b p(a, b)                  (1)
    I(a; b) = sum_ab p(a, b) log p(a, b) / (p(a) p(b)),  between 0 and min(H(a), H(b))                      (2)
    E[(2) from n rows] - true value  is about  (K_ab - K_a - K_b + 1) / 2n                                  (3)
    I(c; x) = H(mean_n Q(c|x_n)) - mean_n H(Q(c|x_n)),  between 0 and log K                                 (4)

(1) lends the code the labels once, to name its values. One to one, at most one value for each class, that is an assignment
problem. By majority several values may stand for one class: with one value a row the score is 1, and means nothing. Both forms
of (1), and (2), are above what blind codes deserve; how much, permuted labels tell: `chance` gives their mean score.
In (3) K counts values that came, of a, of b and of the pair: Miller and Madow's correction. A corrected value may be below 0.
(4) needs no labels: what a classifier Q says of the rows, as if it were right. It is large where Q is sure of each row and says
all classes equally often. Of several starts of one training it can choose, as the within-cluster scatter does for k-means.

Source:   H. Kuhn, "The Hungarian method for the assignment problem", Naval Research Logistics 2, 1955;
          G. Miller, "Note on the bias of information estimates", 1955: (3), from the same correction of three entropies;
          J. Bridle, A. Heading, D. MacKay, "Unsupervised classifiers, mutual information and 'phantom targets'", NIPS 1991: (4).
Lecture:  "Representation learning", "InfoGAN".
Differs:  the assignment is scipy's, another algorithm of the same result.
"""

import math
from collections.abc import Callable
from numbers import Integral

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from genedu.core import check_values


def matched_accuracy(codes: Tensor, labels: Tensor, *, how: str = "one_to_one") -> float:
    """(1), between 0 and 1: codes [N] and labels [N], whole numbers from 0, any number of values of each.

    Raises:
        ValueError: `how` is neither "one_to_one" nor "majority"; not whole numbers from 0, [N] both.
    """
    if how not in ("one_to_one", "majority"):
        raise ValueError(f"how must be 'one_to_one' or 'majority', got {how!r}")
    counts = joint_counts(codes, labels)  # [A, B]
    if how == "majority":
        return counts.amax(1).sum().item() / len(codes)  # eq. (1)
    rows, columns = linear_sum_assignment(counts.cpu().numpy(), maximize=True)
    return counts[rows, columns].sum().item() / len(codes)  # eq. (1)


def matching(codes: Tensor, labels: Tensor) -> dict[int, int]:
    """The best one-to-one matching in (1), code -> class; codes without a class that they came with are left out.

    Raises:
        ValueError: not whole numbers from 0, [N] both.
    """
    together = joint_counts(codes, labels)
    rows, columns = linear_sum_assignment(together.cpu().numpy(), maximize=True)
    return {a: b for a, b in zip(rows.tolist(), columns.tolist(), strict=True) if together[a, b] > 0}


def mutual_information(codes: Tensor, labels: Tensor, *, correct: bool = True) -> float:
    """(2) in nats, less its bias (3) if `correct`: codes [N] and labels [N], whole numbers from 0.

    Raises:
        ValueError: not whole numbers from 0, [N] both.
    """
    counts = joint_counts(codes, labels)
    p = counts.double() / len(codes)  # [A, B]
    a, b = p.sum(1, keepdim=True), p.sum(0, keepdim=True)
    plain = torch.where(counts > 0, p * (p / (a * b)).log(), 0.0).sum().item()  # eq. (2)
    excess = (counts > 0).sum().item() - (a > 0).sum().item() - (b > 0).sum().item() + 1
    return plain - excess / (2 * len(codes)) if correct else plain  # eq. (3)


def stated_information(probs: Tensor) -> Tensor:
    """(4) in nats, a scalar: what a classifier's words Q(c|x_n) [N, K] say that its class and the row share.

    Raises:
        ValueError: probs are not [N, K] with rows of at least 0 that sum to 1.
    """
    if probs.dim() != 2 or 0 in probs.shape or not probs.is_floating_point():
        raise ValueError(f"probs must be [N, K], a distribution in each row, got {probs.dtype} {list(probs.shape)}")
    check_values(probs, lambda p: p >= 0, "probs must be at least 0")
    check_values(probs.sum(1), lambda s: (s - 1).abs() < 1e-3, "each row of probs must sum to 1; give softmax, not logits")
    return torch.special.entr(probs.mean(0)).sum() - torch.special.entr(probs).sum(1).mean()  # eq. (4)


def chance(score: Callable[[Tensor, Tensor], float], codes: Tensor, labels: Tensor, *, times: int = 100) -> float:
    """The mean of `score(codes, labels)` over permuted labels: what codes get that know nothing. Draws from torch's stream.

    Raises:
        ValueError: times below 1; codes and labels are not [N] both.
    """
    if times < 1:
        raise ValueError(f"times must be at least 1, got {times}")
    joint_counts(codes, labels)
    shuffled = (labels[torch.randperm(len(labels)).to(labels.device)] for _ in range(times))
    return math.fsum(score(codes, other) for other in shuffled) / times


def quantile_bins(values: Tensor, bins: int) -> Tensor:
    """Which of `bins` parts a number is in, the smallest in part 0, of nearly equal size if no two are alike: [N] -> [N] (long).

    Raises:
        ValueError: values are not finite floats [N] with N >= bins >= 2.
    """
    if values.dim() != 1 or not values.is_floating_point() or not isinstance(bins, Integral) or not 2 <= bins <= len(values):
        raise ValueError(f"values must be floats [N], N >= bins >= 2, got {values.dtype} {list(values.shape)} and {bins} bins")
    check_values(values, torch.isfinite, "values must be finite")
    values = values.to(torch.promote_types(values.dtype, torch.float32))  # torch has no quantiles of half precision
    inner = torch.arange(1, bins, device=values.device, dtype=values.dtype) / bins
    return torch.bucketize(values.contiguous(), values.quantile(inner))  # [N]


def joint_counts(codes: Tensor, labels: Tensor) -> Tensor:
    """How often code and label came together: [N], [N] -> [A, B] (long).

    Raises:
        ValueError: not whole numbers from 0, [N] both, N >= 1.
    """
    if codes.dim() != 1 or codes.shape != labels.shape or len(codes) == 0:
        raise ValueError(f"codes and labels must both be [N] with N >= 1, got {list(codes.shape)} and {list(labels.shape)}")
    for x in (codes, labels):
        if x.dtype != torch.long or x.min() < 0:
            raise ValueError(f"codes and labels must be whole numbers (long) from 0, got {x.dtype}, {x.min().item()} the least")
    a, b = int(codes.max()) + 1, int(labels.max()) + 1
    return torch.bincount(codes * b + labels, minlength=a * b).view(a, b)
