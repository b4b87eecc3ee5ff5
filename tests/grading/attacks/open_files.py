"""Uses files that the grader left open when it started the worker."""

CODE = """
import os

def responsibilities(log_joint):
    links = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            links.add(os.readlink(f"/proc/self/fd/{fd}").split(":")[0])
        except OSError:
            pass
    own = {"pipe", "/dev/null", "/dev/urandom", "anon_inode"}
    raise RuntimeError(f"{len(links)} kinds of open files, strange ones: {[link for link in links if link not in own]}")
"""
SEEN = r"strange ones: \[\]"
