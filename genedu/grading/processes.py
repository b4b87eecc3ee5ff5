"""A worker's processes: found, counted, and ended with all that student code started. All of it for Linux, by /proc.

A jail ends with its first process, all at once. Without a jail a process can leave its group and its parent. So the judge adopts
orphans (Linux's subreaper): the first process of a jail, which it can then wait for, and all that a worker ever started.
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
OWN = 2  # processes of bubblewrap itself


class Running:
    """A running worker. Out of a jail, whatever became a child of the judge since then belongs to it."""

    def __init__(self, process: subprocess.Popen[bytes], before: set[int] | None = None) -> None:
        self.process, self.before = process, before
        self.first: set[int] = set()  # of a jail: with it, the kernel ends and buries all others

    def strays(self) -> set[int]:
        """Processes that have left the worker; of a jail only its first one can."""
        if self.before is None:
            return self.first & children()
        return children() - self.before - {self.process.pid}

    def usage(self) -> tuple[int, int]:
        """Bytes of memory that all its processes hold, as far as no file stands behind them, and how many these are."""
        self.meet()
        total, waiting, known = 0, [self.process.pid, *self.strays()], set()
        while waiting:
            known.add(pid := waiting.pop())
            with contextlib.suppress(OSError, ValueError, IndexError):  # it has just ended
                words = Path(f"/proc/{pid}/status").read_text().split()
                total += sum(int(words[words.index(kind) + 1]) * 1024 for kind in ("RssAnon:", "RssShmem:"))
            waiting += children(pid) - known
        return total, len(known) - (OWN if self.before is None else 0)

    def meet(self, limits: dict[str, int] | None = None) -> None:
        """Remember who is the first process of the jail; `limits` bind it, too, for code of its own user can write into it."""
        if self.before is None:
            self.first |= children(self.process.pid)
        for pid in self.first if limits else ():
            bind(pid, limits or {})

    def end(self) -> None:
        """Kill it, its group and all that has left it. Afterwards none of them is there."""
        self.meet()
        if os.name == "posix" and self.process.poll() is None:
            with contextlib.suppress(OSError):
                if os.getpgid(self.process.pid) == self.process.pid:
                    os.killpg(self.process.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait()
        for _ in range(1000):  # a process may start another one while it dies: until none is left
            left = self.strays()
            for pid in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(OSError):
                    os.waitpid(pid, 0)
            if not left:
                break


def adopt_orphans() -> None:
    """Processes whose parent ends become children of this one."""
    if LINUX:
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)


def children(of: int | None = None) -> set[int]:
    """The processes that one (this one, if none is named) has started and not yet buried."""
    found: set[int] = set()
    if LINUX:
        with contextlib.suppress(OSError):  # it has just ended
            for task in os.scandir(f"/proc/{os.getpid() if of is None else of}/task"):
                with contextlib.suppress(OSError):
                    found |= {int(pid) for pid in Path(task.path, "children").read_text().split()}
    return found


def bind(pid: int, limits: dict[str, int]) -> None:
    """Limits on a process that is running."""
    import resource  # not on Windows

    with contextlib.suppress(OSError):  # it has just ended
        for name, value in limits.items():
            resource.prlimit(pid, getattr(resource, f"RLIMIT_{name}"), (value, value))
