"""Looks into the judge and other processes by the calls of a debugger.

The jail's first process is the student's own where the grader is an ordinary user; `first_process` tells what that is worth.
"""

from tests.grading.attacks import REFUSED

CODE = (
    REFUSED
    + """
import ctypes, os

libc = ctypes.CDLL(None, use_errno=True)

def call(function, *arguments):
    if function(*map(ctypes.c_long, arguments)) < 0:
        raise OSError(ctypes.get_errno())

def responsibilities(log_joint):
    room = ctypes.create_string_buffer(64)
    piece = (ctypes.c_void_p * 2)(ctypes.addressof(room), 64)
    refused(
        lambda: call(libc.ptrace, 16, os.getppid(), 0, 0),
        lambda: call(libc.ptrace, 16, @JUDGE@, 0, 0),
        lambda: call(libc.ptrace, 0, 0, 0, 0),
        lambda: call(libc.process_vm_readv, os.getpid(), ctypes.addressof(piece), 1, ctypes.addressof(piece), 1, 0),
        lambda: os.getuid() >= 10**9 and open("/proc/1/mem", "rb+") or call(libc.ptrace, 16, 1, 0, 0),
        lambda: open("/proc/@JUDGE@/mem", "rb+"),
        lambda: os.listdir("/proc/@JUDGE@/fd"),
    )
"""
)
SEEN = r"refused 7 of 7 \[\]"
NEEDS = "bubblewrap"
