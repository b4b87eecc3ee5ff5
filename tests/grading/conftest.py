"""One sandbox for all tests of grading; where bubblewrap is missing, they say so by name."""

import pytest

from genedu.grading.limits import Limits
from genedu.grading.sandbox import find_sandbox
from tests.exercises.common import ROOT

LIMITS = Limits(seconds=3, wall=12.0, total=60.0)


@pytest.fixture(scope="session")
def sandbox():
    made = find_sandbox(LIMITS, concealed=(str(ROOT),))
    if made.gap:
        pytest.skip(f"bubblewrap is needed: make system. {made.gap}")  # test_sandbox fails for all of them in CI
    return made
