"""The table of models, its part for text and handwriting."""

from tests.case import Case

SEQUENCES: dict[str, Case] = {}
