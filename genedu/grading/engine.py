"""Judge many submissions at once: in processes of this machine, or on a Dask cluster. Memory does not grow with their number."""

import multiprocessing
import os
import re
import signal
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from multiprocessing.connection import wait as ready

from genedu.grading.judging import Job, grade
from genedu.grading.limits import Limits
from genedu.grading.results import Result
from genedu.grading.sandbox import Sandbox, find_sandbox
from genedu.handle import words

Load = Callable[[], Job]  # a job whose notebook is read when its turn comes


@dataclass(frozen=True)
class Judges:
    """Where judging is done: by `work`, and at most `window` jobs are handed over at a time."""

    executor: Executor
    window: int
    work: Callable[[Job], Result]


def _judge_begins(folder: str) -> None:
    """A judging process ends with Ctrl-C, and with the process that started it; what it leaves lies in the run's folder."""
    tempfile.tempdir = folder
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: ready([parent.sentinel]) and os._exit(1), daemon=True).start()


@contextmanager
def processes(workers: int) -> Iterator[Judges]:
    """Processes of this machine."""
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(prefix="genedu-run-", ignore_cleanup_errors=True) as folder,
        ProcessPoolExecutor(workers, mp_context=context, initializer=_judge_begins, initargs=(folder,)) as pool,
    ):
        os.chmod(folder, 0o711)  # for workers that are another user
        try:
            yield Judges(pool, 2 * workers, grade)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def cluster(address: str) -> Iterator[Judges]:
    """The workers of a Dask scheduler; each machine needs genedu and, for safety, bubblewrap.

    Raises:
        ValueError: Dask is not installed, or there is no scheduler at the address.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ValueError('Dask is not installed: pip install -e ".[cluster]"') from None
    if not re.fullmatch(r"[a-z]+://.+:\d+", address):
        raise ValueError(f"the address of a Dask scheduler must be like tcp://host:8786, got {address!r}")
    try:
        client = Client(address, timeout="10s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ValueError(f"there is no Dask scheduler at {address}: {error}") from None
    try:
        threads = sum(client.nthreads().values())
        if not threads:
            raise ValueError(f"the Dask scheduler at {address} has no workers: start `dask worker {address} --nthreads 1`")
        yield Judges(client.get_executor(pure=False, retries=0), 2 * threads, grade_there)
    finally:
        client.close()


def judged(jobs: Iterable[Load], judges: Judges) -> Iterator[tuple[Load, Result | str]]:
    """Results as they come; for a job that failed in the judge itself, or met the end of its process, the reason."""
    waiting: dict[Future[Result], Load] = {}
    coming, broken = iter(jobs), ""
    while True:
        for load in islice(coming, max(0, judges.window - len(waiting))):
            try:
                waiting[judges.executor.submit(judges.work, load())] = load
            except Exception as error:
                broken = said(error) if isinstance(error, BrokenExecutor) else broken
                yield load, said(error)
        if not waiting:
            break
        for future in wait(waiting, return_when=FIRST_COMPLETED).done:
            load = waiting.pop(future)
            try:
                yield load, future.result()
            except Exception as error:
                yield load, said(error)
    yield from ((load, broken) for load in coming)


def said(error: Exception) -> str:
    return "the judging process ended" if isinstance(error, BrokenExecutor) else f"the judge failed: {words(error)}"


def grade_there(job: Job) -> Result:
    """Judge on another machine: in a jail if there is one, wherever the job comes from."""
    return grade(replace(job, sandbox=_sandbox(job.sandbox.limits, job.sandbox.concealed, job.sandbox.jailed)))


@cache
def _sandbox(limits: Limits, concealed: tuple[str, ...], jailed: bool) -> Sandbox:
    return find_sandbox(limits, concealed, jailed=jailed)
