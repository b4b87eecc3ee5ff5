"""Kills the judge, the first process, its own parent, its group, and all it may."""

CODE = """
import os

def responsibilities(log_joint):
    for target in (@JUDGE@, os.getppid(), 1, -1):
        try:
            if target not in (os.getpid(), -os.getpid()):
                os.kill(target, 9)
        except OSError:
            pass
    raise RuntimeError("still here")
"""
SEEN = "still here"
NEEDS = "bubblewrap"
