"""The table of models, its part for ... ."""

from tests.case import Case

INFINITE: dict[str, Case] = {}
