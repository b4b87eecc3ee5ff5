"""Ends with success in the middle of an answer."""

from tests.grading.attacks import PIPE

CODE = (
    PIPE
    + """
def responsibilities(log_joint):
    send(message({"dict": {"value": 1}})[:-4])
    os._exit(0)
"""
)
SEEN = r"ended the whole process \(exit status 0\)"
