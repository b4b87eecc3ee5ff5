"""Writes answers to the judge's pipe ahead of the questions: numbers for the objects first, then wished-for results."""

from tests.grading.attacks import PIPE

CODE = (
    PIPE
    + """
send(message({"dict": {"value": None}}) + 60 * message({"dict": {"value": 1}}))

def responsibilities(log_joint):
    return 1
"""
)
SEEN = "it must be a tensor of shape|it must be one number|it is of type int"
POINTS: dict[str, int] = {}
