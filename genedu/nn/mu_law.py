"""Mu-law: sound as one of a few levels, fine where it is soft and coarse where it is loud.

A softmax needs a finite set of values. Even steps waste them: most samples of a recording are soft, and the ear hears relative
differences. So the wave is compressed first, then cut into K bins of equal width.

    f(x) = sign(x) log(1 + mu |x|) / log(1 + mu),   mu = K - 1,   x in [-1, 1]              (1)
    level k = floor(K (f(x) + 1) / 2),   0 <= k < K                                         (2)
    decoded: the x whose f is the middle of bin k,   f = (2 k + 1) / K - 1                  (3)

There and back costs at most half a bin: |f(decoded) - f(x)| <= 1 / K. What is louder than 1 is clipped: it gets an end bin, which
thus reaches to infinity.

Source:   ITU-T G.711 (mu = 255, 256 levels, which it rounds to straight pieces); A. van den Oord et al., "WaveNet: A Generative
          Model for Raw Audio", 2016, arXiv 1609.03499, section 2.2: (1).
Lecture:  "Autoregressive Models" (or just discretize).
Differs:  mu = K - 1 for any K, so that K = 256 gives the usual 255.
"""

import math

import torch
from torch import Tensor

from genedu.core import check_values


def mu_law_encode(x: Tensor, levels: int = 256) -> Tensor:
    """(2): a wave [...] in [-1, 1] -> levels [...] (long). Louder samples are clipped.

    Raises:
        ValueError: fewer than 2 levels; x is not real numbers or holds nan.
    """
    mu = _mu(levels)
    if not x.is_floating_point():
        raise ValueError(f"x must be a wave of real numbers in [-1, 1], got {x.dtype}: use x.float() / (largest value)")
    check_values(x, lambda v: ~v.isnan(), "x must not be nan")
    f = x.sign() * torch.log1p(mu * x.abs().clamp(max=1)) / math.log1p(mu)  # eq. (1)
    return (levels * (f + 1) / 2).floor().long().clamp(0, levels - 1)  # eq. (2): f = 1 belongs to the last bin


def mu_law_decode(k: Tensor, levels: int = 256) -> Tensor:
    """(3): levels [...] -> a wave [...] in (-1, 1), in torch's default type.

    Raises:
        ValueError: fewer than 2 levels; k is not whole numbers 0 to levels - 1.
    """
    mu = _mu(levels)
    if k.is_floating_point() or k.is_complex() or k.dtype == torch.bool:
        raise ValueError(f"k must be whole numbers 0 to {levels - 1}, got {k.dtype}: these are levels, not a wave")
    k = k.long()  # 2 k + 1 has no room in a byte
    check_values(k, lambda v: (v >= 0) & (v < levels), f"k must be levels 0 to {levels - 1}")
    return _expand((2 * k + 1) / levels - 1, mu)


def mu_law_edges(levels: int = 256) -> Tensor:
    """Borders between the bins of (2), in x: [levels - 1], ascending, double precision.

    Raises:
        ValueError: fewer than 2 levels.
    """
    mu = _mu(levels)
    return _expand(2 * torch.arange(1, levels, dtype=torch.float64) / levels - 1, mu)


def _expand(f: Tensor, mu: int) -> Tensor:
    """The inverse of (1)."""
    return f.sign() * torch.expm1(f.abs() * math.log1p(mu)) / mu


def _mu(levels: int) -> int:
    if type(levels) is not int or levels < 2:
        raise ValueError(f"levels must be a whole number of at least 2, got {levels!r}")
    return levels - 1
