"""The three faults that a strict nbval does not see, each planted and found: a drifted pair, an unrun cell, a leak."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tools import sync

ROOT = Path(__file__).parents[2]
PY = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A chapter
# with words

# %%
from IPython.display import HTML

# %%
print("one")

# %% tags=["mine"]
HTML("<b>bold</b>")
"""


@pytest.fixture
def pair(tmp_path):
    py = tmp_path / "01_name.py"
    py.write_text(PY)
    sync.sync(py)
    return py


def test_a_second_run_leaves_no_difference(pair):
    first = pair.with_suffix(".ipynb").read_bytes()
    assert sync.faults(pair) == []
    sync.sync(pair)
    assert pair.with_suffix(".ipynb").read_bytes() == first
    notebook = nbformat.read(pair.with_suffix(".ipynb"), 4)
    assert [c.id for c in notebook.cells] == ["c000", "c001", "c002", "c003"]
    assert notebook.cells[3].metadata == {"tags": ["mine"]} and list(notebook.metadata) == ["kernelspec"]
    assert not list(pair.parent.glob("*.part"))


def test_a_pause_between_prints_does_not_cut_the_text(pair):
    pair.write_text(PY.replace('print("one")', "import time\nfor i in range(3):\n    print(i, flush=True)\n    time.sleep(0.3)"))
    sync.sync(pair)
    assert [o.text for o in nbformat.read(pair.with_suffix(".ipynb"), 4).cells[2].outputs] == ["0\n1\n2\n"]


def with_old_picture(pair, text):
    """The stored notebook, its last cell with a picture of an earlier run, the one above with this text."""
    path = pair.with_suffix(".ipynb")
    notebook = nbformat.read(path, 4)
    notebook.cells[3].outputs[0].data["image/png"] = "b2xk"
    notebook.cells[2].outputs[0].text = text
    nbformat.write(notebook, path)
    return path


def test_the_picture_of_an_unchanged_cell_is_kept(pair):
    path = with_old_picture(pair, "one\n")
    sync.sync(pair)
    assert nbformat.read(path, 4).cells[3].outputs[0].data["image/png"] == "b2xk"


@pytest.mark.parametrize("change", ["the text above", "the source above", "something that no cell shows"])
def test_an_old_picture_goes_where_something_above_it_changed(pair, change):
    path = with_old_picture(pair, "stale\n" if change == "the text above" else "one\n")
    if change == "the source above":
        pair.write_text(PY.replace('print("one")', 'x = "one"\nprint(x)'))
    sync.sync(pair, fresh=change == "something that no cell shows")
    cells = nbformat.read(path, 4).cells
    assert "image/png" not in cells[3].outputs[0].data and cells[2].outputs[0].text == "one\n"


def test_a_pair_that_drifted_is_found(pair):
    pair.write_text(PY.replace("one", "two"))
    assert "not built from this .py" in sync.faults(pair)[0]
    pair.write_text(PY.replace("with words", "with other words"))
    assert "not built from this .py" in sync.faults(pair)[0]
    pair.write_text(PY.replace('["mine"]', '["yours"]'))
    assert "not built from this .py" in sync.faults(pair)[0]
    pair.with_suffix(".ipynb").unlink()
    assert "no notebook" in sync.faults(pair)[0]


def test_a_cell_that_was_never_run_is_found(pair):
    path = pair.with_suffix(".ipynb")
    notebook = nbformat.read(path, 4)
    notebook.cells[2].execution_count, notebook.cells[2].outputs = None, []
    nbformat.write(notebook, path)
    assert "not run" in sync.faults(pair)[0]


def test_a_broken_cell_stops_the_sync_and_leaves_the_old_notebook(pair):
    before = pair.with_suffix(".ipynb").read_bytes()
    pair.write_text(PY.replace('print("one")', "1 / 0"))
    with pytest.raises(Exception, match="ZeroDivisionError"):
        sync.sync(pair)
    assert pair.with_suffix(".ipynb").read_bytes() == before


# exercises ------------------------------------------------------------------------------------------------------------

SOLUTIONS = sync.chosen("solutions", [])


@pytest.fixture
def course(tmp_path):
    """A copy of the first solution and its exercise, to be spoiled."""
    for folder in ("solutions", "exercises"):
        shutil.copytree(ROOT / folder / SOLUTIONS[0].stem, tmp_path / folder / SOLUTIONS[0].stem)
    return tmp_path, tmp_path / "solutions" / SOLUTIONS[0].stem / SOLUTIONS[0].name


@pytest.mark.parametrize("solution", SOLUTIONS, ids=lambda p: p.stem)
def test_each_exercise_is_what_nbgrader_makes_and_tells_nothing(solution):
    assert sync.check_exercise(solution, ROOT / "exercises") == []


def test_every_exercise_has_a_solution():
    assert {p.name for p in (ROOT / "exercises").glob("[0-9]*")} == {p.stem for p in SOLUTIONS}


def test_an_exercise_that_drifted_is_found(course):
    root, solution = course
    assert sync.check_exercise(solution, root / "exercises") == []
    notebook = root / "exercises" / solution.stem / f"{solution.stem}.ipynb"
    notebook.write_text(notebook.read_text().replace("points", "marks", 1))
    assert "not what nbgrader makes" in sync.check_exercise(solution, root / "exercises")[0]
    notebook.unlink()
    assert "no exercise" in sync.check_exercise(solution, root / "exercises")[0]


def test_an_exercise_that_shows_a_line_of_the_answer_is_found(course):
    root, solution = course
    secret = next(line for line in sync.SECRETS.search(solution.read_text())[2].split("\n") if "return" in line)
    path = root / "exercises" / solution.stem / f"{solution.stem}.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells[-1].source += f"\n{secret}"
    nbformat.write(notebook, path)
    assert any(repr(secret.strip()) in fault for fault in sync.leaks(solution, path.parent))


def test_an_exercise_that_shows_a_hidden_test_is_found(course):
    root, solution = course
    hidden = next(m[2] for m in sync.SECRETS.finditer(solution.read_text()) if m[1] == "HIDDEN TESTS").strip()
    path = root / "exercises" / solution.stem / f"{solution.stem}.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells[-1].source += f"\n{hidden}"
    nbformat.write(notebook, path)
    assert any(repr(hidden) in fault for fault in sync.leaks(solution, path.parent))


def test_the_copied_source_of_the_solution_is_found(course):
    root, solution = course
    folder = root / "exercises" / solution.stem
    shutil.copy(solution, folder)
    assert f"{solution.name} does not belong there" in sync.leaks(solution, folder)


def test_nbgraders_own_command_yields_the_same_bytes(tmp_path):
    """`nbgrader generate_assignment`, with its gradebook, in a copy of the course: no .py, the exercise we store."""
    name = SOLUTIONS[0].stem
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    shutil.copytree(ROOT / "solutions" / name, tmp_path / "solutions" / name)
    (tmp_path / "grades").mkdir()
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", name]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # nbgrader looks for alembic there
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = tmp_path / "exercises" / name
    assert [p.name for p in made.iterdir()] == [f"{name}.ipynb"]
    assert (made / f"{name}.ipynb").read_bytes() == (ROOT / "exercises" / name / f"{name}.ipynb").read_bytes()


def test_points_add_up_to_ten_a_chapter():
    for solution in SOLUTIONS:
        cells = json.loads(solution.with_suffix(".ipynb").read_text())["cells"]
        assert sum(c["metadata"].get("nbgrader", {}).get("points", 0) for c in cells) == 10
