"""The table of models, its part for networks that see or predict a label."""

from tests.case import Case

CONDITIONAL: dict[str, Case] = {}
