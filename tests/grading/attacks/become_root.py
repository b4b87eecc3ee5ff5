"""Becomes root, in the machine or in a namespace of its own, and mounts what it wants to see."""

from tests.grading.attacks import REFUSED

CODE = (
    REFUSED
    + """
import ctypes, os, platform

libc = ctypes.CDLL(None, use_errno=True)
CLONE = 56 if platform.machine() == "x86_64" else 220

def call(function, *arguments):
    got = function(*[a if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments])
    if got == 0 and function is libc.syscall:
        os._exit(0)  # the child of clone
    if got < 0:
        raise OSError(ctypes.get_errno())

def responsibilities(log_joint):
    refused(
        lambda: os.setuid(0),
        lambda: os.setgid(0),
        lambda: os.setresuid(0, 0, 0),
        lambda: os.setgroups([0]),
        lambda: call(libc.unshare, 0x10000000),
        lambda: call(libc.unshare, 0x00020000),
        lambda: call(libc.syscall, CLONE, 0x10000000 | 17, 0, 0, 0, 0),
        lambda: call(libc.setns, 0, 0),
        lambda: call(libc.mount, b"tmpfs", b"/tmp", b"tmpfs", 0, 0),
        lambda: call(libc.umount2, b"/course", 2),
        lambda: os.chroot("/tmp"),
        lambda: os.mknod("/tmp/disk", 0o60666, os.makedev(8, 0)),
        lambda: call(libc.sethostname, b"x", 1),
    )
"""
)
SEEN = r"refused 13 of 13 \[\]"
NEEDS = "bubblewrap"
