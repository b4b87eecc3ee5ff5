"""The table of models, its part for codes."""

from tests.case import Case

REPRESENTATION: dict[str, Case] = {}
