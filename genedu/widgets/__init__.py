"""Views with sliders over pure functions, which are tested without a browser."""

from genedu.lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "explorer": ["Explorer"],
        "boundary": ["draw_boundary"],
        "class_and_noise": ["draw_class_and_noise"],
        "codes": ["draw_codes"],
        "discriminator_surface": ["draw_discriminator_surface", "snapshot"],
        "generator_layers": ["draw_generator_layers"],
        "latent_plane": ["draw_latent_plane", "numerals"],
        "mixture": ["draw_mixture"],
        "orders": ["draw_orders"],
        "receptive_field": ["draw_receptive_field"],
        "reconstructions": ["draw_reconstructions"],
        "restaurant": ["draw_restaurant"],
        "sequences": ["draw_sequences"],
        "window_size": ["draw_window_size"],
    },
)
