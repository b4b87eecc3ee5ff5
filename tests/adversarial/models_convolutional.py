"""The table of models, its part for convolutional networks."""

from tests.case import Case

CONVOLUTIONAL: dict[str, Case] = {}
