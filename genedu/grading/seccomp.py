"""The system calls that student code does not get: a filter for Linux's kernel, as bubblewrap takes it.

Most of what a sandbox must refuse is refused by its namespaces and limits. Left are calls by which memory escapes the
limits (memory files, shared segments), by which a process looks into others or keeps things in the kernel's keyrings,
and by which it makes itself namespaces of its own. A filtered call fails as if it were forbidden.
"""

import platform
import struct

# name -> number on x86-64 and on arm64 (the kernel's tables, arch/x86/entry/syscalls and asm-generic/unistd.h)
CALLS = {
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "io_uring_setup": (425, 425),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_by_handle_at": (304, 265),
}
SOCKET, FAMILIES = (41, 198), (1, 2, 10)  # local, IPv4, IPv6; a namespace of networks does not hold back others (vsock)
CLONE, CLONE3 = (56, 220), (435, 435)
NEW_USER = 0x10000000  # clone's flag for a namespace of users
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, the kernel's name of the machine

LOAD, EQUAL, BITS, LARGE, RETURN = 0x20, 0x15, 0x45, 0x35, 0x06  # instructions: A = word; A == k, A & k, A >= k; return
ALLOW, KILL, FORBIDDEN, UNKNOWN = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026  # the errors are EPERM and ENOSYS
NUMBER, MACHINE, FIRST = 0, 4, 16  # where the filter finds the call's number, the machine and the first argument


def program(machine: str | None = None) -> bytes:
    """The filter's instructions, eight bytes each; b"" for a machine whose numbers are not known."""
    machine = machine or platform.machine()
    if machine not in MACHINES:
        return b""
    column, name = MACHINES[machine]
    steps = [(LOAD, 0, 0, MACHINE), (EQUAL, 1, 0, name), (RETURN, 0, 0, KILL), (LOAD, 0, 0, NUMBER)]
    if machine == "x86_64":  # the same calls under other numbers
        steps += [(LARGE, 0, 1, 0x40000000), (RETURN, 0, 0, FORBIDDEN)]
    steps += [(EQUAL, 0, 6, SOCKET[column]), (LOAD, 0, 0, FIRST)]
    steps += [(EQUAL, 3 - i, 0, family) for i, family in enumerate(FAMILIES)]
    steps += [(RETURN, 0, 0, FORBIDDEN), (RETURN, 0, 0, ALLOW)]
    for numbers in CALLS.values():
        steps += [(EQUAL, 0, 1, numbers[column]), (RETURN, 0, 0, FORBIDDEN)]
    steps += [(EQUAL, 0, 1, CLONE3[column]), (RETURN, 0, 0, UNKNOWN)]  # its flags cannot be seen; libc falls back to clone
    steps += [(EQUAL, 0, 3, CLONE[column]), (LOAD, 0, 0, FIRST), (BITS, 0, 1, NEW_USER), (RETURN, 0, 0, FORBIDDEN)]
    steps += [(RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("<HBBI", *step) for step in steps)
