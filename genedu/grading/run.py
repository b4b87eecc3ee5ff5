"""`genedu grade`: from a folder of submissions to a gradebook, tables and pages.

Each result is kept as soon as it is there; a run that is stopped goes on where it was. A submission is graded again only
if its notebook, its check or its seeds are others. Gradebook, tables and pages are made at the end, each in one move.
"""

import hashlib
import json
import os
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tqdm import tqdm

from genedu.grading import copies, engine
from genedu.grading.course import Assignment, assignments, seed_of
from genedu.grading.folder import alone, secret_of
from genedu.grading.gradebook import fill, marks, register
from genedu.grading.judging import Job
from genedu.grading.limits import Limits
from genedu.grading.publish import publish
from genedu.grading.results import Result, store, stored, write
from genedu.grading.sandbox import Sandbox, find_sandbox
from genedu.grading.submissions import Stray, Submission, find
from genedu.grading.summary import Entry


@dataclass(frozen=True)
class Options:
    """How to grade. `workers` processes here, or the workers of a Dask `scheduler`; `secret`: a file with the course's secret."""

    workers: int = 2
    scheduler: str = ""
    pseudonyms: bool = False
    limits: Limits = field(default_factory=Limits)
    jailed: bool = True
    secret: Path | None = None


@dataclass(frozen=True)
class Report:
    """What a run did."""

    graded: int
    kept: int
    entries: list[Entry]
    strays: list[Stray]
    waiting: int  # answers that a person has still to grade
    gap: str
    page: Path

    def words(self) -> str:
        """What the terminal says at the end."""
        lines = [f"graded {self.graded}, unchanged {self.kept}; {self.page} shows the class, and what a person should look at"]
        lines += [f"{self.waiting} answers wait for a person, and count 0 so far"] if self.waiting else []
        lines += [f"not graded: {s.name}: {s.why}" for s in self.strays[:10]]
        lines += [f"... and {len(self.strays) - 10} files more, on the page"] if len(self.strays) > 10 else []
        return "\n".join([*lines, f"WARNING. {self.gap}"] if self.gap else lines)


def grade_class(source: Path, out: Path, root: Path, options: Options | None = None) -> Report:
    """Grade all submissions in `source` for the course in `root`; gradebook, tables and pages are in `out` afterwards.

    Raises:
        ValueError: there is nothing to grade, it cannot be graded here, or another run is at work in `out`.
    """
    options = options or Options()
    if options.workers < 1:
        raise ValueError(f"workers must be at least 1, got {options.workers}")
    source, out, root = source.absolute(), out.absolute(), root.absolute()
    known = assignments(root)
    if out.is_relative_to(source) and source.is_dir():
        raise ValueError(f"the grades must not lie among the submissions: give an --out that is not in {source}")
    found, strays = find(source, known)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"grades cannot be written to {out} ({error}): choose another folder with --out") from None
    with alone(out):
        secret = secret_of(options.secret) if options.secret else secret_of(out / "secret", make=True)
        kept = [] if not found and not (out / "results").is_dir() else everything(out / "results", known)
        if not found and not kept:
            want = "STUDENT/NN_name/NN_name.ipynb, a flat folder of notebooks, or a platform's zip"
            raise ValueError(f"there must be notebooks to grade in {source} ({want}), there are none" + told(strays))
        sandbox = find_sandbox(options.limits, tuple(map(str, (root, source, out))), jailed=options.jailed)
        graded, rewritten = 0, {}
        for s, result in fresh(found, known, secret, sandbox, out / "results", options):
            result = replace(result, handed_in=s.handed_in())
            if old := stored(out / "results", s.student, s.assignment):
                rewritten[s.student, s.assignment] = [c for c in result.texts if old.texts.get(c) != result.texts[c]]
            graded += 1
            with suppress(OSError, zipfile.BadZipFile):  # it has gone since it was judged
                exercise = root / "exercises" / s.assignment / f"{s.assignment}.ipynb"
                place = out / "autograded" / s.student / s.assignment / f"{s.assignment}.ipynb"
                write(place, copies.copy(s.read(), exercise, result))
            store(out / "results", result)  # last: with it, the submission is done
        book = out / "gradebook.db"
        results = everything(out / "results", known)
        for name in sorted({r.assignment for r in results}):
            register(book, root, known[name])
        fill(book, results, known, rewritten)
        entries = publish(out, results, known, marks(book), strays, secret, pseudonyms=options.pseudonyms)
    waiting = sum(len(set(known[e.result.assignment].by_hand) - set(e.scores) - set(e.result.blank)) for e in entries)
    gap = next((r.gap for r in results if r.gap), "")
    return Report(graded, len(found) - graded, entries, strays, waiting, gap, out / "index.html")


def fingerprint(notebook: bytes, assignment: Assignment, seeds: dict[str, int], sandbox: Sandbox) -> str:
    """Changes with all that a result depends on."""
    parts = [hashlib.sha256(notebook).hexdigest(), assignment.version, seeds, asdict(sandbox.limits), bool(sandbox.bubblewrap)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def fresh(
    found: list[Submission], known: dict[str, Assignment], secret: bytes, sandbox: Sandbox, kept: Path, options: Options
) -> Iterator[tuple[Submission, Result]]:
    """Results of all submissions that have none yet, as they come. Those stopped by the clock get a second try, alone."""

    def job(s: Submission) -> Job:
        exercise = known[s.assignment]
        seeds = {a.question: seed_of(secret, s.student, a.question) for a in exercise.asked.values()}
        text = s.read()
        return Job(s.student, exercise, text, seeds, sandbox, fingerprint(text, exercise, seeds, sandbox))

    def is_open(s: Submission) -> bool:
        old = stored(kept, s.student, s.assignment)
        try:
            return old is None or old.fingerprint != job(s).fingerprint
        except (OSError, zipfile.BadZipFile):
            return True  # it has gone since it was found: the judge will say so

    waiting = [s for s in found if is_open(s)]
    if not waiting:
        return
    late: list[tuple[Submission, Result | str]] = []
    quiet = os.environ.get("GENEDU_PROGRESS") == "0"
    begin = engine.cluster(options.scheduler) if options.scheduler else engine.processes(min(options.workers, len(waiting)))
    with tqdm(total=len(waiting), desc="grading", unit="notebook", disable=quiet) as bar:
        with begin as judges:
            loads: dict[engine.Load, Submission] = {partial(job, s): s for s in waiting}
            for load, result in engine.judged(loads, judges):
                if isinstance(result, str) or result.clock:
                    late.append((loads[load], result))
                else:
                    yield loads[load], result
                    bar.update()
        for s, first in late:
            with engine.processes(1) as judges:
                [(_, result)] = engine.judged([partial(job, s)], judges)
            yield s, next((r for r in (result, first) if isinstance(r, Result)), None) or unjudged(s, str(result))
            bar.update()


def unjudged(s: Submission, why: str) -> Result:
    """For a submission that could not be judged twice: nothing is earned, a person must look, and the next run tries again."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Result(
        s.student, s.assignment, attention=[why], notes=["it could not be graded; your instructor was told"], graded=now
    )


def everything(kept: Path, known: dict[str, Assignment]) -> list[Result]:
    """All results in the folder, of this run and of earlier ones."""
    places = sorted((p.stem, p.parent.name) for p in kept.glob("*/*.json") if not p.name.startswith("."))
    found = [stored(kept, student, name) for name, student in places if name in known]
    return [r for r in found if r is not None]


def told(strays: list[Stray]) -> str:
    """The reasons why nothing is graded, the most frequent ones."""
    return "".join(f"; {why} ({n} times)" for why, n in Counter(s.why for s in strays).most_common(3))
