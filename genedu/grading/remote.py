"""A handle on student code in another process: the same questions as `genedu.handle.LocalHandle`, asked over a pipe.

Every answer is read by `genedu.grading.wire` and is a value or a failure, nothing else. A worker that ends, hangs,
takes too much or talks nonsense is ended, and each further question to it fails with the reason.
"""

import contextlib
import math
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from genedu.grading.limits import Limits
from genedu.grading.processes import Running
from genedu.grading.sandbox import START, Sandbox
from genedu.grading.wire import Malformed, encode, read
from genedu.handle import Argument, CallFailed, Value

TICK = 0.2  # seconds between two looks at memory and clock
HINT = 400  # characters of a message by a student's code that are kept
CPU_LIMIT = (-24, 152)  # killed for its computing time: SIGXCPU; bubblewrap says 128 + the signal
KILLED = (-9, 137)
KNOWN = frozenset(  # mistakes that a handle names; others would be words of the student's in the list for the class
    ("not written", "exits", "raises", "wrong type", "wrong weights", "no gradient", "not defined")
)


class Worker:
    """A running worker. `lost` says why it is no more, "" while it lives; `clock` if it was too slow on the clock."""

    def __init__(self, running: Running, limits: Limits, until: float = math.inf) -> None:
        self.running, self.process, self.limits, self.until = running, running.process, limits, until
        self.lost, self.mistake, self.clock = "", "", False
        self._deadline: float | None = None
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def ask(self, request: dict[str, Any], *, wall: float | None = None) -> Any:
        """The worker's answer to a request; it must come before `until` and within the limit on the clock, or `wall`.

        Raises:
            CallFailed: the student's code failed, or the worker is lost.
        """
        if self.lost:
            raise CallFailed(self.lost, self.mistake)
        assert self.process.stdin and self.process.stdout
        message = encode(request)
        self._deadline = min(time.monotonic() + (wall or self.limits.wall), self.until)
        try:
            self.process.stdin.write(message)
            self.process.stdin.flush()
            answer = read(self.process.stdout)
        except (EOFError, OSError, ValueError):
            self._bury()
            raise CallFailed(self.lost, self.mistake) from None
        except Malformed as error:
            self.lose(f"its answer could not be read ({error})", "unreadable")
            raise CallFailed(self.lost, self.mistake) from None
        finally:
            self._deadline = None
        return self._opened(answer)

    def _opened(self, answer: Any) -> Any:
        if type(answer) is dict and set(answer) == {"value"}:
            return answer["value"]
        failed = answer["failed"] if type(answer) is dict and set(answer) == {"failed"} else None
        if type(failed) is tuple and len(failed) == 2 and all(type(word) is str for word in failed):
            raise CallFailed(legible(failed[0]), failed[1] if failed[1] in KNOWN else "")
        self.lose("its answer could not be read", "unreadable")
        raise CallFailed(self.lost, self.mistake)

    def lose(self, why: str, mistake: str) -> None:
        """End the worker; the first reason stays."""
        if not self.lost:
            self.lost, self.mistake = why, mistake
        self.running.end()  # and with it all that may hold its pipe open

    def _bury(self) -> None:
        """The worker has ended by itself, unless it was ended: say how."""
        if self.lost:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(2)  # its pipe closes a moment before it ends
        code = self.process.poll()
        if code is None:
            self.lose("it closed its connection to the judge", "process ended")
        elif code in CPU_LIMIT:
            self.lose(f"it used more than {self.limits.seconds} s of computing time", "too slow")
        elif code in KILLED:  # if by the kernel, for want of memory, then another one may be to blame
            self.clock = True
            self.lose("its process was killed, by itself or for want of memory", "process ended")
        else:
            self.lose(f"it ended the whole process ({how(code)})", "process ended")

    def _watch(self) -> None:
        """End the worker when it is late or its processes take too much together."""
        while not self._over.wait(TICK) and not self.lost:
            try:
                self._look()
            except Exception as error:  # unwatched, it could do as it likes
                self.lose(f"it could not be watched ({type(error).__name__})", "process ended")

    def _look(self) -> None:
        late = self._deadline
        if late is not None and time.monotonic() > late:
            self.clock = True
            many = self.limits.wall if late < self.until else self.limits.total
            return self.lose(f"it did not end within {many:.0f} s", "too slow")
        memory, processes = self.running.usage()
        if memory > self.limits.memory:
            self.lose(f"it took more than {self.limits.memory >> 20} MiB of memory", "too much memory")
        elif processes > self.limits.processes:
            self.lose(f"it started more than {self.limits.processes} processes", "too many processes")

    def close(self) -> None:
        self._over.set()
        self._watcher.join()


@contextmanager
def working(sandbox: Sandbox, hidden: tuple[str, ...] = (), *, until: float = math.inf) -> Iterator[Worker]:
    """A worker in the sandbox, ended with the block."""
    with sandbox.worker(hidden) as running:
        worker = Worker(running, sandbox.limits, until)
        try:
            # So that it is there, before student code is; on a busy machine its start may take its time.
            worker.ask({"do": "run", "source": "", "cell": 0, "seed": 0}, wall=START)
            running.meet(sandbox.limits.bounds(processes=False))
            yield worker
        finally:
            worker.close()


class RemoteHandle:
    """`genedu.handle.Handle` on an object that lives in a worker, under a number that the worker gave it."""

    def __init__(self, worker: Worker, number: int, *, seed: int = 0) -> None:
        self.worker, self.number, self.seed = worker, number, seed

    def call(self, arguments: dict[str, Argument], *, method: str = "", seed: int = 0) -> Value:
        value = self._ask("call", arguments=arguments, method=method, seed=seed)
        if value is None or _holds_dict(value):
            raise CallFailed("it must return a tensor or a number", "wrong type")
        return value

    def gradient(
        self, arguments: dict[str, Argument], *, of: Sequence[str], method: str = "", seed: int = 0
    ) -> dict[str, Tensor | None]:
        found = self._ask("gradient", arguments=arguments, of=list(of), method=method, seed=seed)
        if (
            type(found) is not dict
            or set(found) != set(of)
            or not all(v is None or isinstance(v, Tensor) for v in found.values())
        ):
            raise CallFailed("its gradient cannot be read", "no gradient")
        return {name: found[name] for name in of}

    def build(self, arguments: dict[str, Argument], *, seed: int = 0) -> "RemoteHandle":
        return RemoteHandle(self.worker, numbered(self._ask("build", arguments=arguments, seed=seed)), seed=self.seed)

    def load(self, weights: dict[str, Tensor]) -> None:
        self._ask("load", weights=weights)

    def weights(self) -> dict[str, Tensor]:
        found = self._ask("weights")
        if type(found) is not dict or not all(isinstance(v, Tensor) for v in found.values()):
            raise CallFailed("its weights cannot be read", "wrong weights")
        return found

    def _ask(self, do: str, **more: Any) -> Any:
        return self.worker.ask({"do": do, "object": self.number, **more})


def numbered(value: Any) -> int:
    """The number of an object in the worker, which only the worker itself makes use of."""
    if type(value) is not int or not 0 <= value < 2**31:
        raise CallFailed("its answer could not be read", "unreadable")
    return value


def _holds_dict(value: Any) -> bool:
    return type(value) is dict or (type(value) is tuple and any(v is None or _holds_dict(v) for v in value))


def legible(text: str) -> str:
    """A student's words as far as any page and table can show them: one line, no control character, not too long."""
    line = " ".join(text.encode("utf-8", "replace").decode("utf-8").split())
    return "".join(c for c in line if c.isprintable())[:HINT]


def how(code: int) -> str:
    """The end of a process in words; bubblewrap reports a signal as 128 and its number."""
    signal = -code if code < 0 else code - 128
    return f"killed by signal {signal}" if 0 < signal < 65 else f"exit status {code}"
