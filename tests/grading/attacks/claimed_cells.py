"""Writes into locked cells, and gives its own cells their names, before and after them."""

import copy
import json


def notebook(released):
    cells = released["cells"]
    locked = [c for c in cells if c["cell_type"] == "code" and c["metadata"]["nbgrader"]["locked"]]
    for cell in locked:
        cell["source"] = "responsibilities = m_step = collapsed = None\ncheck = points = lambda *question: 1000\n1000"
    released["cells"] = copy.deepcopy(locked) + cells + copy.deepcopy(locked[1:2])
    return json.dumps(released).encode()


SEEN = "locked cells differ .*'imports'.*'responsibilities-check'"
