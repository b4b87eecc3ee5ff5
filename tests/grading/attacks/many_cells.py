"""A notebook of a hundred thousand cells, each of which would be run."""

import json


def notebook(released):
    cell = {"cell_type": "code", "metadata": {}, "source": "1/0", "outputs": [], "execution_count": None}
    released["cells"] += [cell] * 100_000
    return json.dumps(released).encode()


SEEN = "more than 1000 cells"
POINTS: dict[str, int] = {}
