"""nbgrader's gradebook: filled with results in one transaction; read for what a person set by hand."""

import os
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from genedu.grading.course import Assignment
from genedu.grading.release import release
from genedu.grading.results import Result

COURSE = "genedu"


@dataclass
class Marks:
    """What the gradebook says of one submission, by grade cell: points that count, those set by hand, open ones, comments."""

    points: dict[str, float] = field(default_factory=dict)
    by_hand: dict[str, float] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    comments: dict[str, str] = field(default_factory=dict)  # by solution cell

    @property
    def total(self) -> float:
        return sum(self.points.values())


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        from nbgrader.api import Gradebook
        from sqlalchemy.exc import OperationalError
    except ImportError:
        raise ValueError('nbgrader is not installed: pip install -e ".[instructor]" in the course\'s folder') from None
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = str(Path(sys.executable).parent)  # nbgrader looks on the PATH for alembic, which lies there
    if beside not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = f"{beside}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        with Gradebook(f"sqlite:///{file}", COURSE) as book:
            try:
                yield book
            finally:
                book.db.rollback()  # nothing, after a commit
                book.engine.dispose()
    except OperationalError as error:
        raise ValueError(f"the gradebook {file} cannot be used ({error.orig}): close what has it open, and run again") from None


def register(file: Path, root: Path, assignment: Assignment) -> None:
    """Enter the cells of an exercise and their points, as `nbgrader generate_assignment` does, unless they are there.

    Raises:
        ValueError: there are submissions of another version of it, with other cells.
    """
    want = {a.cell: a.points for a in assignment.asked.values()} | assignment.by_hand
    with _opened(file) as book:
        if _cells(book, assignment.name) == want:
            return
    with tempfile.TemporaryDirectory() as scratch:
        from nbgrader.converters.base import NbGraderException

        with suppress(SystemExit, NbGraderException):  # what it could not do is told below
            release(root, assignment.name, root / "solutions", Path(scratch), file)
    with _opened(file) as book:
        if (have := _cells(book, assignment.name)) != want:
            raise ValueError(
                f"{file} has submissions of another version of {assignment.name} (cells {have}, now {want}): "
                "move it aside, and with it the points that were set by hand"
            )


def _cells(book: Any, name: str) -> dict[str, float]:
    from nbgrader.api import MissingEntry

    try:
        return {cell.name: cell.max_score for cell in book.find_notebook(name, name).grade_cells}
    except MissingEntry:
        return {}


def fill(
    file: Path,
    results: list[Result],
    known: dict[str, Assignment],
    rewritten: Mapping[tuple[str, str], Collection[str]] = MappingProxyType({}),
) -> None:
    """Enter all results at once: either all of them are there afterwards, or it is as before.

    Points that a person set stay, and are marked for another look where the automatic ones changed, or the text for which
    they were given (`rewritten`: cells by student and exercise).
    A cell for a person to grade that holds nothing gets 0, as nbgrader does it.
    """
    with _opened(file) as book:
        from nbgrader import api

        for result in results:
            exercise = known[result.assignment]
            scores: dict[str, float] = {}
            points = {v.question: v.points for v in result.verdicts}
            for asked in exercise.asked.values():
                scores[asked.cell] = float(points.get(asked.question, 0))
            scores |= dict.fromkeys(result.blank, 0.0)
            notebook = _submission(book, api, result)
            for grade in _grades(book, api, notebook):
                auto = scores.get(grade.cell.name)
                changed = grade.auto_score != auto or grade.cell.name in rewritten.get((result.student, result.assignment), ())
                grade.auto_score = auto
                if grade.manual_score is None:
                    grade.needs_manual_grade = auto is None
                elif changed:
                    grade.needs_manual_grade = True
        book.db.commit()


def _submission(book: Any, api: Any, result: Result) -> Any:
    """The student's notebook in the gradebook, entered if it is not there."""
    from nbgrader.utils import parse_utc

    db, name = book.db, result.assignment
    student = db.get(api.Student, result.student)
    if student is None:
        db.add(student := api.Student(id=result.student))
        db.flush()
    try:
        submission = book.find_submission(name, result.student)
    except api.MissingEntry:
        exercise, notebook = book.find_assignment(name), book.find_notebook(name, name)
        submission = api.SubmittedAssignment(assignment_id=exercise.id, student_id=student.id)
        db.add(submission)
        db.flush()
        db.add(api.SubmittedNotebook(notebook_id=notebook.id, assignment_id=submission.id))
        db.flush()
        db.refresh(submission)
    submission.timestamp = parse_utc(result.handed_in) if result.handed_in else None  # by it nbgrader knows what is new
    return submission.notebooks[0]


def _grades(book: Any, api: Any, notebook: Any) -> list[Any]:
    """All grades of a notebook; those that it lacks are added, and so are comments."""
    graded, commented = {g.cell_id for g in notebook.grades}, {c.cell_id for c in notebook.comments}
    made = [api.Grade(cell_id=c.id, notebook_id=notebook.id) for c in notebook.notebook.grade_cells if c.id not in graded]
    made += [
        api.Comment(cell_id=c.id, notebook_id=notebook.id) for c in notebook.notebook.solution_cells if c.id not in commented
    ]
    if made:
        book.db.add_all(made)
        book.db.flush()
        book.db.refresh(notebook)
    return notebook.grades


def marks(file: Path) -> dict[tuple[str, str], Marks]:
    """What the gradebook says, by student and exercise."""
    found: dict[tuple[str, str], Marks] = {}
    with _opened(file) as book:
        from nbgrader import api

        for grade in book.db.query(api.Grade):
            mark = found.setdefault((grade.student.id, grade.assignment.name), Marks())
            extra = grade.extra_credit or 0.0
            if grade.manual_score is not None:
                mark.by_hand[grade.name] = grade.manual_score + extra
            elif extra:
                mark.by_hand[grade.name] = (grade.auto_score or 0.0) + extra
            if grade.needs_manual_grade:
                mark.open.append(grade.name)
            mark.points[grade.name] = mark.by_hand.get(grade.name, grade.auto_score or 0.0)
        for comment in book.db.query(api.Comment):
            if comment.manual_comment:
                key = (comment.student.id, comment.assignment.name)
                found.setdefault(key, Marks()).comments[comment.name] = comment.manual_comment
    return found
