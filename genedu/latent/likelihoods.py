"""p(x|z) of images from a decoder's numbers: what the VAE and its kin share.

Bits are Bernoulli with logits, levels a softmax over them, real numbers Gaussian with one sigma. Pixels are independent given z.
"""

from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, Independent, Normal

LIKELIHOODS = ("bernoulli", "gaussian", "categorical")


def likelihood_of(
    kind: str, out: Tensor, rows: tuple[int, ...], shape: tuple[int, ...], *, levels: int = 2, sigma: float | Tensor = 1.0
) -> Distribution:
    """N rows of C*H*W numbers (categorical: C*H*W*levels, levels last), N = prod(rows) -> batch_shape rows, event_shape shape."""
    if kind == "categorical":
        return Independent(Categorical(logits=out.view(*rows, *shape, levels), validate_args=False), len(shape))
    out = out.view(*rows, *shape)  # [..., C, H, W]
    if kind == "gaussian":
        return Independent(Normal(out, sigma, validate_args=False), len(shape))
    return Independent(Bernoulli(logits=out, validate_args=False), len(shape))
