"""Latent variable models: p(x) as a mixture over what is not seen, and networks that infer it."""

from genedu.lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "vae": ["VAE"],
    },
)
