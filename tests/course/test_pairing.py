"""JupyterLab opens a chapter whichever file of its pair is younger, with the inputs of the .py and the stored outputs."""

import os
import shutil
from pathlib import Path

import jupytext
import pytest

from tools.sync import inputs

ROOT = Path(__file__).parents[2]
CHAPTER = next(iter(sorted((ROOT / "course").glob("[0-9][0-9]_*.ipynb"))))


@pytest.mark.parametrize("younger", [".ipynb", ".py"])
def test_a_pair_opens_whatever_its_times(tmp_path, younger):
    for path in (CHAPTER, CHAPTER.with_suffix(".py"), ROOT / "course" / "jupytext.toml"):
        shutil.copy(path, tmp_path)
    opened = tmp_path / CHAPTER.name
    text = opened.with_suffix(".py")
    text.write_text(text.read_text().replace("# ## The idea", "# ## The idea, changed"))
    for suffix in (".ipynb", ".py"):
        age = 0 if suffix == younger else 3600
        os.utime(opened.with_suffix(suffix), (1e9 - age, 1e9 - age))
    manager = jupytext.TextFileContentsManager()
    manager.root_dir = str(tmp_path)
    notebook = manager.get(CHAPTER.name)["content"]
    assert [i[1] for i in inputs(notebook)] == [i[1] for i in inputs(jupytext.read(text))]
    assert any("The idea, changed" in c.source for c in notebook.cells)
    assert sum(bool(c.get("outputs")) for c in notebook.cells) > 10
