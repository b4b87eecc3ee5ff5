"""Oracles for `genedu doctor`: versions are judged by `packaging`, and whatever it looks at is faked here: a missing package,
an old version, a torch that dies, a tiny disk."""

import os
import re
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from genedu import cli, doctor, probes
from genedu.start import start
from tests.test_start import a_checkout

REAL = Path(__file__).parents[1]


@pytest.fixture
def root(tmp_path):
    return a_checkout(tmp_path)


# oracles ----------------------------------------------------------------------------------------------------------------

releases = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda n: ".".join(map(str, n)))


@given(version=releases, low=releases, high=releases)
def test_a_range_holds_where_packaging_says_so(version, low, high):
    for text in (f">={low},<{high}", f"<{high},>={low}", f">={low}", f"<{high}", ""):
        assert doctor.within(version, text) == SpecifierSet(text).contains(version), (version, text)


@pytest.mark.parametrize(
    ("version", "text", "want"), [("2.13.0+cpu", ">=2.13,<3", True), ("3.0rc1", ">=2,<3", False), ("x", ">=1", False)]
)
def test_builds_and_candidates_are_judged_by_their_release(version, text, want):
    assert doctor.within(version, text) is want


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
    sections = doctor.packages(requires, have.get, root)
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
    assert probes.version_of("no-such-package-anywhere") is None and probes.version_of("pytest") == pytest.__version__


# device -----------------------------------------------------------------------------------------------------------------

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
    row = doctor.device(torch, env, Path("/x"))
    assert row.mark == mark and words in f"{row.found} {row.note}" and bool(row.cure) == (mark == "✗")
    if mark == "✓":
        assert row.found == env.get("GENEDU_DEVICE", "cpu")
    if torch.get("fault"):
        assert "GENEDU_DEVICE" in row.cure
    if "error" in torch:
        assert row.cure.endswith('pip install --force-reinstall torch -c "/x/constraints.txt"')
        assert doctor.device(torch, env, None).cure.endswith("pip install --force-reinstall torch")
        missing = doctor.device({"error": "ModuleNotFoundError: No module named 'torch'"}, env, None)
        assert missing.mark == "✗" and missing.cure == ""  # its row among the packages has the cure


@pytest.mark.parametrize(("env", "mark", "found"), [
    ({}, "✓", "1"), ({"GENEDU_THREADS": "4"}, "✓", "4"), ({"GENEDU_THREADS": "0"}, "✗", "0"),
    ({"GENEDU_THREADS": "many"}, "✗", "many"),
    ({"GENEDU_THREADS": "1"}, "✓", "1"), ({"GENEDU_THREADS": "-2"}, "✗", "-2"),
])  # fmt: skip
def test_the_threads_that_chapters_would_use(env, mark, found):
    row = doctor.threads(env, 8)
    assert (row.mark, row.found) == (mark, found) and "8 cores" in row.note and bool(row.cure) == (mark == "✗")


def test_torch_is_asked_in_a_process_of_its_own(monkeypatch):
    import torch

    monkeypatch.setenv("GENEDU_DEVICE", "nonsense")
    said = probes.ask_torch()
    assert said.keys() == CPU.keys() and "nonsense" in said["fault"] and "\n" not in said["fault"]
    assert said["torch"] == torch.__version__ and said["devices"] == torch_devices()


@pytest.mark.parametrize(("code", "word"), [
    ("raise ImportError('no libtorch')", "ImportError: no libtorch"), ("import os; os.kill(os.getpid(), 11)", "exit status -11"),
    ("print('hello')", "printed hello"), ("pass", "printed nothing"), ("import time; time.sleep(9)", "within 0.5 seconds"),
])  # fmt: skip
def test_a_torch_that_raises_dies_or_hangs_is_reported(code, word):
    assert word in probes.ask_torch(code, seconds=0.5 if "sleep" in code else 60)["error"]


def test_what_torch_says_before_the_answer_is_passed_over():
    assert probes.ask_torch("print('a warning'); print('{}')") == {}


def test_a_python_that_cannot_be_started_is_reported(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/python")
    assert "/no/python" in probes.ask_torch()["error"]


def torch_devices():
    import torch

    cuda = [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    return cuda + ["mps"] * torch.backends.mps.is_available()


@pytest.mark.parametrize(("argv0", "mark"), [
    ("/env/bin/python", "✓"), ("/env/bin/python3.11", "✓"), ("python", "✓"), ("/other/bin/python", "✗"), (None, "✗"),
])  # fmt: skip
def test_the_notebooks_kernel_is_this_python(argv0, mark):
    row = doctor.kernel(argv0, "/env/bin/python")
    assert row.mark == mark and bool(row.cure) == (mark == "✗")
    if argv0:
        assert row.found == argv0
        assert mark == "✓" or "ipykernel install --sys-prefix" in row.cure
    else:
        assert row.found == "missing" and "pip install" in row.cure


def test_the_real_kernel_is_found():
    assert doctor.kernel(probes.kernel_python(), sys.executable).mark == "✓"


# the machine ------------------------------------------------------------------------------------------------------------

MEMINFO = "MemTotal:       16384000 kB\nMemFree:          100000 kB\nMemAvailable:    8192000 kB\n"


def test_memory_is_read_from_meminfo():
    assert probes.memory(MEMINFO) == (16384000 * 1024, 8192000 * 1024)
    assert probes.memory("MemTotal: 4 kB\n") == (4096, None)  # a kernel without MemAvailable
    total, free = probes.memory()
    assert total == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") and 0 < free < total


def test_memory_where_there_is_no_meminfo(monkeypatch):
    """macOS: the total only. Windows: total and free stand second and third in 64 bytes whose first word is their number."""
    import ctypes

    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    monkeypatch.setattr(Path, "exists", lambda self: False)
    assert probes.memory() == (total, None)

    def fill(status):
        assert ctypes.sizeof(status) == status[0] == 64
        status[1], status[2] = 16, 8

    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=SimpleNamespace(GlobalMemoryStatusEx=fill)), raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    assert probes.memory() == (16, 8)
    monkeypatch.setattr(sys, "platform", "other")
    monkeypatch.delattr(os, "sysconf")
    assert probes.memory() == (None, None)


@pytest.mark.parametrize(("total", "free", "mark", "words"), [
    (16e9, 8.25e9, "✓", ["16.0 GB", "8.2 GB"]), (16e9, 1.5e9, "–", ["16.0 GB", "1.5 GB"]), (1e9, 1e9, "–", []),
    (None, None, "–", ["unknown"]),
    (16e9, None, "✓", ["16.0 GB", "unknown"]), (16e9, 2 * 2**30, "✓", []), (16e9, 2 * 2**30 - 1, "–", []), (1e9, None, "–", []),
])  # fmt: skip
def test_little_memory_is_said_and_stops_nobody(total, free, mark, words):
    row = doctor.memory_row(total, free)
    assert row.mark == mark and all(word in f"{row.found} {row.note}" for word in words)


@pytest.mark.parametrize(("free", "installed", "mark"), [
    (50e9, True, "✓"), (50e9, False, "✓"), (1.5e9, False, "✓"), (1.4e9, False, "✗"), (1.4e9, True, "✓"), (0.1e9, True, "✓"),
    (0.09e9, True, "✗"),
])  # fmt: skip
def test_a_tiny_disk_is_told_what_it_needs(free, installed, mark):
    row = doctor.disk_row(free, Path("/x"), installed)
    assert row.mark == mark and f"{free / 1e9:.1f} GB" in row.found and bool(row.cure) == (mark == "✗")
    assert "1.5 GB" in row.note and "1.9 GB" in row.note


def test_the_disk_figures_are_those_of_the_readme():
    readme = (REAL / "README.md").read_text()
    for target, size in (("lab", doctor.DISK), ("test", doctor.DISK_TESTS)):
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

    rows = {row.name: row for row in doctor.tools(which)}
    assert {name for name, row in rows.items() if row.mark == "–"} == missing == {name for name, row in rows.items() if row.cure}
    assert {row.mark for row in rows.values()} <= {"✓", "–"} and all(row.note for row in rows.values())
    assert all(row.cure.startswith("sudo apt-get install ") for row in rows.values() if row.cure)
    assert all("apt-get" not in row.cure for row in doctor.tools(lambda name: None))


def test_the_courses_folders(root, tmp_path):
    rows = {row.name: row for row in doctor.folders(root)}
    assert {name: row.mark for name, row in rows.items()} == {"course/": "✓", "exercises/": "✓", "solutions/": "✓", "my/": "–"}
    assert rows["course/"].found == "2 chapters" and str(root) in rows["course/"].note
    start("1", to=root / "my", root=root)
    assert {row.name: row.mark for row in doctor.folders(root)}["my/"] == "✓"
    for name in ("solutions", "exercises"):
        (root / name).rename(root / f"no {name}")
    marks = {row.name: row.mark for row in doctor.folders(root)}
    assert marks["solutions/"] == "–" and marks["exercises/"] == "✗"
    (row,) = doctor.folders(None)
    assert row.mark == "✗" and "git clone" in row.cure


@pytest.mark.parametrize(("version", "mark"), [("3.11.0", "✓"), ("3.13.9", "✓"), ("3.10.14", "✗"), ("3.14.0", "✗")])
def test_python_must_be_in_its_range(version, mark):
    row = doctor.python_row(version, "<3.14,>=3.11")
    assert row.mark == mark and bool(row.cure) == (mark == "✗") and row.note == ">=3.11, <3.14"


# the report -------------------------------------------------------------------------------------------------------------

ROWS = [
    ("One", [doctor.Finding("✓", "a", "1.0", ">=1"), doctor.Finding("✗", "long name", "missing", ">=22", "type this")]),
    ("Two", [doctor.Finding("–", "b", "0.1", "", "type that"), doctor.Finding("✗", "c", "missing", "", "type this")]),
]


def test_the_report_is_aligned_and_names_each_cure_once():
    text = doctor.report(ROWS)
    rows = [line for line in text.splitlines() if re.match(r"  [✓✗–] ", line) and ":" not in line]
    assert [line.split()[1] for line in rows] == ["a", "long", "b", "c"]
    assert len({line.index(word) for line, word in zip(rows, ["1.0", "missing", "0.1", "missing"], strict=True)}) == 1
    assert len({line.index(">=") for line in rows if ">=" in line}) == 1
    assert text.count("type this") == text.count("type that") == 1 and "long name, c: type this" in text
    assert all(line == line.rstrip() for line in text.splitlines())
    assert text.splitlines()[-1] == "A student cannot work yet: long name, c."


def test_the_status_counts_what_a_student_needs():
    assert doctor.status(ROWS) == 1
    optional = [(title, [row for row in rows if row.mark != "✗"]) for title, rows in ROWS]
    assert doctor.status(optional) == 0 and doctor.report(optional).splitlines()[-1] == "A student can work."
    assert "To mend" not in doctor.report([(title, [row for row in rows if row.mark == "✓"]) for title, rows in ROWS])


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
    monkeypatch.setattr(doctor, "version_of", lambda name: None)
    monkeypatch.setattr(doctor, "ask_torch", lambda: {"error": "No module named 'torch'"})
    monkeypatch.setattr(doctor, "kernel_python", lambda: None)
    assert cli.main(["doctor"]) == 1
    said = capsys.readouterr().out
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda place: SimpleNamespace(free=1e9))
    assert re.search(r"✗ torch +missing", said) and "No module named 'torch'" in said and "git clone" in said

    def nothing(name):
        raise doctor.PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "metadata", nothing)
    assert cli.main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert re.search(r"✗ genedu +not installed", said) and re.search(r"✗ disk +1.0 GB", said)
