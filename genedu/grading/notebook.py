"""A submitted notebook: read without trust, and laid out as the steps in which it is run and judged."""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from genedu.grading.course import Asked, Assignment

LARGEST = 20 * 2**20  # bytes of a notebook; pictures in its outputs included
CELLS = 1000
BRACES = 1_000_000  # each may become a dictionary of the judge's


@dataclass(frozen=True)
class Cell:
    """A code cell: its place among the code cells, its nbgrader id ("" for the student's own), its source."""

    number: int
    id: str
    source: str


@dataclass(frozen=True)
class Step:
    """Run a cell, or, where `asked` is given, judge a question."""

    cell: Cell
    asked: Asked | None = None


@dataclass(frozen=True)
class Plan:
    steps: list[Step]
    notes: list[str]  # for the student
    attention: list[str]  # for a person
    answers: str  # hash of what the student wrote


def cells(text: bytes) -> list[Cell]:
    """The code cells of a notebook.

    Raises:
        ValueError: as `tree` does.
    """
    code = [c for c in tree(text) if c.get("cell_type") == "code"]
    return [Cell(i, mark(c), source(c)) for i, c in enumerate(code, 1)]


def tree(text: bytes) -> list[dict[str, Any]]:
    """All cells of a notebook, as they stand in it.

    Raises:
        ValueError: it is no notebook of format 4, too large, or has too many cells.
    """
    if len(text) > LARGEST:
        raise ValueError(f"the notebook is larger than {LARGEST >> 20} MiB: clear its outputs")
    if text.count(b"{") + text.count(b"[") > BRACES:
        raise ValueError(f"the notebook has more than {BRACES} brackets: clear its outputs")
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the file is no notebook ({type(error).__name__} when it is read)") from None
    found = read.get("cells") if isinstance(read, dict) else None
    if not isinstance(found, list):
        raise ValueError("the file is no notebook of format 4: it has no list of cells")
    if len(found) > CELLS:
        raise ValueError(f"the notebook has more than {CELLS} cells")
    return [c for c in found if isinstance(c, dict) and c.get("cell_type") in ("code", "markdown", "raw")]


def source(cell: dict[str, Any]) -> str:
    lines = cell.get("source", "")
    text = "".join(line for line in lines if isinstance(line, str)) if isinstance(lines, list) else lines
    return text if isinstance(text, str) else ""


def mark(cell: dict[str, Any]) -> str:
    """The cell's nbgrader id. It is the student's to write, so it decides only where a question is judged."""
    marks = cell.get("metadata")
    marks = marks.get("nbgrader") if isinstance(marks, dict) else None
    found = marks.get("grade_id") if isinstance(marks, dict) else None
    return found if isinstance(found, str) else ""


def plan(assignment: Assignment, found: list[Cell]) -> Plan:
    """The notebook from top to bottom: locked cells as they were handed out, each question judged where its check stands.

    As nbgrader does it: of cells with the same id the last one counts. A locked cell that is missing comes first, a
    question whose check is missing is judged at the end.
    """
    place = {cell.id: cell.number for cell in found}
    steps, notes, attention, changed = [], [], [], []
    for id in assignment.locked:
        if id not in place and id not in assignment.asked:
            steps.append(Step(Cell(0, id, assignment.locked[id])))
            attention.append(f"the locked cell {id!r} is missing; it is run first")
    for cell in found:
        id = cell.id if place[cell.id] == cell.number else ""
        if id not in assignment.locked:
            steps.append(Step(cell))
            continue
        handed_out = Cell(cell.number, id, assignment.locked[id])
        if cell.source.strip() != handed_out.source.strip():
            changed.append(repr(id))
        steps.append(Step(handed_out, assignment.asked.get(id)))
    for id, asked in assignment.asked.items():
        if id not in place:
            steps.append(Step(Cell(len(found) + 1, id, ""), asked))
            attention.append(f"the cell that checks {asked.question} is missing; it is judged at the end")
    if changed:
        attention.append(
            f"locked cells differ from those handed out, which are run instead; no point is lost: {', '.join(changed)}"
        )
    notes += attention
    for at, step in enumerate(steps):
        if step.asked and any(defines(later.cell.source, step.asked.name) for later in steps[at + 1 :] if not later.asked):
            notes.append(f"{step.asked.name} is defined again below its check: what stands above the check counts")
            attention.append(f"{step.asked.name} is defined again below its check")
    own = [s.cell.source.strip() for s in steps if not s.asked and s.cell.id not in assignment.locked]
    return Plan(steps, notes, attention, hashlib.sha256("\n".join(own).encode("utf-8", "replace")).hexdigest())


def texts(assignment: Assignment, found: list[dict[str, Any]]) -> dict[str, str]:
    """Hashes of what stands in the cells for a person to grade."""
    written = {mark(cell): source(cell).strip() for cell in found}
    return {id: hashlib.sha256(written.get(id, "").encode("utf-8", "replace")).hexdigest() for id in assignment.by_hand}


def left_blank(assignment: Assignment, found: list[dict[str, Any]]) -> list[str]:
    """The cells for a person to grade that hold nothing, or what they held when they were handed out, or are missing."""
    written = {mark(cell): source(cell).strip() for cell in found}
    return [id for id, text in assignment.blank.items() if written.get(id, "") in ("", text.strip())]


def defines(text: str, name: str) -> bool:
    """Does a cell give the name a value? Told by its lines, since what students wrote is not parsed here."""
    return re.search(rf"^(?:(?:async )?def|class) {name}\b|^{name} *=[^=]", text, re.M) is not None
