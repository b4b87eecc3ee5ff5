"""A deliberately broken library turns its tests red, and for the reason we think: an oracle fails, not an import."""

import re

import pytest

from tools.broken import BREAKS, notice


@pytest.mark.parametrize("b", BREAKS, ids=lambda b: b.what)
def test_a_broken_line_is_noticed(b):
    done = notice(b)
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-2000:]
    assert re.search(r"^FAILED ", done.stdout, re.M) and not re.search(r"ImportError|SyntaxError|ERROR ", done.stdout)
