"""Pictures for chapters, one function a kind of picture. Models are passed in as functions; none is named here."""

from genedu.lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "style": ["PALETTE", "STYLE"],
        "images": ["image_grid", "image_rows"],
        "lines": ["curves", "histograms", "loss_history"],
        "strokes": ["ink"],
        "texts": ["text_rows"],
        "plane": ["decision_map", "density_map", "ellipses", "points"],
    },
)
