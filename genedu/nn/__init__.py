"""Blocks that several methods are built from. No method is named here."""

from genedu.lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "draw": ["draw_bits", "draw_levels"],
    },
)
