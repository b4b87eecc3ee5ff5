"""Oracles for the command line: its exit status, where it says what, and that it starts without torch."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import genedu
from genedu import cli
from tests.test_start import CHAPTER, EXERCISE, a_checkout, tree

REAL = Path(__file__).parents[1]


@pytest.fixture
def root(tmp_path):
    return a_checkout(tmp_path)


# laws -------------------------------------------------------------------------------------------------------------------


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
    code = "from genedu import cli, doctor; doctor.ask_torch = lambda: {'error': 'not asked'}; print(cli.main(['doctor']))"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stderr == "" and "? device" in done.stdout and done.stdout.splitlines()[-1] == "1"


# errors -----------------------------------------------------------------------------------------------------------------


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
