"""Mode coverage: where the truth is a few narrow Gaussians, how many of them a sampler finds, and how evenly.

A generator may draw perfect samples and still leave most of the data out (mode collapse); no picture of single samples shows it.
Where the K modes c_k and their sigma are known, it can be counted:

    a sample x is of high quality if |x - c_k| <= 3 sigma for its nearest k                (1)
    a mode is captured if it is the nearest of at least one sample of high quality
    h_k = share of mode k among the samples of high quality                                (2)
    reverse KL = KL(h || uniform) = sum_k h_k log(K h_k)                                   (3)

A perfect sampler captures all modes, has (3) near 0, about (K - 1) / (2 n) for n samples of high quality, and a share of (1) of
P(chi2_D <= 9): in the plane 1 - exp(-4.5), not 1. This ceiling vanishes as D grows. All n samples on one mode give log K.

Source:   A. Srivastava et al., "VEEGAN", NIPS 2017: modes and (1); Z. Lin et al., "PacGAN", NeurIPS 2018: (3). The ceiling is
          the law of |x - c|^2 / sigma^2, and the mean of (3) is that of the likelihood ratio of a multinomial.
Lecture:  "Problems with GANs" (mode collapse).
Differs:  without a sample of high quality there is no h; (3) is then inf, worse than any collapse (a nan would pass unseen
          through a comparison).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from genedu.metrics.distances import distances, exact, rows


class Coverage(NamedTuple):
    modes: int  # captured, 0..K
    high_quality: float  # share of the samples, 0..1
    reverse_kl: float  # nats, 0..log K, or inf


def mode_coverage(samples: Tensor, modes: Tensor, *, sigma: float) -> Coverage:
    """How many modes were captured, the share of (1), and (3) in nats: samples [N, D] and modes [K, D].

    Args:
        sigma: standard deviation of each mode in each direction, in the unit of the samples.

    Raises:
        TypeError: samples or modes are no tensors.
        ValueError: they are not rows of finite numbers of one length; sigma is not positive and finite.
    """
    modes = exact(rows(modes, "modes", rows(samples, "samples").shape[1]))
    if not (math.isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma must be positive and finite, got {sigma}: the standard deviation of one mode")
    distance, k = distances(exact(samples), modes).min(1)  # [N], [N]
    good = k[distance <= 3 * sigma]  # [n], eq. (1)
    count = torch.bincount(good, minlength=len(modes))  # [K]
    if len(good) == 0:
        return Coverage(0, 0.0, math.inf)
    share = exact(count) / len(good)  # [K], eq. (2)
    reverse_kl = torch.xlogy(share, len(modes) * share).sum().item()  # eq. (3)
    return Coverage(int((count > 0).sum().item()), len(good) / len(samples), max(reverse_kl, 0.0))
