"""The papers agree: one list of dependencies, pins inside its ranges, commands that exist, every package under a contract."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import genedu

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
METHODS = ("density", "autoregressive", "latent", "adversarial")  # the rooms of methods


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
    readme = (ROOT / "README.md").read_text()
    assert {"lab", "test"} <= set(re.findall(r"`make ([a-z-]+)", readme)) <= targets()
    first_screen = "\n".join(readme.splitlines()[:25])
    assert "make lab" in first_screen and "make test" in first_screen and "GB" in first_screen
    for text, folder in ((readme, ROOT), ((ROOT / "course/README.md").read_text(), ROOT / "course")):
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (folder / target).exists(), target


def test_the_readmes_code_runs(capsys):
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[1]
    exec(code, {})
    assert "torch.Size([3, 64])" in capsys.readouterr().out


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def test_ci_runs_what_the_readme_says():
    commands = [line for line in (ROOT / ".ci/run").read_text().splitlines() if line.startswith(("make", "bash", "python", "."))]
    assert commands[-1] == "make test" and set(commands) <= {"make system", "make test"}


def test_the_workflow_tries_each_python_and_the_lowest_versions():
    """It runs .ci/run on every supported Python and the chapters with the lowest pins, by commands that exist."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    jobs, steps = workflow["jobs"], [step for job in workflow["jobs"].values() for step in job["steps"]]
    pythons = jobs["test"]["strategy"]["matrix"]["python"]
    assert pythons == ["3.11", "3.12", "3.13"]
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert all(allowed.contains(f"{p}.0") for p in pythons) and not allowed.contains("3.10.9") and not allowed.contains("3.14.0")
    commands = {name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()}
    assert commands["test"][-1] == ".ci/run" and commands["lowest"] == ["make lowest"]
    for words in [command.split() for job in commands.values() for command in job]:
        words = words[words[0] == "sudo" :]
        if words[0] == "make":
            assert set(words[1:]) <= targets(), words
        elif words[0] != "sysctl":
            assert os.access(ROOT / words[0], os.X_OK), words
    assert {step["uses"] for step in steps if "uses" in step} == {"actions/checkout@v4", "actions/setup-python@v5"}
    for step in steps:
        if "setup-python" in step.get("uses", ""):
            assert step["with"]["cache"] == "pip" and (ROOT / step["with"]["cache-dependency-path"]).is_file()
    assert workflow["permissions"] == {"contents": "read"} and {job["timeout-minutes"] for job in jobs.values()} == {90}
    assert workflow["env"] == {"PYTHON": "python", "PIP_EXTRA_INDEX_URL": "https://download.pytorch.org/whl/cpu"}


def dry(*words: str, **env: str) -> str:
    """What make would do in a fresh checkout."""
    keep = {"PATH": os.environ["PATH"]}
    return subprocess.run(["make", "-n", *words], cwd=ROOT, env=keep | env, capture_output=True, text=True, check=True).stdout


def test_the_python_of_the_workflow_is_the_one_that_make_takes():
    """An environment variable goes before the Makefile's own choice, `PYTHON ?=`, in the job of the lowest versions too."""
    made = dry("VENV=no-such-env", "lint", PYTHON="the-one-set-up")
    assert "the-one-set-up -m venv no-such-env" in made and not re.search(r"^\S*python3", made, re.M)
    assert "the-one-set-up -m venv .venv-lowest" in dry("-W", "pyproject.toml", "lowest", PYTHON="the-one-set-up")


def test_the_matrix_ends_with_the_lowest_versions():
    lowest = [line for line in dry("lowest").splitlines() if "--nbval " in line]
    assert len(lowest) == 1 and lowest[0].startswith(".venv-lowest/bin/python")
    assert [line for line in dry("matrix").splitlines() if "--nbval " in line][2:] == lowest


@pytest.mark.parametrize(("here", "user", "installs", "says"), [
    ({"chromium", "bwrap"}, 0, "", "are here"),
    ({"chromium-browser", "bwrap"}, 1000, "", "are here"),
    (set(), 0, "chromium bubblewrap", "Installed: chromium bubblewrap"),
    ({"chromium"}, 0, "bubblewrap", "Installed: bubblewrap"),
    ({"bwrap"}, 0, "chromium", "Installed: chromium"),
    ({"chromium-browser"}, 1000, "", "sudo apt-get install bubblewrap"),
    (set(), 1000, "", "sudo apt-get install chromium bubblewrap"),
    ({"apt-get fails"}, 0, "", "sudo apt-get install chromium bubblewrap"),
    ({"no apt-get"}, 0, "", "sudo apt-get install chromium bubblewrap"),
])  # fmt: skip
def test_make_system_installs_what_is_missing_or_says_it(tmp_path, here, user, installs, says):
    """Run with commands of our own in place of the machine's: the exit status is 0 each time, so that the tests still run."""
    scripts = dict.fromkeys(here, "") | {"id": f"echo {user}", "apt-get": 'echo "$@" >> calls'}
    if "apt-get fails" in here:
        scripts["apt-get"] = "exit 100"
    if "no apt-get" in here:
        del scripts["apt-get"]
    for name, text in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    make, env = [shutil.which("make"), "-f", ROOT / "Makefile", "system"], {"PATH": str(tmp_path)}
    done = subprocess.run(make, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    calls = (tmp_path / "calls").read_text().splitlines() if (tmp_path / "calls").exists() else []
    assert says in done.stdout
    assert [line.split("recommends ")[-1] for line in calls] == (["update -qq", installs] if installs else [])


def test_the_citation_agrees_with_the_project():
    """What schema 1.2.0 demands is there; version and licences are those of the package; no address or DOI is invented."""
    text = (ROOT / "CITATION.cff").read_text()
    cff = yaml.safe_load(text)
    assert cff["cff-version"] == "1.2.0" and {"message", "title", "authors", "abstract", "keywords"} <= cff.keys()
    assert cff["version"] == genedu.__version__ and cff["license"] == PROJECT["license"].split(" AND ")
    assert cff["authors"] == [{"name": "genedu contributors"}] and "://" not in text and "doi" not in text.lower()
    (lecture,) = cff["references"]
    assert lecture["title"] == "Deep Generative Models" and lecture["authors"][0]["family-names"] == "Abbasnejad"
    readme = (ROOT / "README.md").read_text()
    assert f'"{lecture["title"]}" by {lecture["authors"][0]["given-names"]} Abbasnejad' in readme


def test_the_command_is_declared_and_its_folder_is_ignored():
    from genedu import cli

    module, function = PROJECT["scripts"]["genedu"].split(":")
    assert module == cli.__name__ and callable(getattr(cli, function))
    assert "/my/" in (ROOT / ".gitignore").read_text().splitlines()
    readme = (ROOT / "README.md").read_text()
    assert set(re.findall(r"genedu (start|doctor)\b", readme)) == {"start", "doctor"}


def test_every_package_stands_under_a_contract():
    named = {
        name
        for c in PYPROJECT["tool"]["importlinter"]["contracts"]
        for key in ("source_modules", "forbidden_modules", "modules")
        for name in c.get(key, [])
    }
    for path in (ROOT / "genedu").iterdir():
        if path.is_dir() and (path / "__init__.py").exists():
            assert f"genedu.{path.name}" in named, f"add genedu.{path.name} to [tool.importlinter] in pyproject.toml"


@pytest.mark.parametrize(("file", "line"), [
    ("data/wrong.py", "from genedu.density import naive_bayes"),  # data imports a method
    ("density/wrong.py", "import genedu.cli"),
    ("wrong.py", "from genedu import cli"),
])  # fmt: skip
def test_an_import_in_the_wrong_direction_is_caught(tmp_path, file, line):
    """The contracts bite."""
    shutil.copytree(ROOT / "genedu", tmp_path / "genedu", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "genedu" / file).write_text(f"{line}\n")
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([lint, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and f"genedu.{file[:-3].replace('/', '.')}" in done.stdout, done.stdout + done.stderr


def test_files_mirror_each_other():
    """genedu/<room>/<method>.py has tests/<room>/test_<method>.py, or its room has one file of tests."""
    for room in (*METHODS, "data", "metrics", "nn"):
        for path in (ROOT / "genedu" / room).glob("[a-z]*.py"):
            if "nn.Module" in path.read_text() or room not in METHODS:
                assert (ROOT / "tests" / room / f"test_{path.stem}.py").exists(), path


def test_methods_are_short_and_say_their_source():
    for path in (path for room in METHODS for path in (ROOT / "genedu" / room).glob("[a-z]*.py")):
        text = path.read_text()
        assert len(text.splitlines()) <= 200, path
        if "nn.Module" in text:
            assert all(word in text for word in ("Source:", "Lecture:", "Differs:", "eq. (1)")), path


def test_no_text_names_a_path_of_one_machine():
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in files:
        if (ROOT / name).exists() and Path(name).suffix in {".py", ".md", ".toml", ".ipynb", ".yml", ".txt", ".cfg", ".cff"}:
            assert not re.search(r"(?<![\w.])/(?:work|root|home)/\w", (ROOT / name).read_text()), name
