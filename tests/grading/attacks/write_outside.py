"""Writes to the gradebook, the solutions, the course, the installed packages and the grader's home; removes them."""

from tests.grading.attacks import REFUSED

CODE = (
    REFUSED
    + """
import os, shutil

PLACES = ["@CANARY@", "@ROOT@", "@ROOT@/genedu", "@VIEW@/genedu", "/course", "/course/genedu", "@SITE@", "@HOME@"]
PLACES += ["@HOME@/.ipython/profile_default/startup", "/", "/var/tmp", "/dev/shm", "/run", "/usr/bin", "/dev", "/etc", "/proc"]

def responsibilities(log_joint):
    refused(
        *[lambda p=p: open(p + "/@TOKEN@", "w") for p in PLACES],
        *[lambda p=p: os.mkdir(p + "/@TOKEN@") for p in PLACES],
        lambda: open("@CANARY@/gradebook.db", "w"),
        lambda: os.remove("@CANARY@/gradebook.db"),
        lambda: shutil.rmtree("@CANARY@/solutions"),
        lambda: open("/course/genedu/handle.py", "a"),
        lambda: os.chmod("/course/genedu", 0o777),
        lambda: os.utime("/course/genedu/handle.py"),
    )
"""
)
SEEN = r"refused 40 of 40 \[\]"
NEEDS = "bubblewrap"
