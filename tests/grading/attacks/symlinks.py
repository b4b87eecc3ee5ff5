"""Makes links in its folder to what lies outside, and reads, writes and changes rights through them."""

from tests.grading.attacks import REFUSED

CODE = (
    REFUSED
    + """
import os

def responsibilities(log_joint):
    os.symlink("@CANARY@", "/tmp/out")
    os.symlink("/proc/1/root", "/tmp/root")
    refused(
        lambda: open("/tmp/out/gradebook.db", "a"),
        lambda: open("/tmp/root@CANARY@/gradebook.db").read(),
        lambda: os.link("@CANARY@/gradebook.db", "/tmp/book"),
        lambda: os.link("/course/genedu/handle.py", "/tmp/handle.py"),
        lambda: os.chmod("/tmp/out", 0o777),
        lambda: os.rename("/tmp/out/gradebook.db", "/tmp/out/@TOKEN@"),
        lambda: open("/course/../../../..@CANARY@/gradebook.db").read(),
    )
"""
)
SEEN = r"refused 7 of 7 \[\]"
NEEDS = "bubblewrap"
