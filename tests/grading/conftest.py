"""One sandbox for all tests of grading; where bubblewrap is missing, they say so by name."""

import os

import pytest

from genedu.grading.sandbox import Limits, find_sandbox
from tests.exercises.common import ROOT

LIMITS = Limits(seconds=3, wall=12.0, total=60.0)


@pytest.fixture(scope="session")
def sandbox():
    made = find_sandbox(LIMITS, concealed=(str(ROOT),))
    if made.gap:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"bubblewrap is needed: make system. {made.gap}")
    return made
