"""Processes that student code leaves behind: found, counted in memory, and ended. All of it for Linux, by /proc.

In bubblewrap the kernel ends all of a jail with its first process. Without it a process can leave its group; so this
process adopts orphans (Linux's subreaper), which makes all that a worker ever started its descendants.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

LINUX = sys.platform == "linux"
SUBREAPER = 36  # prctl's number


def adopt_orphans() -> None:
    """Processes whose parent ends become children of this one."""
    if LINUX:
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)


def children(of: int | None = None) -> set[int]:
    """The processes that one (this one, if none is named) has started and not yet buried."""
    found: set[int] = set()
    if LINUX:
        for task in Path(f"/proc/{of or os.getpid()}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # it has just ended
                found |= {int(pid) for pid in task.read_text().split()}
    return found


def resident(of: int) -> int:
    """Bytes of memory of a process and all below it, as far as they are its own and not a file's."""
    total, waiting, known = 0, [of], set()
    while waiting:
        pid = waiting.pop()
        known.add(pid)
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = Path(f"/proc/{pid}/statm").read_text().split()
            total += (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGESIZE")
        waiting += children(pid) - known
    return total


def end(process: subprocess.Popen[bytes], before: set[int]) -> None:
    """Kill a worker, its group, and whatever became a child of this process since `before`."""
    if os.name == "posix" and process.poll() is None:
        with contextlib.suppress(OSError):
            if os.getpgid(process.pid) == process.pid:
                os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        process.kill()
    process.wait()
    for _ in range(1000):  # a process may start another one while it dies: until none is left
        left = children() - before
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(OSError):
                os.waitpid(pid, 0)
        if not left:
            break
