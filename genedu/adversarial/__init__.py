"""Adversarial networks: a generator that is never told a likelihood, and a discriminator that tells it what is wrong."""

from genedu.lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "gan": ["GAN"],
        "losses": ["discriminator_loss", "generator_loss", "gradient_penalty", "r1_penalty"],
    },
)
