"""Sends an answer of which a byte comes every tenth of a second, for a limit that begins anew with each byte."""

from tests.grading.attacks import PIPE

CODE = (
    PIPE
    + """
def responsibilities(log_joint):
    send(struct.pack("<II", 2**20, 2**26))
    while True:
        send(b" ")
        time.sleep(0.1)
"""
)
SEEN = "did not end within 6 s"
