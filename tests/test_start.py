"""Oracles for `genedu start`: links are followed by hand, and the checkout that it copies from is made up here."""

import json
import os
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from genedu.start import chapters, find, start

REAL = Path(__file__).parents[1]
LINKS = [  # as chapter 01 writes it, and where it must lead from my/course/: None means just as it is
    ("[its exercise](../exercises/01_alpha/01_alpha.ipynb)", None),  # copied too
    ("[the next](02_beta.ipynb#the-idea)", "../../course/02_beta.ipynb#the-idea"),
    ("[a part](02_beta.ipynb)", "../../course/02_beta.ipynb"),
    ("[the map](README.md)", "../../course/README.md"),
    ("![a plot](pictures/a%20b.png)", "../../course/pictures/a%20b.png"),
    ('<img src="pictures/a%20b.png">', "../../course/pictures/a%20b.png"),
    ("[code][c]\n\n[c]: ../genedu/code.py", "../../genedu/code.py"),
    ("[a folder](../genedu)", "../../genedu"),
    ("[up](..)", None),  # it leads to my/
    ("[web](https://example.org/02_beta.ipynb)", None),
    ("[mail](mailto:a@b.de)", None),
    ("[here](#the-idea)", None),
    ("![pasted](attachment:x.png)", None),
    ("[nowhere](not_there.ipynb)", None),
    ("f[0](02)", None),
]


def notebook(*cells):
    """A notebook as nbformat stores it. A cell is its text, or a dict of its own."""
    full = [
        {"cell_type": "markdown", "metadata": {}, "source": c.splitlines(keepends=True)} if isinstance(c, str) else c
        for c in cells
    ]
    return json.dumps({"cells": full, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1, ensure_ascii=False) + "\n"


CODE = {"cell_type": "code", "metadata": {}, "source": ['print("[a](02_beta.ipynb)")'], "outputs": [], "execution_count": 1}
TASK = {"cell_type": "markdown", "metadata": {"nbgrader": {"grade": True, "solution": True}}, "source": "[a](../../README.md)"}
LOCKED = {"cell_type": "markdown", "metadata": {"nbgrader": {"grade": False, "locked": True}}, "source": "[a](../../README.md)"}


def a_checkout(folder):
    """A checkout in `folder` with two chapters, of which the second has no exercise."""
    files = {
        "pyproject.toml": "",
        "README.md": "the course",
        "course/01_alpha.ipynb": notebook("# Größe ≈ 1", *(link for link, _ in LINKS), CODE),
        "course/01_alpha.py": "# %%",
        "course/02_beta.ipynb": notebook("# 2"),
        "course/jupytext.toml": "",
        "course/README.md": "the map",
        "course/pictures/a b.png": "a picture",
        "exercises/01_alpha/01_alpha.ipynb": notebook(TASK, LOCKED, "[back](../../course/01_alpha.ipynb)"),
        "exercises/01_alpha/data.csv": "1",
        "solutions/01_alpha/01_alpha.ipynb": notebook("the answer"),
        "genedu/code.py": "",
    }
    for name, text in files.items():
        path = folder / "a checkout" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "a checkout"


@pytest.fixture
def root(tmp_path):
    return a_checkout(tmp_path)


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def sources(path):
    return ["".join(c["source"]) for c in json.loads(path.read_text(encoding="utf-8"))["cells"]]


CHAPTER, EXERCISE = "course/01_alpha.ipynb", "exercises/01_alpha/01_alpha.ipynb"


# laws -------------------------------------------------------------------------------------------------------------------


def test_start_copies_two_notebooks_and_changes_nothing_else(root, capsys):
    before = tree(root)
    assert start("01", to=root / "my", root=root) == [root / "my" / CHAPTER, root / "my" / EXERCISE]
    after = tree(root)
    assert {k: v for k, v in after.items() if not k.startswith("my/")} == before
    assert {k for k in after if k.startswith("my/")} == {f"my/{CHAPTER}", f"my/{EXERCISE}"}
    said = capsys.readouterr().out
    assert said.count("copied") == 2 and os.path.join("my", CHAPTER) in said and "before" not in said


@pytest.mark.parametrize(("link", "want"), LINKS)
def test_a_link_leads_where_the_original_leads(root, link, want):
    start("1", to=root / "my", root=root)
    copy = root / "my" / CHAPTER
    (came,) = [text for text, (original, _) in zip(sources(copy)[1:], LINKS, strict=False) if original == link]
    if want is None:
        assert came == link
    else:
        target = re.search(r"(?:\]\(|\]: |src=\")([^)\"\n]+)", came)[1]
        assert target == want
        assert (copy.parent / unquote(target.split("#")[0])).exists()
        assert came.replace(target, "") == re.sub(r"(\]\(|\]: |src=\")[^)\"\n]+", r"\1", link)


def test_code_and_graded_cells_are_left_alone(root):
    start("1", to=root / "my", root=root)
    assert sources(root / "my" / CHAPTER)[-1] == CODE["source"][0]
    graded, locked, back = sources(root / "my" / EXERCISE)
    assert graded == TASK["source"]  # its checksum says whether the student has answered
    assert locked == "[a](../../../README.md)" and back == "[back](../../course/01_alpha.ipynb)"


def test_a_copy_without_links_is_the_original_byte_for_byte(root):
    original = root / "course/02_beta.ipynb"
    original.write_bytes(b'{"cells": [], "metadata": {},\r\n"nbformat": 4}')  # not as nbformat would write it
    (copy,) = start("2", to=root / "my", root=root)
    assert copy.read_bytes() == original.read_bytes()


def test_a_copy_differs_from_the_original_in_its_links_only(root):
    start("1", to=root / "my", root=root)
    moved = [re.sub(r"(\]\(|\]: |src=\")[^)\"\n]+", rf"\g<1>{want}", link) if want else link for link, want in LINKS]
    assert (root / "my" / CHAPTER).read_bytes() == notebook("# Größe ≈ 1", *moved, CODE).encode()


@pytest.mark.parametrize("place", ["my/deeper", "../elsewhere"])
def test_links_hold_from_any_folder(root, place):
    copy, exercise = start("1", to=root / place, root=root)
    for path in (copy, exercise):
        for text in sources(path):
            for target in re.findall(r"^!?\[[a-z ]+\]\(([^)#:]+)\)", text):
                assert (path.parent / unquote(target)).exists() or target == "not_there.ipynb" or text == TASK["source"]


def test_a_chapter_that_was_copied_before_is_linked_to_the_copy(root):
    start("2", to=root / "my", root=root)
    start("1", to=root / "my", root=root)
    assert "[a part](02_beta.ipynb)" in sources(root / "my" / CHAPTER)


def test_every_real_chapter_can_be_started(tmp_path):
    """Its copy and its exercise have no link that leads nowhere, and no file but the two."""
    for original in chapters(REAL):
        copies = start(original.stem, to=tmp_path / "x", root=REAL)
        for copy in copies:
            cells = json.loads(copy.read_text(encoding="utf-8"))["cells"]
            assert "jupytext" not in copy.read_text(encoding="utf-8")
            for cell in (c for c in cells if c["cell_type"] == "markdown"):
                for target in re.findall(r"\]\(([^)#:\s]+)\)", "".join(cell["source"])):
                    assert (copy.parent / unquote(target)).exists(), (copy.name, target)
    assert {p.suffix for p in (tmp_path / "x").rglob("*") if p.is_file()} == {".ipynb"}


@pytest.mark.parametrize("word", ["01", "1", "01_alpha", "01_alpha.ipynb", "course/01_alpha.ipynb"])
def test_a_chapter_has_many_names(root, word):
    assert find(word, root) == root / CHAPTER


def test_a_chapter_without_exercise_is_copied_alone(root):
    assert start("02", to=root / "my", root=root) == [root / "my/course/02_beta.ipynb"]
    assert list(tree(root / "my")) == ["course/02_beta.ipynb"]


# what is there stays ----------------------------------------------------------------------------------------------------


def test_work_is_never_overwritten(root, capsys):
    copy, exercise = start("1", to=root / "my", root=root)
    exercise.write_text("my answer")
    copy.unlink()
    capsys.readouterr()
    assert start("1", to=root / "my", root=root) == [copy, exercise]
    said = capsys.readouterr().out
    assert exercise.read_text() == "my answer" and copy.exists()
    assert "copied" in said and "kept" in said and "--fresh" in said and "01_alpha.before-1.ipynb" in said
    assert len(tree(root / "my")) == 2


def test_fresh_moves_the_old_one_aside_and_counts(root, capsys):
    copy, exercise = start("1", to=root / "my", root=root)
    new = copy.read_bytes()
    for n in (1, 2, 3):
        copy.write_text(f"work {n}")
        start("1", to=root / "my", fresh=True, root=root)
        assert copy.read_bytes() == new and f"01_alpha.before-{n}.ipynb" in capsys.readouterr().out
    kept = [copy.with_name(f"01_alpha.before-{n}.ipynb").read_text() for n in (1, 2, 3)]
    assert kept == ["work 1", "work 2", "work 3"]
    assert len(list(exercise.parent.iterdir())) == 4


def test_fresh_where_nothing_is_copies(root):
    start("1", to=root / "my", fresh=True, root=root)
    assert set(tree(root / "my")) == {CHAPTER, EXERCISE}


def test_a_dangling_link_is_something_that_is_there(root):
    (root / "my/course").mkdir(parents=True)
    (root / "my" / CHAPTER).symlink_to(root / "gone.ipynb")
    start("1", to=root / "my", root=root)
    assert (root / "my" / CHAPTER).is_symlink() and not (root / "gone.ipynb").exists()


@pytest.mark.parametrize("fails", ["write", "replace"])
def test_no_half_of_a_copy_remains(root, monkeypatch, fails):
    def full(*_):
        raise OSError(28, "No space left on device")

    start("2", to=root / "my", root=root)
    before = tree(root / "my")
    with monkeypatch.context() as m:
        m.setattr(*((Path, "write_bytes", full) if fails == "write" else (os, "replace", full)))
        with pytest.raises(OSError, match="No space left"):
            start("2", to=root / "my", fresh=True, root=root)
        with pytest.raises(OSError, match="No space left"):
            start("1", to=root / "my", root=root)
    assert tree(root / "my") == before


# errors -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["3", "0", "alpha", "01_beta", "", "../01_alpha/x", "-1"])
def test_an_unknown_chapter_names_those_there_are(root, word):
    with pytest.raises(ValueError, match=r"no chapter '.*'; there are 01_alpha, 02_beta"):
        start(word, to=root / "my", root=root)
    assert not (root / "my").exists()


@pytest.mark.parametrize(
    "place", [".", "course", "course/x", "exercises/01_alpha", "solutions", "genedu/x", "my/../course", "link"]
)
def test_the_course_itself_is_no_place_for_work(root, place):
    (root / "link").symlink_to(root / "solutions", target_is_directory=True)
    before = tree(root)
    for fresh in (False, True):
        with pytest.raises(ValueError, match="inside the course's own folder"):
            start("1", to=root / place, fresh=fresh, root=root)
    assert tree(root) == before


def test_a_folder_of_the_same_name_elsewhere_is_fine(root):
    assert start("2", to=root.parent / "course", root=root)[0].exists()
