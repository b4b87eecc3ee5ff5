"""p(x|z) of images from a decoder's numbers: what the VAE and its kin share.

Bits are Bernoulli with logits, levels a softmax over them, real numbers Gaussian with one sigma. Pixels are independent given z.
"""

import math

from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, Independent, Normal

LIKELIHOODS = ("bernoulli", "gaussian", "categorical")


def likelihood_of(
    kind: str, out: Tensor, rows: tuple[int, ...], shape: tuple[int, ...], *, levels: int = 2, sigma: float | Tensor = 1.0
) -> Distribution:
    """N rows of C*H*W numbers (categorical: C*H*W*levels, levels last), N = prod(rows) -> batch_shape rows, event_shape shape.

    Raises:
        ValueError: the decoder gave another number of rows, or of numbers a row.
    """
    event = (*shape, levels) if kind == "categorical" else shape
    if len(out) != math.prod(rows) or out.numel() != math.prod(rows) * math.prod(event):
        raise ValueError(f"the decoder must return {math.prod(rows)} rows of {math.prod(event)} numbers, got {list(out.shape)}")
    out = out.reshape(*rows, *event)  # [..., C, H, W], with levels behind them if there are any
    if kind == "categorical":
        return Independent(Categorical(logits=out, validate_args=False), len(shape))
    if kind == "gaussian":
        return Independent(Normal(out, sigma, validate_args=False), len(shape))
    return Independent(Bernoulli(logits=out, validate_args=False), len(shape))
