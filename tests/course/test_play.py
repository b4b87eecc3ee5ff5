"""Every position of every control of a chapter's widget can be drawn: an exception in a callback fails here, not in class."""

from pathlib import Path

import ipywidgets
import jupytext
import matplotlib.pyplot as plt
import pytest
import torch

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "course").glob("[0-9][0-9]_*.py"))


def play(py):
    """Run the imports and the section "Play", which stands on them alone, and return its view."""
    cells = jupytext.read(py).cells
    code = [c.source for c in cells if c.cell_type == "code"]
    start = next(i for i, c in enumerate(cells) if c.source.startswith("## Play"))
    section = next(c.source for c in cells[start:] if c.cell_type == "code")
    assert section.count("\nExplorer(") == 1
    space = {}
    exec(code[0], space)
    exec(section.replace("\nExplorer(", "\nview = Explorer("), space)
    return space["view"]


@pytest.fixture(autouse=True)
def _a_chapter_leaves_no_settings_behind():
    yield
    torch.use_deterministic_algorithms(False)
    plt.rcdefaults()


@pytest.mark.parametrize("py", CHAPTERS, ids=lambda p: p.stem)
def test_every_position_can_be_drawn(py, monkeypatch):
    monkeypatch.chdir(py.parent)
    view = play(py)
    pictures = {view.image.value}
    for control in view.controls.values():
        start = control.value
        if isinstance(control, ipywidgets.SelectionSlider):
            places = list(control.options)
        else:
            places = [control.min, control.max]
        for place in places:
            control.value = place
            pictures.add(view.image.value)
        control.value = start
    assert len(pictures) > len(view.controls), "the picture must change with the controls"
