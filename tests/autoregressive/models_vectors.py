"""The table of models, its part for vectors: NADE and its kin."""

from tests.case import Case

VECTORS: dict[str, Case] = {}
