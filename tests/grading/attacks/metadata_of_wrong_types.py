"""Cells and metadata of types that no notebook has, between cells that are as they should be."""

import json


def notebook(released):
    odd = [[], {}, 7, None, True, "imports", {"nbgrader": 7}, {"nbgrader": {"grade_id": ["imports"]}}, {"nbgrader": []}]
    cells = [{"cell_type": "code", "metadata": m, "source": s} for m in odd for s in ([7, None, ["x"]], {"a": 1}, None)]
    more = [7, None, "code", [], {}, {"cell_type": ["code"]}, {"cell_type": "code", "source": [[], "1/0\n", {}]}]
    released["cells"] = [*cells, *more, *released["cells"], *cells]
    return json.dumps(released | {"metadata": [], "nbformat": "x"}).encode()


SEEN = "ZeroDivisionError"
