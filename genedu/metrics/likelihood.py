"""Likelihood: in which unit it is told, how sure it is, and what knowing nothing costs.

Models score a row in nats, -log p(x), summed over its D dimensions. To compare images of different size one divides by D, and
by custom counts in bits: how many binary digits a perfect code needs for one dimension.

    bits a dimension = nats / (D log 2)                                                    (1)
    all of L levels equally likely: nats = D log L, bits a dimension = log2 L              (2)
    mean m = 1/N sum_i v_i,   its standard error = sqrt(1/(N - 1) sum_i (v_i - m)^2 / N)   (3)

(1) counts bits only where p is a probability. For a density it depends on the unit of x and may be negative: dequantised data
must be scored as levels first (`genedu.data.digits`). (3) holds for independent rows; it says nothing of the luck in training.

Source:   C. Shannon, "A Mathematical Theory of Communication", 1948: the bit; A. van den Oord, N. Kalchbrenner,
          K. Kavukcuoglu, "Pixel Recurrent Neural Networks", ICML 2016: (1) as the measure of images.
Lecture:  "Generative modeling" (probability for a sample; compare probability of examples).
Differs:  nothing.
"""

import math
from numbers import Integral
from typing import TypeVar

import torch
from torch import Tensor

from genedu.core import check_values

Nats = TypeVar("Nats", float, Tensor)


def bits_per_dim(nll: Nats, dim: int) -> Nats:
    """(1): a negative log-likelihood of whole rows in nats -> bits a dimension, in the shape that came.

    Args:
        nll: a number or a tensor of any shape; infinite where a row is impossible.
        dim: D, how many numbers a row has: 64 for a digit.

    Raises:
        ValueError: dim below 1; nll is nan.
    """
    check_values(torch.as_tensor(nll), lambda v: ~v.isnan(), "nll must not be nan")
    return nll / (_whole("dim", dim) * math.log(2))  # eq. (1)


def uniform_nll(levels: int, dim: int) -> float:
    """(2): nats a row under the model that knows nothing, the worst that is worth training.

    Raises:
        ValueError: levels or dim below 1.
    """
    return _whole("dim", dim) * math.log(_whole("levels", levels))  # eq. (2)


def mean_and_error(values: Tensor) -> tuple[float, float]:
    """(3): the mean over rows and its standard error: [N] numbers or truths -> two floats, in the unit of the values.

    Raises:
        ValueError: values is not [N] with N >= 2; something is not finite.
    """
    if values.dim() != 1 or len(values) < 2:
        raise ValueError(f"values must be [N] with N >= 2, got {list(values.shape)}: one number a row, before any mean")
    check_values(values, torch.isfinite, "values must be finite")
    values = values.to(torch.promote_types(values.dtype, torch.float32))  # counts, truths, half precision
    return values.mean().item(), values.std().item() / math.sqrt(len(values))  # eq. (3)


def _whole(name: str, value: int) -> int:
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value}")
    return int(value)
