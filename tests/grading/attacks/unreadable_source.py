"""Code of half characters and zero bytes, whose encoding, hashing or compiling fails."""

import json


def notebook(released):
    texts = ["x = '\ud800'", "\0", "\ufeffx = 1", "\x1b[2J = \u202e", "(" * 5000, "-" * 100_000 + "1", "'" + "x" * 2_000_000]
    cells = [{"cell_type": "code", "metadata": {"nbgrader": {"grade_id": t[:9]}}, "source": t} for t in texts]
    released["cells"][1:1] = cells
    return json.dumps(released).encode()


SEEN = "(?s)UnicodeEncodeError.*null bytes"
