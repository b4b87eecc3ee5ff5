"""Raises the points in the metadata, makes check cells its own to solve, and names a kernel that starts a program."""

import json


def notebook(released):
    for cell in released["cells"]:
        marks = cell["metadata"]["nbgrader"]
        marks |= {"points": 1000, "grade": True, "solution": True, "locked": False, "task": True, "schema_version": 99}
        marks |= {"checksum": "0", "auto_score": 1000, "manual_score": 1000, "extra_credit": 1000}
    kernel = {"name": "../../x", "language": "sh", "argv": ["touch", "x"], "display_name": "<script>"}
    released["metadata"] = {"kernelspec": kernel, "score": 1000, "nbgrader": {"points": 1000}}
    return json.dumps(released | {"score": 1000}).encode()


SEEN = "still to be written"
