"""The table of models, its part for ... ."""

from tests.case import Case

RICH: dict[str, Case] = {}
