"""The table of models, its part for ... ."""

from tests.case import Case

AUTOENCODERS: dict[str, Case] = {}
