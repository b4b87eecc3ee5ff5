"""Answers with a number of 900000 digits, which takes minutes to read."""

from tests.grading.attacks import PIPE

CODE = (
    PIPE
    + """
answer_always(message(b'{"dict": {"value": ' + b"9" * 900_000 + b"}}"))

def responsibilities(log_joint):
    return 1
"""
)
SEEN = "no message: ValueError"
