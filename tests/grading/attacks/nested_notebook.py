"""A file of a million brackets."""


def notebook(released):
    return b'{"cells": ' + b"[" * 100_000


SEEN = "the file is no notebook"
POINTS: dict[str, int] = {}
