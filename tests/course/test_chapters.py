"""What a stored chapter must be: built from its .py, run, spoken pictures, no claim failed, no comparison switched off."""

import re
from pathlib import Path

import nbformat
import pytest

from tools.sync import faults

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "course").glob("[0-9][0-9]_*.py"))
NOTEBOOKS = CHAPTERS + sorted((ROOT / "solutions").glob("*/[0-9][0-9]_*.py"))
HEADINGS = ["idea", "equation to code", "Known truth", "Real data", "Play", "goes wrong", "Check yourself", "Sources"]


def cells(py):
    return nbformat.read(py.with_suffix(".ipynb"), 4).cells


@pytest.mark.parametrize("py", NOTEBOOKS, ids=lambda p: p.stem)
def test_pair(py):
    assert faults(py) == []


@pytest.mark.parametrize("py", NOTEBOOKS, ids=lambda p: p.stem)
def test_outputs(py):
    outputs = [o for c in cells(py) for o in c.get("outputs", [])]
    texts = [o.get("text", "") + o.get("data", {}).get("text/plain", "") for o in outputs]
    assert any("✓" in t for t in texts) and not any("✗" in t for t in texts)
    for o in outputs:
        assert o.output_type != "error" and o.get("name") != "stderr"
        assert "image/svg+xml" not in o.get("data", {})
        if "image/png" in o.get("data", {}):
            assert len(o.data["text/plain"].split()) >= 5 and "<Figure" not in o.data["text/plain"]
    assert py.with_suffix(".ipynb").stat().st_size < 1.5e6


@pytest.mark.parametrize("py", NOTEBOOKS, ids=lambda p: p.stem)
def test_nothing_switches_the_comparison_off(py):
    for cell in cells(py):
        assert not [t for t in cell.metadata.get("tags", []) if t.startswith("nbval") or t == "raises-exception"]
        assert not re.search(r"NBVAL|PYTEST_VALIDATE|clear_output|print\(.*✓", cell.source)


@pytest.mark.parametrize("py", CHAPTERS, ids=lambda p: p.stem)
def test_the_eight_parts_are_there_in_order(py):
    text = "\n".join(c.source for c in cells(py) if c.cell_type == "markdown")
    headings = "\n".join(re.findall(r"^#+ .*|^\*\*.*?\*\*", text, re.M))
    places = [headings.find(h) for h in HEADINGS]
    assert -1 not in places and places == sorted(places), dict(zip(HEADINGS, places, strict=True))
    assert all(word in text for word in ("The question", "Slides", "Before", "Time"))


@pytest.mark.parametrize("py", CHAPTERS, ids=lambda p: p.stem)
def test_each_figure_behind_the_sign_has_a_claim_in_its_cell(py):
    for cell in cells(py):
        printed = "".join(o.get("text", "") for o in cell.get("outputs", []))
        assert "≈" not in printed or "✓" in printed, cell.source


@pytest.mark.parametrize("py", CHAPTERS, ids=lambda p: p.stem)
def test_links_lead_somewhere(py):
    text = "\n".join(c.source for c in cells(py) if c.cell_type == "markdown")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (py.parent / target).exists(), target
