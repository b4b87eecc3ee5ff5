"""Every chapter in JupyterLab, as its reader has it: Run All, all claims hold, the slider moves the picture.

The first chapter and the newest run whole, the others their widget only (server.py), which keeps this to minutes.

One server and one browser serve the whole module. `make browser` runs it, in one process.
"""

import hashlib
import os
from pathlib import Path

import nbformat
import pytest

from tests.browser import lab as labs
from tests.browser.server import CHAPTERS, ROOT, WHOLE

pytestmark = pytest.mark.browser
EXERCISES = sorted((ROOT / "exercises").glob("[0-9][0-9]_*/*.ipynb"))
MISSING = "no chromium on this machine: make system installs it"


def digests() -> dict[Path, str]:
    files = [p for folder in ("course", "exercises") for p in (ROOT / folder).rglob("*") if p.suffix in (".ipynb", ".py")]
    return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def code_cells(notebook: Path) -> int:
    return sum(c.cell_type == "code" and bool(c.source.strip()) for c in nbformat.read(notebook, 4).cells)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    executable = labs.chromium()
    if executable is None:
        pytest.skip(MISSING)
    before = digests()
    with labs.start(executable, tmp_path_factory.mktemp("lab")) as started:
        yield started
    changed = sorted(str(p) for p, _ in digests().items() ^ before.items())
    assert not changed, "written while JupyterLab ran on its copy: by whom?"


def test_there_is_a_browser():
    """The one failure where CI has none; elsewhere all tests of this file are skipped."""
    if labs.chromium() is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(MISSING)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda p: p.stem)
def test_chapter(lab, chapter):
    with lab.page(f"course/{chapter.name}") as page:
        state = page.run_all()
        assert not page.strangers()
        assert not state["errors"]
        whole = chapter.name in WHOLE
        assert ("✓" in state["outputs"] or not whole) and "✗" not in state["outputs"]  # claims may stand above a widget too
        assert "Error displaying widget" not in state["outputs"]
        assert len(state["prompts"]) == (code_cells(chapter) if whole else 2)
        assert state["pictures"] and all(state["pictures"])
        assert state["formulas"] and not state["wrong_formulas"]

        before, after = page.move_slider("ArrowRight ArrowRight ArrowRight ArrowLeft ArrowLeft ArrowLeft ArrowLeft")
        assert before != after
        page.picture()
        assert not [line for line in page.console if "Error displaying widget" in line or line.startswith("uncaught")]
        assert not page.strangers()


@pytest.mark.parametrize("exercise", EXERCISES[:1], ids=lambda p: p.stem)
def test_exercise(lab, exercise):
    """What a student sees who has written nothing yet: the task, and hints instead of tracebacks."""
    with lab.page(f"exercises/{exercise.parent.name}/{exercise.name}") as page:
        state = page.run_all()
        assert not page.strangers()
        assert not state["errors"]
        assert state["outputs"].count("hint:") == state["outputs"].count("✗") > 0 and "✓" not in state["outputs"]
        assert len(state["prompts"]) == code_cells(exercise)
        assert "points)" in state["markdown"] and state["formulas"] and not state["wrong_formulas"]
        page.picture()
