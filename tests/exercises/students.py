"""Students of an exercise: what they hand in to each question, and the points that it must get."""

import copy
import re
from dataclasses import dataclass
from importlib import import_module

import nbformat
from nbformat import NotebookNode

from genedu.checks import points
from tests.exercises.common import ROOT, Wrong, answer, cell, run

NAMES = [p.stem for p in sorted((ROOT / "solutions").glob("*/[0-9][0-9]_*.py"))]
MARK = re.compile(r"^ *### (BEGIN|END) SOLUTION\n", re.M)
DELETED = "# the function is gone, so that the grade cell raises; a traceback would quote the hidden tests"


@dataclass(frozen=True)
class Answer:
    """What a student hands in to a question: the cell (None: left as it came), and the points that it must get."""

    function: str
    cell: str | None
    points: int


Answers = dict[str, Answer]  # by question


def asked(name: str) -> dict[str, tuple[str, int]]:
    """Of each question of an exercise the function and the points."""
    return import_module(f"tests.exercises.test_ch{name[:2]}").QUESTIONS


def wrong_answers(name: str) -> dict[str, dict[str, Wrong]]:
    """Of each question the wrong answers that its check must reject."""
    return import_module(f"tests.exercises.test_ch{name[:2]}").TestExercise.listed


def solved(name: str) -> Answers:
    return {q: Answer(f, MARK.sub("", cell(name, f)), full) for q, (f, full) in asked(name).items()}


def empty(name: str) -> Answers:
    return {q: Answer(f, None, 0) for q, (f, _) in asked(name).items()}


def students(name: str) -> dict[str, Answers]:
    """ "half": the first half of the questions right, the next one partly, the last one deleted, the rest left empty."""
    right, nothing = solved(name), empty(name)
    order = list(right)
    last, middle = order[-1], order[len(order) // 2]
    half = nothing | {q: right[q] for q in order[: len(order) // 2]}
    for case in wrong_answers(name)[middle].values():
        earned = points(middle, run(name, right[middle].function, case.code), seed=1)
        if 0 < earned < right[middle].points:
            half[middle] = Answer(right[middle].function, answer(name, right[middle].function, case.code), earned)
            break
    half[last] = Answer(right[last].function, DELETED, 0)
    return {"right": right, "empty": nothing, "half": half}


def released(name: str) -> NotebookNode:
    return nbformat.read(ROOT / "exercises" / name / f"{name}.ipynb", 4)


def hand_in(exercise: NotebookNode, answers: Answers, *, after: str = "") -> NotebookNode:
    """The exercise with the answers written into it, and `after` (with {0} for the function's name) behind each."""
    notebook = copy.deepcopy(exercise)
    for a in answers.values():
        place = next(c for c in notebook.cells if re.search(rf"^(def|class) {a.function}\b", c.source, re.M))
        assert "raise NotImplementedError" in place.source and place.metadata.nbgrader.solution
        if a.cell is not None:
            place.source = a.cell.strip("\n") + after.format(a.function)
    return notebook
