"""A notebook of 25 MiB."""

import json


def notebook(released):
    return json.dumps(released | {"more": "x" * 25 * 2**20}).encode()


SEEN = "larger than 20 MiB"
POINTS: dict[str, int] = {}
