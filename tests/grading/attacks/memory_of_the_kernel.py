"""Keeps memory where no limit counts it: memory files, shared segments, keyrings, rings, programs of the kernel."""

from tests.grading.attacks import REFUSED

CODE = (
    REFUSED
    + """
import ctypes, os, platform

libc = ctypes.CDLL(None, use_errno=True)
COLUMN = 0 if platform.machine() == "x86_64" else 1
NUMBERS = {"shmget": (29, 194), "msgget": (68, 186), "add_key": (248, 217), "bpf": (321, 280), "io_uring_setup": (425, 425)}
NUMBERS |= {"memfd_secret": (447, 447), "userfaultfd": (323, 282), "perf_event_open": (298, 241), "keyctl": (250, 219)}

def by_number(name):
    if libc.syscall(NUMBERS[name][COLUMN], *map(ctypes.c_long, (0, 2**20, 0o1600, 0, 0))) < 0:
        raise OSError(ctypes.get_errno())

def responsibilities(log_joint):
    refused(lambda: os.memfd_create("x"), *[lambda n=n: by_number(n) for n in NUMBERS])
"""
)
SEEN = r"refused 10 of 10 \[\]"
NEEDS = "bubblewrap"
