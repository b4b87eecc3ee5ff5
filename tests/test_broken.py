"""A deliberately broken library turns its tests red, and for the reason we think: an oracle fails, not an import."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.broken import BREAKS, Break, broken

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def said():
    """What tools/broken.py prints, a line for each break."""
    done = subprocess.run([sys.executable, "tools/broken.py"], cwd=ROOT, capture_output=True, text=True, check=False)
    return dict(line.split(": ", 1) for line in done.stdout.splitlines()), done


@pytest.mark.parametrize("b", BREAKS, ids=lambda b: b.what)
def test_a_broken_line_is_noticed(b, said):
    lines, done = said
    assert lines.get(b.what, "").startswith(f"FAILED {b.test}::"), done.stdout + done.stderr


def test_a_break_that_no_longer_fits_the_code_is_an_error():
    b = Break("a line that is not there", "genedu/core.py", "no such line", "")
    with pytest.raises(ValueError, match=r"mend tools/broken\.py"), broken(b):
        pass
