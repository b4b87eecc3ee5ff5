"""Oracles for the command: links are followed by hand, versions are judged by `packaging`, and whatever `start` and `doctor`
look at is faked here: a checkout, a missing package, an old version, a tiny disk."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import genedu
from genedu import cli

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


@pytest.fixture
def root(tmp_path):
    """A checkout with two chapters, of which the second has no exercise."""
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
        path = tmp_path / "a checkout" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "a checkout"


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def sources(path):
    return ["".join(c["source"]) for c in json.loads(path.read_text(encoding="utf-8"))["cells"]]


CHAPTER, EXERCISE = "course/01_alpha.ipynb", "exercises/01_alpha/01_alpha.ipynb"


# start: laws ------------------------------------------------------------------------------------------------------------


def test_start_copies_two_notebooks_and_changes_nothing_else(root, capsys):
    before = tree(root)
    assert cli.start("01", to=root / "my", root=root) == [root / "my" / CHAPTER, root / "my" / EXERCISE]
    after = tree(root)
    assert {k: v for k, v in after.items() if not k.startswith("my/")} == before
    assert {k for k in after if k.startswith("my/")} == {f"my/{CHAPTER}", f"my/{EXERCISE}"}
    said = capsys.readouterr().out
    assert said.count("copied") == 2 and os.path.join("my", CHAPTER) in said and "before" not in said


@pytest.mark.parametrize(("link", "want"), LINKS)
def test_a_link_leads_where_the_original_leads(root, link, want):
    cli.start("1", to=root / "my", root=root)
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
    cli.start("1", to=root / "my", root=root)
    assert sources(root / "my" / CHAPTER)[-1] == CODE["source"][0]
    graded, locked, back = sources(root / "my" / EXERCISE)
    assert graded == TASK["source"]  # its checksum says whether the student has answered
    assert locked == "[a](../../../README.md)" and back == "[back](../../course/01_alpha.ipynb)"


def test_a_copy_without_links_is_the_original_byte_for_byte(root):
    original = root / "course/02_beta.ipynb"
    original.write_bytes(b'{"cells": [], "metadata": {},\r\n"nbformat": 4}')  # not as nbformat would write it
    (copy,) = cli.start("2", to=root / "my", root=root)
    assert copy.read_bytes() == original.read_bytes()


def test_a_copy_differs_from_the_original_in_its_links_only(root):
    cli.start("1", to=root / "my", root=root)
    moved = [re.sub(r"(\]\(|\]: |src=\")[^)\"\n]+", rf"\g<1>{want}", link) if want else link for link, want in LINKS]
    assert (root / "my" / CHAPTER).read_bytes() == notebook("# Größe ≈ 1", *moved, CODE).encode()


@pytest.mark.parametrize("place", ["my/deeper", "../elsewhere"])
def test_links_hold_from_any_folder(root, place):
    copy, exercise = cli.start("1", to=root / place, root=root)
    for path in (copy, exercise):
        for text in sources(path):
            for target in re.findall(r"^!?\[[a-z ]+\]\(([^)#:]+)\)", text):
                assert (path.parent / unquote(target)).exists() or target == "not_there.ipynb" or text == TASK["source"]


def test_a_chapter_that_was_copied_before_is_linked_to_the_copy(root):
    cli.start("2", to=root / "my", root=root)
    cli.start("1", to=root / "my", root=root)
    assert "[a part](02_beta.ipynb)" in sources(root / "my" / CHAPTER)


def test_every_real_chapter_can_be_started(tmp_path):
    """Its copy and its exercise have no link that leads nowhere, and no file but the two."""
    for original in cli.chapters(REAL):
        copies = cli.start(original.stem, to=tmp_path / "x", root=REAL)
        for copy in copies:
            cells = json.loads(copy.read_text(encoding="utf-8"))["cells"]
            assert "jupytext" not in copy.read_text(encoding="utf-8")
            for cell in (c for c in cells if c["cell_type"] == "markdown"):
                for target in re.findall(r"\]\(([^)#:\s]+)\)", "".join(cell["source"])):
                    assert (copy.parent / unquote(target)).exists(), (copy.name, target)
    assert {p.suffix for p in (tmp_path / "x").rglob("*") if p.is_file()} == {".ipynb"}


@pytest.mark.parametrize("word", ["01", "1", "01_alpha", "01_alpha.ipynb", "course/01_alpha.ipynb"])
def test_a_chapter_has_many_names(root, word):
    assert cli.find(word, root) == root / CHAPTER


def test_a_chapter_without_exercise_is_copied_alone(root):
    assert cli.start("02", to=root / "my", root=root) == [root / "my/course/02_beta.ipynb"]
    assert list(tree(root / "my")) == ["course/02_beta.ipynb"]


# start: what is there stays ---------------------------------------------------------------------------------------------


def test_work_is_never_overwritten(root, capsys):
    copy, exercise = cli.start("1", to=root / "my", root=root)
    exercise.write_text("my answer")
    copy.unlink()
    capsys.readouterr()
    assert cli.start("1", to=root / "my", root=root) == [copy, exercise]
    said = capsys.readouterr().out
    assert exercise.read_text() == "my answer" and copy.exists()
    assert "copied" in said and "kept" in said and "--fresh" in said and "01_alpha.before-1.ipynb" in said
    assert len(tree(root / "my")) == 2


def test_fresh_moves_the_old_one_aside_and_counts(root, capsys):
    copy, exercise = cli.start("1", to=root / "my", root=root)
    new = copy.read_bytes()
    for n in (1, 2, 3):
        copy.write_text(f"work {n}")
        cli.start("1", to=root / "my", fresh=True, root=root)
        assert copy.read_bytes() == new and f"01_alpha.before-{n}.ipynb" in capsys.readouterr().out
    kept = [copy.with_name(f"01_alpha.before-{n}.ipynb").read_text() for n in (1, 2, 3)]
    assert kept == ["work 1", "work 2", "work 3"]
    assert len(list(exercise.parent.iterdir())) == 4


def test_fresh_where_nothing_is_copies(root):
    cli.start("1", to=root / "my", fresh=True, root=root)
    assert set(tree(root / "my")) == {CHAPTER, EXERCISE}


def test_a_dangling_link_is_something_that_is_there(root):
    (root / "my/course").mkdir(parents=True)
    (root / "my" / CHAPTER).symlink_to(root / "gone.ipynb")
    cli.start("1", to=root / "my", root=root)
    assert (root / "my" / CHAPTER).is_symlink() and not (root / "gone.ipynb").exists()


@pytest.mark.parametrize("fails", ["write", "replace"])
def test_no_half_of_a_copy_remains(root, monkeypatch, fails):
    def full(*_):
        raise OSError(28, "No space left on device")

    cli.start("2", to=root / "my", root=root)
    before = tree(root / "my")
    with monkeypatch.context() as m:
        m.setattr(*((Path, "write_bytes", full) if fails == "write" else (os, "replace", full)))
        with pytest.raises(OSError, match="No space left"):
            cli.start("2", to=root / "my", fresh=True, root=root)
        with pytest.raises(OSError, match="No space left"):
            cli.start("1", to=root / "my", root=root)
    assert tree(root / "my") == before


# start: errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["3", "0", "alpha", "01_beta", "", "../01_alpha/x", "-1"])
def test_an_unknown_chapter_names_those_there_are(root, word):
    with pytest.raises(ValueError, match=r"no chapter '.*'; there are 01_alpha, 02_beta"):
        cli.start(word, to=root / "my", root=root)
    assert not (root / "my").exists()


@pytest.mark.parametrize(
    "place", [".", "course", "course/x", "exercises/01_alpha", "solutions", "genedu/x", "my/../course", "link"]
)
def test_the_course_itself_is_no_place_for_work(root, place):
    (root / "link").symlink_to(root / "solutions", target_is_directory=True)
    before = tree(root)
    for fresh in (False, True):
        with pytest.raises(ValueError, match="inside the course's own folder"):
            cli.start("1", to=root / place, fresh=fresh, root=root)
    assert tree(root) == before


def test_a_folder_of_the_same_name_elsewhere_is_fine(root):
    assert cli.start("2", to=root.parent / "course", root=root)[0].exists()


def test_without_a_checkout_it_says_where_the_notebooks_are(tmp_path, capsys, monkeypatch):
    assert cli.checkout(REAL) == REAL and cli.checkout(tmp_path) is None
    for only in ("pyproject.toml", "course"):
        (tmp_path / only).mkdir()
        assert cli.checkout(tmp_path) is None
        (tmp_path / only).rmdir()
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    assert cli.main(["start", "01"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and "repository" in said.err and "pip install" in said.err and "git clone" in said.err
    assert list(tmp_path.iterdir()) == []


# the command line -------------------------------------------------------------------------------------------------------


def test_the_default_folder_does_not_depend_on_the_current_one(root, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(cli, "ROOT", root)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["start", "01"]) == 0
    assert set(tree(root / "my")) == {CHAPTER, EXERCISE}
    said = capsys.readouterr().out
    assert "open my/course/01_alpha.ipynb" in said and "my/exercises/01_alpha/01_alpha.ipynb" in said


@pytest.mark.parametrize("name", ["my work", "it's-mine"])
def test_another_folder_is_taken_from_the_current_one_and_gets_its_command(root, capsys, monkeypatch, tmp_path, name):
    monkeypatch.setattr(cli, "ROOT", root)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["start", "01", "--to", name]) == 0
    assert set(tree(tmp_path / name)) == {CHAPTER, EXERCISE}
    said = capsys.readouterr().out
    (line,) = [line for line in said.splitlines() if "jupyter lab" in line]
    words = shlex.split(line)
    assert words[0] == sys.executable and words[1:4] == ["-m", "jupyter", "lab"]
    assert words[4:] == [f"--ServerApp.root_dir={tmp_path / name}", f"--LabApp.default_url=/lab/tree/{CHAPTER}"]


def test_a_home_folder_is_understood(root, monkeypatch, tmp_path):
    monkeypatch.setattr(cli, "ROOT", root)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cli.main(["start", "02", "--to", "~/work"]) == 0
    assert (tmp_path / "home/work/course/02_beta.ipynb").exists()


@pytest.mark.parametrize(
    "words", [["start", "9"], ["start"], ["start", "1", "--to", "course"], ["start", "1", "--to", "README.md"]]
)
def test_what_cannot_be_done_is_said_in_one_line(root, capsys, monkeypatch, words):
    monkeypatch.setattr(cli, "ROOT", root)
    monkeypatch.chdir(root)
    before = tree(root)
    assert cli.main(words) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("genedu: ") and len(said.err.splitlines()) == 1
    assert tree(root) == before


def test_alone_it_shows_examples(capsys):
    assert cli.main([]) == 0
    said = capsys.readouterr().out
    assert "genedu start 01" in said and "genedu doctor" in said and "--version" in said


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0 and capsys.readouterr().out.strip() == f"genedu {genedu.__version__}"


def test_python_m_genedu_is_the_same_command_and_imports_no_torch(tmp_path):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "genedu", "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == f"genedu {genedu.__version__}" and "| torch\n" not in done.stderr
    wrong = subprocess.run(
        [sys.executable, "-m", "genedu", "start", "99"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2 and "there are 01_" in wrong.stderr


def test_a_terminal_without_our_signs_is_no_reason_to_crash():
    env = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    code = "from genedu import cli; cli.ask_torch = lambda: {'error': 'not asked'}; print(cli.main(['doctor']))"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stderr == "" and "? device" in done.stdout and done.stdout.splitlines()[-1] == "1"


# doctor: oracles --------------------------------------------------------------------------------------------------------

releases = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda n: ".".join(map(str, n)))


@given(version=releases, low=releases, high=releases)
def test_a_range_holds_where_packaging_says_so(version, low, high):
    for text in (f">={low},<{high}", f"<{high},>={low}", f">={low}", f"<{high}", ""):
        assert cli.within(version, text) == SpecifierSet(text).contains(version), (version, text)


@pytest.mark.parametrize(
    ("version", "text", "want"), [("2.13.0+cpu", ">=2.13,<3", True), ("3.0rc1", ">=2,<3", False), ("x", ">=1", False)]
)
def test_builds_and_candidates_are_judged_by_their_release(version, text, want):
    assert cli.within(version, text) is want


def test_our_ranges_use_nothing_else():
    project = tomllib.loads((REAL / "pyproject.toml").read_text())["project"]
    texts = project["dependencies"] + [r for extra in project["optional-dependencies"].values() for r in extra]
    assert {s.operator for text in texts for s in Requirement(text).specifier} == {">=", "<"}


REQUIRES = [
    "torch<3,>=2.13",
    "scikit-learn>=1.5.2,<2",
    'jupyterlab<5,>=4.2; extra == "course"',
    "nbgrader<0.10,>=0.9.6; extra == 'instructor'",
    'dask>=2026.1; extra == "cluster"',
    'genedu[cluster,course]; extra == "test"',
    'pytest<10,>=9; extra == "test"',
    'odd; extra == "odd"',
]
GOOD = {
    "torch": "2.13.0+cpu",
    "scikit-learn": "1.9",
    "jupyterlab": "4.2.0",
    "nbgrader": "0.9.6",
    "dask": "2026.8",
    "pytest": "9.0",
}


def found(have, requires=REQUIRES, root=None):
    sections = cli.packages(requires, have.get, root)
    return {row.name: row for _, rows in sections for row in rows}, sections


def test_what_is_there_is_shown_with_its_range():
    rows, sections = found(GOOD | {"odd": "1"})
    assert list(rows) == ["torch", "scikit-learn", "jupyterlab", "nbgrader", "dask", "pytest", "odd"]
    assert {row.mark for row in rows.values()} == {"✓"} and {row.cure for row in rows.values()} == {""}
    assert rows["torch"].found == "2.13.0+cpu" and rows["torch"].note == ">=2.13, <3"
    assert rows["odd"].note == ""
    titles = [title for title, _ in sections]
    assert "teachers" in titles[2] and "instructor" in titles[2] and "contributors" in titles[4] and "odd" in titles[5]


@pytest.mark.parametrize(("name", "version", "mark"), [
    ("torch", None, "✗"), ("torch", "2.12.1", "✗"), ("torch", "3.0", "✗"), ("jupyterlab", None, "✗"), ("jupyterlab", "5.1", "✗"),
    ("nbgrader", None, "–"), ("nbgrader", "0.10.1", "–"), ("pytest", None, "–"), ("dask", "2025.12", "–"), ("odd", None, "–"),
])  # fmt: skip
def test_what_is_missing_or_out_of_range_gets_its_mark_and_its_cure(name, version, mark, root):
    rows, _ = found(GOOD | {"odd": "1"} | {name: version})
    assert rows[name].mark == mark and rows[name].found == (version or "missing")
    asked = next(Requirement(text) for text in REQUIRES if text.startswith(name))
    command, quoted = rows[name].cure.split(" -m pip install ")
    assert command == sys.executable and Requirement(quoted.strip('"')).specifier == asked.specifier
    assert [row.name for row in rows.values() if row.mark != "✓"] == [name]
    (cure,) = {row.cure for row in found(GOOD | {name: version}, root=root)[0].values() if row.name == name}
    extra = {
        "torch": "course",
        "jupyterlab": "course",
        "nbgrader": "instructor",
        "pytest": "test",
        "dask": "cluster",
        "odd": "odd",
    }[name]
    assert cure.endswith(f'pip install -c "{root / "constraints.txt"}" -e "{root}[{extra}]"')


def test_the_real_requirements_are_read_as_packaging_reads_them():
    texts = requires("genedu")
    rows, _ = found({}, requires=texts)
    want = {r.name: r.specifier for r in map(Requirement, texts) if r.name != "genedu"}
    assert {name: SpecifierSet(row.note) for name, row in rows.items()} == want
    needed = {r.name for r in map(Requirement, texts) if not r.marker or r.marker.evaluate({"extra": "course"})}
    assert {name for name, row in rows.items() if row.mark == "✗"} == needed


def test_a_package_that_is_not_there_has_no_version():
    assert cli.version_of("no-such-package-anywhere") is None and cli.version_of("pytest") == pytest.__version__


# doctor: device ---------------------------------------------------------------------------------------------------------

CPU = {"torch": "2.13.0", "devices": [], "fault": ""}


@pytest.mark.parametrize(("env", "torch", "mark", "words"), [
    ({}, CPU, "✓", "cpu"),
    ({}, CPU | {"devices": ["cuda:0 H200", "cuda:1 H200"]}, "✓", "GENEDU_DEVICE=cuda"),
    ({}, CPU | {"devices": ["mps"]}, "✓", "GENEDU_DEVICE=mps"),
    ({"GENEDU_DEVICE": "cuda"}, CPU | {"devices": ["cuda:0 H200"]}, "✓", "cuda:0 H200"),
    ({"GENEDU_DEVICE": "cuda"}, CPU | {"fault": "not compiled with CUDA"}, "✗", "not compiled with CUDA"),
    ({}, {"error": "libtorch.so: cannot open"}, "✗", "libtorch.so: cannot open"),
])  # fmt: skip
def test_the_device_that_chapters_would_use(env, torch, mark, words):
    row = cli.device(torch, env, Path("/x"))
    assert row.mark == mark and words in f"{row.found} {row.note}" and bool(row.cure) == (mark == "✗")
    if mark == "✓":
        assert row.found == env.get("GENEDU_DEVICE", "cpu")
    if torch.get("fault"):
        assert "GENEDU_DEVICE" in row.cure
    if "error" in torch:
        assert row.cure.endswith('pip install --force-reinstall torch -c "/x/constraints.txt"')
        assert cli.device(torch, env, None).cure.endswith("pip install --force-reinstall torch")
        missing = cli.device({"error": "ModuleNotFoundError: No module named 'torch'"}, env, None)
        assert missing.mark == "✗" and missing.cure == ""  # its row among the packages has the cure


@pytest.mark.parametrize(("env", "mark", "found"), [
    ({}, "✓", "1"), ({"GENEDU_THREADS": "4"}, "✓", "4"), ({"GENEDU_THREADS": "0"}, "✗", "0"),
    ({"GENEDU_THREADS": "many"}, "✗", "many"),
    ({"GENEDU_THREADS": "1"}, "✓", "1"), ({"GENEDU_THREADS": "-2"}, "✗", "-2"),
])  # fmt: skip
def test_the_threads_that_chapters_would_use(env, mark, found):
    row = cli.threads(env, 8)
    assert (row.mark, row.found) == (mark, found) and "8 cores" in row.note and bool(row.cure) == (mark == "✗")


def test_torch_is_asked_in_a_process_of_its_own(monkeypatch):
    import torch

    monkeypatch.setenv("GENEDU_DEVICE", "nonsense")
    said = cli.ask_torch()
    assert said.keys() == CPU.keys() and "nonsense" in said["fault"] and "\n" not in said["fault"]
    assert said["torch"] == torch.__version__ and said["devices"] == torch_devices()


@pytest.mark.parametrize(("code", "word"), [
    ("raise ImportError('no libtorch')", "ImportError: no libtorch"), ("import os; os.kill(os.getpid(), 11)", "exit status -11"),
    ("print('hello')", "printed hello"), ("pass", "printed nothing"), ("import time; time.sleep(9)", "within 0.5 seconds"),
])  # fmt: skip
def test_a_torch_that_raises_dies_or_hangs_is_reported(code, word):
    assert word in cli.ask_torch(code, seconds=0.5 if "sleep" in code else 60)["error"]


def test_what_torch_says_before_the_answer_is_passed_over():
    assert cli.ask_torch("print('a warning'); print('{}')") == {}


def test_a_python_that_cannot_be_started_is_reported(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/python")
    assert "/no/python" in cli.ask_torch()["error"]


def torch_devices():
    import torch

    cuda = [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    return cuda + ["mps"] * torch.backends.mps.is_available()


@pytest.mark.parametrize(("argv0", "mark"), [
    ("/env/bin/python", "✓"), ("/env/bin/python3.11", "✓"), ("python", "✓"), ("/other/bin/python", "✗"), (None, "✗"),
])  # fmt: skip
def test_the_notebooks_kernel_is_this_python(argv0, mark):
    row = cli.kernel(argv0, "/env/bin/python")
    assert row.mark == mark and bool(row.cure) == (mark == "✗")
    if argv0:
        assert row.found == argv0
        assert mark == "✓" or "ipykernel install --sys-prefix" in row.cure
    else:
        assert row.found == "missing" and "pip install" in row.cure


def test_the_real_kernel_is_found():
    assert cli.kernel(cli.kernel_python(), sys.executable).mark == "✓"


# doctor: the machine ----------------------------------------------------------------------------------------------------

MEMINFO = "MemTotal:       16384000 kB\nMemFree:          100000 kB\nMemAvailable:    8192000 kB\n"


def test_memory_is_read_from_meminfo():
    assert cli.memory(MEMINFO) == (16384000 * 1024, 8192000 * 1024)
    assert cli.memory("MemTotal: 4 kB\n") == (4096, None)  # a kernel without MemAvailable
    total, free = cli.memory()
    assert total == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") and 0 < free < total


def test_memory_where_there_is_no_meminfo(monkeypatch):
    """macOS: the total only. Windows: total and free stand second and third in 64 bytes whose first word is their number."""
    import ctypes

    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    monkeypatch.setattr(Path, "exists", lambda self: False)
    assert cli.memory() == (total, None)

    def fill(status):
        assert ctypes.sizeof(status) == status[0] == 64
        status[1], status[2] = 16, 8

    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=SimpleNamespace(GlobalMemoryStatusEx=fill)), raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    assert cli.memory() == (16, 8)
    monkeypatch.setattr(sys, "platform", "other")
    monkeypatch.delattr(os, "sysconf")
    assert cli.memory() == (None, None)


@pytest.mark.parametrize(("total", "free", "mark", "words"), [
    (16e9, 8.25e9, "✓", ["16.0 GB", "8.2 GB"]), (16e9, 1.5e9, "–", ["16.0 GB", "1.5 GB"]), (1e9, 1e9, "–", []),
    (None, None, "–", ["unknown"]),
    (16e9, None, "✓", ["16.0 GB", "unknown"]), (16e9, 2 * 2**30, "✓", []), (16e9, 2 * 2**30 - 1, "–", []), (1e9, None, "–", []),
])  # fmt: skip
def test_little_memory_is_said_and_stops_nobody(total, free, mark, words):
    row = cli.memory_row(total, free)
    assert row.mark == mark and all(word in f"{row.found} {row.note}" for word in words)


@pytest.mark.parametrize(("free", "installed", "mark"), [
    (50e9, True, "✓"), (50e9, False, "✓"), (1.5e9, False, "✓"), (1.4e9, False, "✗"), (1.4e9, True, "✓"), (0.1e9, True, "✓"),
    (0.09e9, True, "✗"),
])  # fmt: skip
def test_a_tiny_disk_is_told_what_it_needs(free, installed, mark):
    row = cli.disk_row(free, Path("/x"), installed)
    assert row.mark == mark and f"{free / 1e9:.1f} GB" in row.found and bool(row.cure) == (mark == "✗")
    assert "1.5 GB" in row.note and "1.9 GB" in row.note


def test_the_disk_figures_are_those_of_the_readme():
    readme = (REAL / "README.md").read_text()
    for target, size in (("lab", cli.DISK), ("test", cli.DISK_TESTS)):
        (line,) = [line for line in readme.splitlines() if line.startswith("|") and f"`make {target}`" in line]
        assert f"{size / 1e9:.1f} GB" in line


@pytest.mark.parametrize(("here", "missing"), [
    ({"git", "make", "chromium", "bwrap"}, set()), ({"git", "make", "chromium-browser", "bwrap"}, set()),
    ({"git"}, {"make", "chromium", "bwrap"}),
    (set(), {"git", "make", "chromium", "bwrap"}),
])  # fmt: skip
def test_system_packages_are_optional(here, missing):
    def which(name):
        return f"/usr/bin/{name}" if name in here | {"apt-get"} else None

    rows = {row.name: row for row in cli.tools(which)}
    assert {name for name, row in rows.items() if row.mark == "–"} == missing == {name for name, row in rows.items() if row.cure}
    assert {row.mark for row in rows.values()} <= {"✓", "–"} and all(row.note for row in rows.values())
    assert all(row.cure.startswith("sudo apt-get install ") for row in rows.values() if row.cure)
    assert all("apt-get" not in row.cure for row in cli.tools(lambda name: None))


def test_the_courses_folders(root, tmp_path):
    rows = {row.name: row for row in cli.folders(root)}
    assert {name: row.mark for name, row in rows.items()} == {"course/": "✓", "exercises/": "✓", "solutions/": "✓", "my/": "–"}
    assert rows["course/"].found == "2 chapters" and str(root) in rows["course/"].note
    cli.start("1", to=root / "my", root=root)
    assert {row.name: row.mark for row in cli.folders(root)}["my/"] == "✓"
    for name in ("solutions", "exercises"):
        (root / name).rename(root / f"no {name}")
    marks = {row.name: row.mark for row in cli.folders(root)}
    assert marks["solutions/"] == "–" and marks["exercises/"] == "✗"
    (row,) = cli.folders(None)
    assert row.mark == "✗" and "git clone" in row.cure


@pytest.mark.parametrize(("version", "mark"), [("3.11.0", "✓"), ("3.13.9", "✓"), ("3.10.14", "✗"), ("3.14.0", "✗")])
def test_python_must_be_in_its_range(version, mark):
    row = cli.python_row(version, "<3.14,>=3.11")
    assert row.mark == mark and bool(row.cure) == (mark == "✗") and row.note == ">=3.11, <3.14"


# doctor: the report -----------------------------------------------------------------------------------------------------

ROWS = [
    ("One", [cli.Finding("✓", "a", "1.0", ">=1"), cli.Finding("✗", "long name", "missing", ">=22", "type this")]),
    ("Two", [cli.Finding("–", "b", "0.1", "", "type that"), cli.Finding("✗", "c", "missing", "", "type this")]),
]


def test_the_report_is_aligned_and_names_each_cure_once():
    text = cli.report(ROWS)
    rows = [line for line in text.splitlines() if re.match(r"  [✓✗–] ", line) and ":" not in line]
    assert [line.split()[1] for line in rows] == ["a", "long", "b", "c"]
    assert len({line.index(word) for line, word in zip(rows, ["1.0", "missing", "0.1", "missing"], strict=True)}) == 1
    assert len({line.index(">=") for line in rows if ">=" in line}) == 1
    assert text.count("type this") == text.count("type that") == 1 and "long name, c: type this" in text
    assert all(line == line.rstrip() for line in text.splitlines())
    assert text.splitlines()[-1] == "A student cannot work yet: long name, c."


def test_the_status_counts_what_a_student_needs():
    assert cli.status(ROWS) == 1
    optional = [(title, [row for row in rows if row.mark != "✗"]) for title, rows in ROWS]
    assert cli.status(optional) == 0 and cli.report(optional).splitlines()[-1] == "A student can work."
    assert "To mend" not in cli.report([(title, [row for row in rows if row.mark == "✓"]) for title, rows in ROWS])


def test_doctor_on_this_machine(capsys, monkeypatch):
    """All that the tests need is here, so a student can work; each dependency of pyproject has its row."""
    monkeypatch.delenv("GENEDU_DEVICE", raising=False)
    assert cli.main(["doctor"]) == 0
    said = capsys.readouterr().out
    project = tomllib.loads((REAL / "pyproject.toml").read_text())["project"]
    names = [Requirement(t).name for e in [project["dependencies"], *project["optional-dependencies"].values()] for t in e]
    for name in [*names, "Python", "device", "memory", "disk", "git", "make", "chromium", "bwrap", "course/"]:
        assert re.search(rf"^  [✓–] {re.escape(name)} ", said, re.M), name


def test_doctor_without_anything_still_reports(capsys, monkeypatch, tmp_path):
    """No package, no torch, no checkout, no metadata of our own: each is a row, and the status is 1."""
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    monkeypatch.setattr(cli, "version_of", lambda name: None)
    monkeypatch.setattr(cli, "ask_torch", lambda: {"error": "No module named 'torch'"})
    monkeypatch.setattr(cli, "kernel_python", lambda: None)
    assert cli.main(["doctor"]) == 1
    said = capsys.readouterr().out
    monkeypatch.setattr(cli.shutil, "disk_usage", lambda place: SimpleNamespace(free=1e9))
    assert re.search(r"✗ torch +missing", said) and "No module named 'torch'" in said and "git clone" in said

    def nothing(name):
        raise cli.PackageNotFoundError(name)

    monkeypatch.setattr(cli, "metadata", nothing)
    assert cli.main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert re.search(r"✗ genedu +not installed", said) and re.search(r"✗ disk +1.0 GB", said)
