"""The sandbox: how a worker is started, what it may use, and how all of it is ended.

On Linux with bubblewrap a worker sits in a jail (`genedu.grading.jail`). Elsewhere limits alone hold, and
`Sandbox.gap` says what is then not protected.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from genedu.grading import jail, seccomp
from genedu.grading.limits import Limits
from genedu.grading.processes import Running, adopt_orphans, children
from genedu.grading.view import PACKAGE, view
from genedu.grading.wire import Malformed, encode, read

GAP = (
    "Student code runs under limits alone: it can read your files, solutions and other submissions too, change them, the "
    "checks and the grades too, end this program, and use the network. Grade so only what you trust, or in a container."
)


START = 60.0  # seconds in which a worker must have started
PROBE = "import threading\nthread = threading.Thread(target=len, args=('a',))\nthread.start()\nthread.join()"


@dataclass(frozen=True)
class Sandbox:
    """How workers are started. `gap` says what is not protected, "" where bubblewrap holds."""

    bubblewrap: str = ""
    gap: str = ""
    limits: Limits = field(default_factory=Limits)
    concealed: tuple[str, ...] = ()  # folders that must not be seen: the course, the submissions, the grades
    jailed: bool = True  # what was asked for

    @contextmanager
    def worker(self, hidden: tuple[str, ...] = ()) -> Iterator[Running]:
        """A worker to whom the `hidden` files of the package are not there. When the block ends, nothing of it is left."""
        seen = view(hidden)
        adopt_orphans()
        before = None if self.bubblewrap else children()
        with tempfile.TemporaryDirectory(prefix="genedu-worker-", ignore_cleanup_errors=True) as scratch:
            process = self._jailed(seen) if self.bubblewrap else self._limited(seen, Path(scratch))
            running = Running(process, before)
            try:
                yield running
            finally:
                running.end()
                for pipe in (process.stdin, process.stdout, process.stderr):
                    with suppress(OSError):  # what was never read is lost
                        pipe.close()  # type: ignore[union-attr]

    def _jailed(self, seen: Path) -> subprocess.Popen[bytes]:
        environment = surroundings(jail.OURS, "/tmp")
        concealed = [PACKAGE, *map(Path, self.concealed)]
        words = jail.command(self.bubblewrap, seen, concealed=concealed, folder=self.limits.folder, environment=environment)
        user = 1_000_000_000 + os.getpid() if os.geteuid() == 0 else 0  # a user to whom nothing else belongs
        filters = []
        if instructions := seccomp.program():
            filters, to_filter = map(list, zip(os.pipe(), strict=True))
            os.write(to_filter[0], instructions)  # far less than a pipe holds
            os.close(to_filter[0])
            words += ["--seccomp", str(filters[0])]
        try:
            return self._start(words, user, {"PATH": "/usr/bin"}, fds=filters)
        finally:
            for fd in filters:
                os.close(fd)

    def _limited(self, seen: Path, scratch: Path) -> subprocess.Popen[bytes]:
        own, home = scratch / "course", scratch / "home"
        shutil.copytree(seen, own)  # what one student writes into it meets no other
        home.mkdir()
        user = None
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            user = 1_000_000_000 + os.getpid()
            scratch.chmod(0o711)
            os.chown(home, user, user)
        return self._start([], 0, surroundings(str(own), str(home)), cwd=home, user=user)

    def _start(
        self,
        words: list[str],
        become: int,
        environment: dict[str, str],
        *,
        cwd: Path | None = None,
        user: int | None = None,
        fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        limits = self.limits.bounds(processes=bool(self.bubblewrap or user))
        judge = 0 if self.bubblewrap else os.getpid()
        settings = json.dumps({"cpu": self.limits.seconds, "limits": limits, "user": become, "judge": judge})
        return subprocess.Popen(
            [*words, sys.executable, "-P", "-s", "-m", "genedu.grading.worker", settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=cwd,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            pass_fds=fds,
            start_new_session=not words and os.name == "posix",  # bubblewrap makes its own
        )


def surroundings(package: str, home: str) -> dict[str, str]:
    """The environment of a worker: nothing of the instructor's."""
    python = {"PYTHONPATH": package, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}
    places = {"HOME": home, "TMPDIR": home, "MPLCONFIGDIR": f"{home}/.matplotlib", "IPYTHONDIR": f"{home}/.ipython"}
    habits = {"GENEDU_PROGRESS": "0", "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1", "USER": "student", "LANG": "C.UTF-8"}
    system = {k: os.environ[k] for k in ("SYSTEMROOT", "LD_LIBRARY_PATH") if k in os.environ}
    if os.name == "nt":
        system |= {"PATH": os.environ.get("PATH", ""), "USERPROFILE": home, "TEMP": home, "TMP": home}
    else:
        system["PATH"] = "/usr/bin:/bin"
    return python | places | habits | system


def find_sandbox(limits: Limits | None = None, concealed: tuple[str, ...] = (), *, jailed: bool = True) -> Sandbox:
    """Bubblewrap, where it is installed and works; else, or if not `jailed`, limits alone.

    Raises:
        ValueError: a worker cannot be started.
    """
    limits, why = limits or Limits(), "bubblewrap is not installed (make system does it, as root)"
    path = shutil.which("bwrap") if sys.platform == "linux" else None
    if sys.platform != "linux":
        why = "there is no bubblewrap on this system"
    if not jailed:
        path, why = None, "you asked for it"
    if path:
        made = Sandbox(path, "", limits, concealed)
        if not (fault := fault_of(made)):
            return made
        why = f"bubblewrap does not work here: {fault}"
    made = Sandbox("", f"{GAP} Reason: {why}.", limits, concealed, jailed)
    if fault := fault_of(made):
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            why += (
                f"; as root, without it, student code runs as a user who must be able to read {sys.prefix} and {sys.base_prefix}"
            )
        raise ValueError(f"no worker can be started ({fault}); {why}. Grade as an ordinary user, or with bubblewrap")
    return made


def fault_of(sandbox: Sandbox) -> str:
    """Why no worker starts in the sandbox; "" if one does."""
    try:
        with sandbox.worker() as running:
            process = running.process
            assert process.stdin and process.stdout and process.stderr
            clock = threading.Timer(START, running.end)
            clock.start()
            try:
                process.stdin.write(encode({"do": "run", "source": PROBE, "cell": 0, "seed": 0}))
                process.stdin.flush()
                return "" if read(process.stdout) == {"value": None} else "it cannot start a thread"
            except (EOFError, OSError, Malformed):
                running.end()
                said = process.stderr.read().decode(errors="replace").strip().splitlines()
                return said[-1] if said else f"it ends at once, with {process.returncode}"
            finally:
                clock.cancel()
    except OSError as error:
        return f"{type(error).__name__}: {error}"
