"""The table of models, its part for images."""

from tests.case import Case

IMAGES: dict[str, Case] = {}
