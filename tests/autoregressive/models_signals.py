"""The table of models, its part for sound and video."""

from tests.case import Case

SIGNALS: dict[str, Case] = {}
