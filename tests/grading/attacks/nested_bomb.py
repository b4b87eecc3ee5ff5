"""Answers with half a million brackets, to end the judge by its own recursion."""

from tests.grading.attacks import PIPE

CODE = (
    PIPE
    + """
answer_always(message(b"[" * 500_000))

def responsibilities(log_joint):
    return 1
"""
)
SEEN = "no message: RecursionError"
