"""Views with sliders over pure functions, which are tested without a browser."""

from genedu.lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "explorer": ["Explorer"],
        "boundary": ["draw_boundary"],
        "mixture": ["draw_mixture"],
        "orders": ["draw_orders"],
        "receptive_field": ["draw_receptive_field"],
        "sequences": ["draw_sequences"],
    },
)
