"""Announces a message of 8 GiB, for a reader that takes the memory first."""

from tests.grading.attacks import PIPE

CODE = (
    PIPE
    + """
def responsibilities(log_joint):
    send(struct.pack("<II", 2**32 - 1, 2**32 - 1))
    time.sleep(60)
"""
)
SEEN = "more than 1 MiB of numbers"
