"""What there is to grade: the exercises as they were handed out, their questions, and the version of their checks."""

import ast
import hashlib
import json
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from genedu.checks import questions
from genedu.grading.view import PACKAGE

CHECKED = re.compile(r'^check\("([^"]+)", (\w+)\)', re.M)


@dataclass(frozen=True)
class Asked:
    """A question: `check("02.1", responsibilities)` stands in the grade cell `cell` and carries `points`."""

    cell: str
    question: str
    name: str
    points: float


@dataclass(frozen=True)
class Assignment:
    """An exercise as it was handed out."""

    name: str  # "02_density_and_mixtures"
    locked: dict[str, str]  # code cells that are not the student's to change: id -> source, in order
    asked: dict[str, Asked]  # by the id of the grade cell, in order
    by_hand: dict[str, float]  # cells that a person grades: id -> points
    blank: dict[str, str]  # and what they held when they were handed out
    hidden: tuple[str, ...]  # files of the library that hold its chapter's answers
    version: str  # changes with the handed-out notebook and with all that its check consists of

    @property
    def points(self) -> float:
        return sum(a.points for a in self.asked.values()) + sum(self.by_hand.values())


def assignments(root: Path) -> dict[str, Assignment]:
    """All exercises of the course in folder `root`, by name.

    Raises:
        ValueError: there are none, or one is not as the checks expect it.
    """
    found = {p.stem: assignment(p) for p in sorted((root / "exercises").glob("[0-9][0-9]_*/[0-9][0-9]_*.ipynb"))}
    if not found:
        raise ValueError(f"there must be exercises/NN_name/NN_name.ipynb in the course's folder, {root} has none")
    return found


def assignment(path: Path) -> Assignment:
    """The exercise in a handed-out notebook.

    Raises:
        ValueError: a grade cell does not hold one `check("NN.n", name)`, or the questions are not those of the check.
    """
    text = path.read_bytes()
    locked, asked, by_hand, blank = {}, {}, {}, {}
    for cell in json.loads(text)["cells"]:
        marks = cell["metadata"].get("nbgrader", {})
        source = "".join(cell["source"])
        if marks.get("task"):
            raise ValueError(f"{path}: the task cell {marks['grade_id']} cannot be graded here: make it a manually graded answer")
        if marks.get("grade") and marks.get("solution"):
            by_hand[marks["grade_id"]] = float(marks["points"])
            blank[marks["grade_id"]] = source
        elif marks.get("grade"):
            calls = CHECKED.findall(source)
            if len(calls) != 1:
                raise ValueError(
                    f'{path}: the grade cell {marks["grade_id"]} must hold one check("NN.n", name), it holds {calls}'
                )
            asked[marks["grade_id"]] = Asked(marks["grade_id"], calls[0][0], calls[0][1], float(marks["points"]))
        if cell["cell_type"] == "code" and marks.get("locked"):
            locked[marks["grade_id"]] = source
    chapter = path.stem[:2]
    known = list(questions(chapter))
    if [a.question for a in asked.values()] != known:
        raise ValueError(f"{path}: it must ask {known}, in this order, it asks {[a.question for a in asked.values()]}")
    module = questions(chapter)[known[0]].__module__
    version = hashlib.sha256(text)
    for file in sources(module):
        version.update(file.read_bytes())
    return Assignment(path.stem, locked, asked, by_hand, blank, tuple(import_module(module).ANSWERS), version.hexdigest())


def sources(module: str) -> list[Path]:
    """The files of genedu that a check consists of: its own, those it imports, and the judge's.

    Of a package, all files count, since its names are imported when they are used; of `checks`, those named only.
    """
    waiting = ["genedu.checks", module, "genedu.grading.worker", "genedu.grading.judging"]
    found: set[Path] = set()
    while waiting:
        for file in _files(waiting.pop()) - found:
            found.add(file)
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    waiting += [a.name for a in node.names if a.name.startswith("genedu")]
                elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("genedu"):
                    waiting += [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
    return sorted(found)


def _files(module: str) -> set[Path]:
    """The file of a module, all files of a package of methods; nothing for what is a name in a module."""
    place = PACKAGE.parent.joinpath(*module.split("."))
    if place.with_suffix(".py").is_file():
        return {place.with_suffix(".py")}
    if not (place / "__init__.py").is_file():
        return set()
    alone = module in ("genedu", "genedu.checks", "genedu.grading")
    return {place / "__init__.py"} if alone else set(place.glob("*.py"))


def seed_of(secret: bytes, student: str, question: str) -> int:
    """The seed of the cases that a student is graded on: unseen by students, and the same at the next regrade."""
    text = json.dumps([student, question]).encode()
    return int.from_bytes(hashlib.blake2b(text, key=secret[:64], digest_size=4).digest(), "big") >> 1
