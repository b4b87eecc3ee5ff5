"""What the tests of grading share: submissions made of answers, small sandboxes, and the result of grading one."""

import copy
import json
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from genedu.grading.course import Asked, Assignment, assignments
from genedu.grading.judging import Job, grade
from genedu.grading.limits import MIB, Limits
from genedu.grading.results import Result
from genedu.grading.sandbox import Sandbox, find_sandbox
from tests.exercises.common import ROOT, cell

MARK = re.compile(r"^ *### (BEGIN|END) SOLUTION\n", re.M)
MISSING = "no bubblewrap on this machine: make system installs it"
SMALL = Limits(seconds=2, wall=6.0, total=60.0, memory=2048 * MIB, processes=16, file=8 * MIB, folder=32 * MIB)


@cache
def course() -> dict[str, Assignment]:
    return assignments(ROOT)


@cache
def released(name: str) -> dict[str, Any]:
    """The notebook as it was handed out. Shared: write into a copy."""
    return json.loads((ROOT / "exercises" / name / f"{name}.ipynb").read_text(encoding="utf-8"))


def asked(name: str) -> dict[str, Asked]:
    """What an exercise asks, by question."""
    return {a.question: a for a in course()[name].asked.values()}


def solution(name: str, question: str) -> str:
    """The right answer to a question, as a student would hand it in."""
    return MARK.sub("", cell(name, asked(name)[question].name)).strip("\n")


def written(name: str, answers: dict[str, str]) -> dict[str, Any]:
    """The exercise with answers (by question) in the cells that are theirs; the rest is left as it came."""
    notebook = copy.deepcopy(released(name))
    for question, text in answers.items():
        start = re.compile(rf"^(def|class) {asked(name)[question].name}\b", re.M)
        (place,) = (c for c in notebook["cells"] if c["cell_type"] == "code" and start.search("".join(c["source"])))
        place["source"] = text
    return notebook


def submission(name: str, answers: dict[str, str]) -> bytes:
    """What is handed in with these answers."""
    return json.dumps(written(name, answers)).encode()


def honest(name: str) -> bytes:
    """A submission in which all is right."""
    return submission(name, {q: solution(name, q) for q in asked(name)})


def graded(sandbox: Sandbox, name: str, notebook: bytes, *, student: str = "student", seed: int = 20) -> Result:
    """The result of one submission, with cases of seeds that no student has seen: `seed` and the next ones."""
    assignment = course()[name]
    seeds = {q: seed + i for i, q in enumerate(asked(name))}
    return grade(Job(student, assignment, notebook, seeds, sandbox))


def points(result: Result) -> dict[str, int]:
    """The points of the questions that got some."""
    return {v.question: v.points for v in result.verdicts if v.points}


def bubblewrap() -> str:
    """Its path. Where it is missing, the test that asks is skipped; test_sandbox fails for all of them in CI."""
    found = shutil.which("bwrap")
    return found if found else pytest.skip(MISSING)


@cache
def small_sandbox(*concealed: Path, jailed: bool = True) -> Sandbox:
    """A sandbox with small limits, made once a process."""
    return find_sandbox(SMALL, tuple(map(str, concealed)), jailed=jailed)
