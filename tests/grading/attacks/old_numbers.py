"""Makes forbidden system calls by the numbers of x32 and of 32-bit programs, which a filter may not know."""

CODE = """
import ctypes, platform

def responsibilities(log_joint):
    libc = ctypes.CDLL(None, use_errno=True)
    if platform.machine() == "x86_64":
        made = libc.syscall(ctypes.c_long(0x40000000 + 319), b"x", 0)
        raise RuntimeError(f"x32: {made}, error {ctypes.get_errno()}")
    raise RuntimeError("x32: -1, error 1 for want of it")
"""
SEEN = "x32: -1, error 1"
NEEDS = "bubblewrap"
