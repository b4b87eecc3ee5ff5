"""course/README.md's map from slides to sections, names and tests: every entry leads somewhere."""

import re
from importlib import import_module
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "course" / "README.md").read_text()
ROWS = [
    [c.strip() for c in line.strip("|").split("|")]
    for line in TEXT.split("## The map")[1].splitlines()
    if re.match(r"\| \d", line)
]


def headings(number):
    (path,) = (ROOT / "course").glob(f"{number}_*.ipynb")
    text = "\n".join(c.source for c in nbformat.read(path, 4).cells if c.cell_type == "markdown")
    return re.findall(r"^#+ (.*)$", text, re.M)


def resolve(name):
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise AssertionError(name)


@pytest.mark.parametrize("row", ROWS, ids=lambda r: r[0][:30] + ": " + r[1][:30])
def test_entry(row):
    slides, section, name, test = row
    number, heading = section.split(" ", 1)
    assert heading in headings(number)
    assert bool(name) == bool(test)
    if name:
        assert resolve(name.strip("`")) is not None
        symbol = name.strip("`").split(".")
        path = ROOT / test.strip("`")
        words = path.read_text()
        assert re.search(rf"\b{symbol[-1]}\b", words), f"{path.name} does not mention {symbol[-1]}"
    first, last = re.match(r"(\d+)(?:-(\d+))?", slides).groups()
    assert 1 <= int(first) <= int(last or first) <= 97


def test_the_slides_of_the_written_chapters_are_all_there():
    """Chapters 1 to 13 cover these slides; no number is missing. (47-48, 54 and 61-65 come with later chapters.)"""
    seen = set()
    for slides, *_ in ROWS:
        first, last = re.match(r"(\d+)(?:-(\d+))?", slides).groups()
        seen |= set(range(int(first), int(last or first) + 1))
    assert {*range(1, 47), *range(49, 54), *range(55, 61), 66} <= seen


def test_every_chapter_is_listed():
    for path in (ROOT / "course").glob("[0-9][0-9]_*.ipynb"):
        assert f"({path.name})" in TEXT
        assert any(row[1].startswith(path.name[:2]) for row in ROWS)
