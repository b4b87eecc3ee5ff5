"""Judge one submission: its notebook runs in a worker, its questions are judged here, by the checks of the notebook.

The notebook runs from top to bottom. Where a check stands, the question is judged with cases of the student's own seed.
A worker that is lost takes one cell or one question with it: the next one starts again, without the cell that ended it.
"""

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import torch

from genedu.checks import outcomes
from genedu.grading.course import Asked, Assignment
from genedu.grading.notebook import Cell, Plan, cells, left_blank, plan, texts, tree
from genedu.grading.remote import RemoteHandle, Worker, numbered, working
from genedu.grading.results import Result, Verdict
from genedu.grading.sandbox import Sandbox
from genedu.handle import CallFailed

LOST = 4  # workers that one submission may lose before the rest is left out
ONE_AT_A_TIME = threading.Lock()  # a check draws from torch's global chance


@dataclass(frozen=True)
class Job:
    """All that judging a submission takes; it travels to another process or machine."""

    student: str
    assignment: Assignment
    notebook: bytes
    seeds: dict[str, int]  # by question
    sandbox: Sandbox
    fingerprint: str = ""


def grade(job: Job) -> Result:
    """The result of one submission. Whatever the student wrote, it returns."""
    started = time.monotonic()
    with ONE_AT_A_TIME:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            result = _Session(job).result()
        finally:
            torch.set_num_threads(threads)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return replace(result, fingerprint=job.fingerprint, graded=now, seconds=round(time.monotonic() - started, 3))


class Broken:
    """A handle on what is not there: every question to it fails, with the reason."""

    def __init__(self, why: str, mistake: str, *, seed: int = 0) -> None:
        self.why, self.mistake, self.seed = why, mistake, seed

    def _fail(self, *asked: Any, **more: Any) -> Any:
        raise CallFailed(self.why, self.mistake)

    call = gradient = build = load = weights = _fail


class _Session:
    """One submission's way through its notebook."""

    def __init__(self, job: Job) -> None:
        self.job, self.limits = job, job.sandbox.limits
        self.until = time.monotonic() + self.limits.total
        self.verdicts: list[Verdict] = []
        self.notes: list[str] = []
        self.attention: list[str] = []
        self.left_out: set[int] = set()  # steps that ended a worker
        self.losses, self.clock = 0, False
        self.worker: Worker | None = None
        self.stack = ExitStack()

    def result(self) -> Result:
        job = self.job
        try:
            laid = plan(job.assignment, cells(job.notebook))
        except ValueError as error:
            laid = Plan([], [str(error)], [str(error)], "")
            self.verdicts = [self.failed(a, str(error), "") for a in job.assignment.asked.values()]
        self.notes += laid.notes
        self.attention += laid.attention
        with self.stack:
            self.walk(laid)
        order = [a.question for a in job.assignment.asked.values()]
        self.verdicts.sort(key=lambda v: order.index(v.question))
        found = tree(job.notebook) if laid.steps else []
        blank = left_blank(job.assignment, found)
        if written := [id for id in job.assignment.by_hand if id not in blank]:
            self.attention.append(f"to be graded by hand: {', '.join(written)}")
        return Result(
            job.student,
            job.assignment.name,
            verdicts=self.verdicts,
            notes=self.notes,
            attention=self.attention,
            blank=blank,
            texts=texts(job.assignment, found),
            gap=job.sandbox.gap,
            clock=self.clock,
            answers=laid.answers,
        )

    def walk(self, laid: Plan) -> None:
        for at, step in enumerate(laid.steps):
            self.catch_up(laid, at)
            if step.asked is None:
                self.run(at, step.cell)
            else:
                self.judge(at, step.cell, step.asked)

    def catch_up(self, laid: Plan, at: int) -> None:
        """A living worker that has run all cells above step `at`, but for those that ended one."""
        while (self.worker is None or self.worker.lost) and self.losses < LOST and time.monotonic() < self.until:
            self.stack.close()
            self.worker = self.stack.enter_context(working(self.job.sandbox, self.job.assignment.hidden, until=self.until))
            for before, step in enumerate(laid.steps[:at]):
                if before not in self.left_out and not self.worker.lost:
                    self.run(before, step.cell, again=True)

    def run(self, at: int, cell: Cell, *, again: bool = False) -> None:
        """Run one cell; what goes wrong is noted, and the next cell follows."""
        assert self.worker
        if self.spent():
            return
        try:
            self.worker.ask({"do": "run", "source": cell.source, "cell": cell.number, "seed": 0})
        except CallFailed as error:
            if self.worker.lost:
                self.lose(at, f"{title(cell)}: {error}; it is left out from here on")
            elif not again:
                self.notes.append(f"{title(cell)}: {error}")

    def judge(self, at: int, cell: Cell, asked: Asked) -> None:
        """Judge one question by the objects that its worker holds now."""
        began, seed = time.monotonic(), self.job.seeds[asked.question]
        assert self.worker
        if over := self.spent():
            self.verdicts.append(self.failed(asked, over, "too slow"))
            return
        try:
            if cell.source:
                self.worker.ask({"do": "run", "source": cell.source, "cell": cell.number, "seed": 0})
        except CallFailed:
            pass  # the name is missing, which the next line says better
        try:
            number = numbered(self.worker.ask({"do": "bind", "name": asked.name, "seed": 0}))
            found = outcomes(asked.question, RemoteHandle(self.worker, number, seed=seed))
            self.verdicts.append(Verdict(asked.question, found, round(time.monotonic() - began, 3)))
        except CallFailed as error:
            self.verdicts.append(self.failed(asked, str(error), error.mistake))
        if self.worker.lost:
            self.lose(at, f"question {asked.question}: {self.worker.lost}")

    def spent(self) -> str:
        """Why nothing more is run, "" while something is."""
        if self.worker is None or self.worker.lost:
            many = f"its code ended {LOST} processes" if self.losses >= LOST else f"it took more than {self.limits.total:.0f} s"
            return f"not judged: {many} before"
        return ""

    def lose(self, at: int, why: str) -> None:
        assert self.worker
        self.losses += 1
        self.clock = self.clock or self.worker.clock
        self.left_out.add(at)
        self.notes.append(why)
        self.attention.append(why)

    def failed(self, asked: Asked, why: str, mistake: str) -> Verdict:
        """The verdict on what cannot be called: all its outcomes fail, for the reason given."""
        return Verdict(asked.question, outcomes(asked.question, Broken(why, mistake, seed=self.job.seeds[asked.question])))


def title(cell: Cell) -> str:
    """How a note names a cell."""
    first = next(iter(cell.source.strip().splitlines()), "")
    return f"code cell {cell.number} ({first[:40]!r})"
