r"""Discretised mixture of logistics: levels as pieces of a smooth curve, so that the model knows which levels are neighbours.

A softmax has a free number for each level and must learn that 200 is next to 201. Here a pixel is a real number, drawn from a
mixture of K logistic densities, and what one sees is the bin that it falls into. With s(t) = 1 / (1 + exp(-t)), levels
0 .. L - 1 placed at v_l = -1 + 2 l / (L - 1), and bins of half width d = 1 / (L - 1):

    P(l) = sum_k w_k [s((v_l + d - mu_k) / sigma_k) - s((v_l - d - mu_k) / sigma_k)],   the outer bins open to infinity   (1)
    s(b) - s(a) = s(b) s(-a) (1 - exp(a - b))                                                               (2)
    colours of one pixel:  P(r, g, b) = sum_k w_k P_k(r) P_k(g | r) P_k(b | r, g),
    mu_k(g) = mu_kg + alpha_k v_r,   mu_k(b) = mu_kb + beta_k v_r + gamma_k v_g                                 (3)

In (1) all but the outer terms cancel in the sum over l, so the mass is one. Taken literally its logarithm is log 0 far from mu;
by (2) it is a sum of three terms which are finite, with finite slopes, everywhere. 3 K parameters replace L for grey images.

Source:   T. Salimans, A. Karpathy, X. Chen, D. Kingma, "PixelCNN++", ICLR 2017, section 2.1 (1) and 2.2 (3).
Lecture:  "PixelRNN" (a 256-way softmax at each step; this is what came after it).
Differs:  (2) in place of the paper's code, which changes to density times width where a bin's mass is below 1e-5; samples are
          levels, drawn from (1), not rounded real numbers; log sigma is kept in -7 .. 7, the paper bounds it below only.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

LOG_SIGMA = (-7.0, 7.0)


def parameters_of(components: int, channels: int) -> int:
    """Numbers a pixel: a weight for each component, mu and log sigma for each colour, coefficients for each pair of colours."""
    return components * (1 + 2 * channels + channels * (channels - 1) // 2)


def initial_bias(components: int, channels: int) -> Tensor:
    """Where training starts: equal weights, mu spread over -1 .. 1, sigma 0.2, colours independent: [P]."""
    bias = torch.zeros(components, parameters_of(1, channels))  # [K, 1 + 2C + pairs]
    bias[:, 1 : 1 + channels] = torch.linspace(-1, 1, components + 2)[1:-1, None]
    bias[:, 1 + channels : 1 + 2 * channels] = math.log(0.2)
    return bias.flatten()


def values(level: Tensor, levels: int, like: Tensor) -> Tensor:
    """v_l: whole numbers 0 .. L - 1 -> -1 .. 1, in the precision of `like`."""
    return 2 * level.to(like.dtype) / (levels - 1) - 1


def log_bin(level: Tensor, mu: Tensor, log_sigma: Tensor, levels: int) -> Tensor:
    """Log of one bracket of (1) in nats; level (whole numbers), mu and log_sigma of shapes that go together."""
    log_sigma = log_sigma.clamp(*LOG_SIGMA)
    d = 1 / (levels - 1)
    centred, scale = values(level, levels, mu) - mu, (-log_sigma).exp()
    right = logsigmoid((centred + d) * scale)  # log s(b)
    left = logsigmoid((d - centred) * scale)  # log s(-a)
    inside = right + left + (-torch.expm1(-2 * d * scale)).log()  # eq. (2)
    inside = torch.where(level == 0, right, inside)  # a is minus infinity: s(-a) = 1
    return torch.where(level == levels - 1, left, inside)  # b is infinity


def split(parameters: Tensor, channels: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """[..., P] -> log weights [..., K], mu and log sigma [..., K, C], coefficients [..., K, pairs] in (-1, 1)."""
    numbers = parameters.unflatten(-1, (-1, parameters_of(1, channels)))  # [..., K, 1 + 2C + pairs]
    weight, mu, log_sigma, coefficient = numbers.split([1, channels, channels, channels * (channels - 1) // 2], -1)
    return weight.squeeze(-1).log_softmax(-1), mu, log_sigma, coefficient.tanh()


def means(x: Tensor, mu: Tensor, coefficient: Tensor, levels: int) -> Tensor:
    """(3): the means of all colours, given the levels x [..., C] of the colours before: [..., K, C]."""
    v, out, at = values(x, levels, mu)[..., None, :], [], 0  # [..., 1, C]
    for g in range(mu.shape[-1]):
        out.append(mu[..., g] + (coefficient[..., at : at + g] * v[..., :g]).sum(-1))
        at += g
    return torch.stack(out, -1)


def mixture_log_prob(parameters: Tensor, x: Tensor, levels: int) -> Tensor:
    """Log of (3), all colours of a pixel, in nats: parameters [..., P], levels x [..., C] -> [...]."""
    log_w, mu, log_sigma, coefficient = split(parameters, x.shape[-1])
    log_p = log_bin(x[..., None, :], means(x, mu, coefficient, levels), log_sigma, levels)  # [..., K, C]
    return (log_w + log_p.sum(-1)).logsumexp(-1)


def mixture_logits(parameters: Tensor, x: Tensor, levels: int) -> Tensor:
    """Log of the mass of each level of each colour, given the colours before it: [..., P], [..., C] -> [..., C, L].

    The colours before also tell which component is at work: its weight becomes w_k P_k(r) / sum_j w_j P_j(r), and so on.
    """
    log_w, mu, log_sigma, coefficient = split(parameters, x.shape[-1])
    mu = means(x, mu, coefficient, levels)
    own = log_bin(x[..., None, :], mu, log_sigma, levels)  # [..., K, C]
    log_w = (log_w[..., None] + own.cumsum(-1) - own).log_softmax(-2)  # [..., K, C]
    each = log_bin(torch.arange(levels, device=x.device), mu[..., None], log_sigma[..., None], levels)  # [..., K, C, L]
    return (log_w[..., None] + each).logsumexp(-3)
