"""Writes to the judge without end."""

from tests.grading.attacks import PIPE

CODE = (
    PIPE
    + """
def responsibilities(log_joint):
    while True:
        send(bytes(range(1, 256)) * 256)
"""
)
SEEN = "its answer could not be read"
