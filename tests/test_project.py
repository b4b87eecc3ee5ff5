"""The papers agree: one list of dependencies, pins inside its ranges, commands that exist, every package under a contract."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]


def pins(name: str) -> dict[str, str]:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    return {line.split("==")[0].lower().replace("_", "-"): line.split("==")[1] for line in lines}


def requirements() -> list[Requirement]:
    texts = PROJECT["dependencies"] + [r for extra in PROJECT["optional-dependencies"].values() for r in extra]
    return [r for r in map(Requirement, texts) if r.name != "genedu"]


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-lowest.txt"])
def test_every_dependency_is_pinned_inside_its_range(name):
    pinned = pins(name)
    for r in requirements():
        assert r.specifier.contains(pinned[r.name.lower()]), f"{r} but {name} has {pinned[r.name.lower()]}"


def test_the_lowest_pins_are_the_lower_ends_of_the_ranges():
    pinned = pins("constraints-lowest.txt")
    for r in map(Requirement, PROJECT["dependencies"]):
        low = next(s.version for s in r.specifier if s.operator == ">=")
        assert SpecifierSet(f"=={low}").contains(pinned[r.name]) or pinned[r.name].startswith(f"{low}."), r


def test_conda_users_get_the_same_list():
    """environment.yml names Python and pip only; all else is the project itself, at the pinned versions."""
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    *others, pip = conda["dependencies"]
    assert [Requirement(d).name for d in others] == ["python", "pip"]
    assert Requirement(others[0]).specifier == SpecifierSet(PROJECT["requires-python"])
    constraint, editable = pip["pip"]
    assert (ROOT / constraint.removeprefix("-c ")).is_file()
    extra = re.fullmatch(r"-e \.\[(\w+)\]", editable)[1]
    assert extra in PROJECT["optional-dependencies"]


def test_the_readme_names_commands_and_files_that_exist():
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    assert {"lab", "test"} <= set(re.findall(r"`make ([a-z-]+)", readme)) <= targets
    first_screen = "\n".join(readme.splitlines()[:25])
    assert "make lab" in first_screen and "make test" in first_screen and "GB" in first_screen
    for text, folder in ((readme, ROOT), ((ROOT / "course/README.md").read_text(), ROOT / "course")):
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (folder / target).exists(), target


def test_the_readmes_code_runs(capsys):
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[1]
    exec(code, {})
    assert "torch.Size([3, 64])" in capsys.readouterr().out


def test_ci_runs_what_the_readme_says():
    commands = [line for line in (ROOT / ".ci/run").read_text().splitlines() if line.startswith(("make", "bash", "python", "."))]
    assert commands[-1] == "make test" and set(commands) <= {"make system", "make test"}


def test_every_package_stands_under_a_contract():
    named = {
        name
        for c in PYPROJECT["tool"]["importlinter"]["contracts"]
        for key in ("source_modules", "forbidden_modules")
        for name in c[key]
    }
    for path in (ROOT / "genedu").iterdir():
        if path.is_dir() and (path / "__init__.py").exists():
            assert f"genedu.{path.name}" in named, f"add genedu.{path.name} to [tool.importlinter] in pyproject.toml"


def test_an_import_in_the_wrong_direction_is_caught(tmp_path):
    """The contracts bite: a data file that imports a method breaks them."""
    import shutil

    shutil.copytree(ROOT / "genedu", tmp_path / "genedu", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "genedu" / "data" / "wrong.py").write_text("from genedu.density import naive_bayes\n")
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([lint, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "genedu.data.wrong" in done.stdout, done.stdout + done.stderr


def test_files_mirror_each_other():
    """genedu/<room>/<method>.py has tests/<room>/test_<method>.py, or its room has one file of tests."""
    for room in ("density", "data", "metrics"):
        for path in (ROOT / "genedu" / room).glob("[a-z]*.py"):
            if "nn.Module" in path.read_text() or room != "density":
                assert (ROOT / "tests" / room / f"test_{path.stem}.py").exists(), path


def test_methods_are_short_and_say_their_source():
    for path in (ROOT / "genedu" / "density").glob("[a-z]*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= 200, path
        if "nn.Module" in text:
            assert all(word in text for word in ("Source:", "Lecture:", "Differs:", "eq. (1)")), path


def test_no_text_names_a_path_of_one_machine():
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in files:
        if (ROOT / name).exists() and Path(name).suffix in {".py", ".md", ".toml", ".ipynb", ".yml", ".txt", ".cfg"}:
            assert not re.search(r"(?<![\w.])/(?:work|root|home)/\w", (ROOT / name).read_text()), name
