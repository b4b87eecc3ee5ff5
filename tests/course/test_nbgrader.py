"""Grading as an instructor does it: nbgrader's own commands, from release to CSV, for submissions whose points are known.

The points of every exercise are proved in tests/exercises and its release in test_sync; here are the first and the
newest chapter. The commands take half a minute, so that one test a chapter runs them once and looks at all they made.
"""

import csv
import html
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.api import Gradebook

from genedu.grading.run import grade_class
from tests.exercises.common import MARKED, ROOT, source
from tests.exercises.students import DELETED, NAMES, Answers, hand_in, students

# Behind a student's function: each call trains with a bar, warns, and writes to stderr. None of this may cost a point.
NOISE = """
import sys, warnings
from genedu.core import Player
from genedu.fit import fit

class Line(torch.nn.Linear):
    def players(self):
        return [Player("line", list(self.parameters()), lambda x: self(x).square().mean())]

def noisy(answer):
    def student(*arguments):
        fit(Line(2, 1), torch.ones(8, 2), rounds=2)
        warnings.warn("this answer may be noisy")
        print("this answer is noisy", file=sys.stderr)
        return answer(*arguments)
    return student

{0} = noisy({0})
"""


def text(notebook: NotebookNode) -> str:
    return "\n".join(c.source for c in notebook.cells)


def nbgrader(root: Path, *arguments: str) -> None:
    """One command as typed in the course's root, without this machine's own Jupyter settings."""
    private = {f"JUPYTER_{kind}_DIR": str(root / "home" / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # nbgrader looks for alembic there
    env = {**os.environ, **private, "HOME": str(root / "home"), "IPYTHONDIR": str(root / "home"), "PATH": path}
    env |= {"GENEDU_PROGRESS": "1", "OMP_NUM_THREADS": "1"}  # bars are on, as they are in a terminal
    command = [sys.executable, "-m", "nbgrader", *arguments]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, f"nbgrader {' '.join(arguments)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


def grade(name: str, root: Path, everyone: dict[str, Answers]) -> NotebookNode:
    """Release, submissions, grades, feedback and CSV in the course's root; returns the released notebook."""
    shutil.copy(ROOT / "nbgrader_config.py", root)
    shutil.copytree(ROOT / "solutions", root / "solutions", ignore=shutil.ignore_patterns(".*"))
    for folder in ("grades", "home"):
        (root / folder).mkdir()
    nbgrader(root, "generate_assignment", name, "--create", "--force")
    released = nbformat.read(root / "exercises" / name / f"{name}.ipynb", 4)
    for student, answers in everyone.items():
        target = root / "submitted" / student / name
        target.mkdir(parents=True)
        nbformat.write(hand_in(released, answers, after=NOISE if student == "right" else ""), target / f"{name}.ipynb")
    nbgrader(root, "autograde", name)
    nbgrader(root, "generate_feedback", name)
    nbgrader(root, "export", "--to", "grades/grades.csv")
    return released


def in_gradebook(root: Path, name: str, student: str, released: NotebookNode) -> dict[str, tuple[float, float]]:
    """question -> (points earned, points possible)."""
    asked = {c.metadata.nbgrader.grade_id: c.source.split('"')[1] for c in released.cells if c.metadata.nbgrader.grade}
    with Gradebook(f"sqlite:///{root}/grades/gradebook.db", "genedu") as book:
        grades = book.find_submission_notebook(name, name, student).grades
        assert not any(g.needs_manual_grade for g in grades)
        return {asked[g.cell.name]: (g.auto_score, g.cell.max_score) for g in grades}


@pytest.mark.parametrize("name", sorted({NAMES[0], NAMES[-1]}))
def test_grading_by_nbgraders_commands(name, tmp_path, subtests):
    everyone = students(name)
    full = {q: a.points for q, a in everyone["right"].items()}
    total = {student: sum(a.points for a in answers.values()) for student, answers in everyone.items()}
    assert total["right"] == 10 and total["empty"] == 0 and 0 < total["half"] < 10
    released = grade(name, tmp_path, everyone)

    with subtests.test("the release is the exercise that the repository holds"):
        stored = nbformat.read(ROOT / "exercises" / name / f"{name}.ipynb", 4)
        assert [(c.cell_type, c.source) for c in released.cells] == [(c.cell_type, c.source) for c in stored.cells]
        files = [p.relative_to(tmp_path / "exercises") for p in (tmp_path / "exercises").rglob("*.*")]
        assert files == [Path(name, f"{name}.ipynb")]

    with subtests.test("the CSV has the points of each student and of no one else"):
        with (tmp_path / "grades" / "grades.csv").open() as file:
            rows = [(r["assignment"], r["student_id"], float(r["score"]), float(r["max_score"])) for r in csv.DictReader(file)]
        assert sorted(rows) == sorted((name, student, points, 10) for student, points in total.items())

    for student, answers in everyone.items():
        submitted, graded = (
            nbformat.read(tmp_path / folder / student / name / f"{name}.ipynb", 4)
            for folder in ("submitted", "grades/autograded")
        )
        page = (tmp_path / "grades/feedback" / student / name / f"{name}.html").read_text()
        page = html.unescape(re.sub(r"<[^>]*>", "", page[page.index("<body") :]))

        with subtests.test("each question gets its points in the gradebook", student=student):
            want = {q: (a.points, full[q]) for q, a in answers.items()}
            assert in_gradebook(tmp_path, name, student, released) == want

        with subtests.test("bars and warnings are hushed", student=student):
            assert ("noisy" in text(submitted)) == ("noisy" in text(graded)) == (student == "right")
            outputs = [o for c in graded.cells for o in c.get("outputs", [])]
            assert not [o for o in outputs if o.get("name") == "stderr" or o.output_type == "display_data"]

        with subtests.test("the feedback shows points, hints and what was raised", student=student):
            assert f"(Score: {total[student]:.1f} / 10.0)" in page
            for question, a in answers.items():
                assert (f"{question}: {a.points} of {full[question]} points" in page) == (a.cell != DELETED)
            assert ("hint:" in page) == (student != "right")
            assert ("NameError: name" in page) == (student == "half")

        with subtests.test("the feedback shows no hidden test", student=student):
            hidden = re.findall(r"### BEGIN HIDDEN TESTS\n(.*?)\n### END", source(name), re.S)
            assert len(hidden) == len(full) and not [h for h in hidden if h.strip() in page]
            assert "HIDDEN" not in page

        with subtests.test("the feedback gives no answer away that the student did not write", student=student):
            lines = {line.strip() for body in MARKED.finditer(source(name)) for line in body[0].split("\n")[1:-1]}
            secret = {line for line in lines if len(line) > 8 and line not in text(submitted)}
            assert bool(secret) == (student != "right")
            assert not [line for line in secret if line in page]

    with subtests.test("our own command gives the same points, in the same folders, and nbgrader's go on from there"):
        before = {student: in_gradebook(tmp_path, name, student, released) for student in everyone}
        done = grade_class(tmp_path / "submitted", tmp_path / "grades", tmp_path)
        assert {e.shown: e.points for e in done.entries} == total
        assert {student: in_gradebook(tmp_path, name, student, released) for student in everyone} == before
        nbgrader(tmp_path, "generate_feedback", name, "--force")
        page = (tmp_path / "grades/feedback/half" / name / f"{name}.html").read_text()
        assert f"(Score: {total['half']:.1f} / 10.0)" in html.unescape(re.sub(r"<[^>]*>", "", page))
        assert all(f"{question}: {a.points} of" in page for question, a in everyone["half"].items())
