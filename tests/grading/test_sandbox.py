"""The sandbox itself: what of the machine is shown, how a worker starts, and what is said where it cannot."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from genedu.grading import jail, seccomp
from genedu.grading import sandbox as room
from genedu.grading.limits import Limits, limits_of
from genedu.grading.remote import working
from genedu.grading.sandbox import Sandbox, fault_of, find_sandbox, surroundings
from genedu.handle import CallFailed
from tests.exercises.common import ROOT


def test_bubblewrap_is_here_and_works():
    """The one test that fails in CI where it is missing; the others that need it are skipped."""
    made = find_sandbox()
    if made.gap and os.environ.get("CI") != "true":
        pytest.skip(made.gap)
    assert not made.gap and made.bubblewrap


def ask(made, code, **arguments):
    with working(made) as worker:
        worker.ask({"do": "run", "source": code, "cell": 1, "seed": 0})
        worker.ask({"do": "bind", "name": "f", "seed": 0})
        return worker.ask({"do": "call", "object": 0, "arguments": arguments, "method": "", "seed": 0})


LOOK = "import os\ndef f(path): return ' '.join(sorted(os.listdir(path))) if os.path.isdir(path) else str(os.path.exists(path))"


def test_of_the_course_only_the_view_is_there(sandbox):
    seen = {path: ask(sandbox, LOOK, path=path) for path in ("/", "/course", "/tmp", str(ROOT), str(Path.home()))}
    python = {"False", *Path(sys.base_prefix).parts, *Path(sys.prefix).parts}  # where it lies in a folder, its path is there
    assert seen["/course"] == "genedu" and set(seen["/tmp"].split()) <= python
    assert "home" not in seen["/"].split() and "mnt" not in seen["/"].split()
    shown = set(seen[str(ROOT)].split()) - {"False"}
    assert shown <= {Path(sys.prefix).name}  # the virtual environment, where it lies in the course's folder
    assert set(seen[str(Path.home())].split()) <= python


def pairs(words):
    """The mounts of a command line: what is done to which path, in order."""
    done, i = [], 0
    while i < len(words):
        if words[i] in ("--ro-bind", "--symlink"):
            done.append((words[i], words[i + 2]))
            i += 3
        elif words[i] in ("--tmpfs", "--remount-ro", "--dir", "--perms"):
            done.append((words[i], words[i + 1]))
            i += 2
    return done


def test_folders_to_conceal_are_covered_where_they_lie_in_what_is_shown(monkeypatch, tmp_path):
    prefix, course = tmp_path / "opt", tmp_path / "opt" / "lib" / "course"
    environment = course / ".venv"
    for folder in (environment / "lib", environment / "bin", prefix / "bin", tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "base_prefix", str(prefix))
    monkeypatch.setattr(sys, "prefix", str(environment))
    done = pairs(jail.mounts([course, tmp_path / "elsewhere"]))
    assert ("--ro-bind", str(prefix / "lib")) in done and not [p for _, p in done if "elsewhere" in p]
    cover = done.index(("--tmpfs", str(course)))
    assert done.index(("--ro-bind", str(prefix / "lib"))) < cover
    assert {("--ro-bind", str(environment / part)) for part in ("bin", "lib")} <= set(done[cover:])  # Python is still there
    assert ("--remount-ro", str(course)) in done[cover:]


def test_python_may_lie_below_tmp(monkeypatch, tmp_path):
    """A clone in /tmp: its own /tmp must not cover the virtual environment."""
    (tmp_path / "lib").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    words = jail.command("bwrap", tmp_path, concealed=[], folder=1, environment={})
    own = next(i for i, pair in enumerate(pairwise(words)) if pair == ("--tmpfs", "/tmp"))
    assert own < words.index(str(tmp_path / "lib"))


@pytest.mark.parametrize("kind", ["a folder", "the library, installed"])
def test_what_is_concealed_in_what_is_shown_cannot_be_read(sandbox, kind, tmp_path_factory):
    """In the jail itself: the folder of Python's own library stands for a course that lies in it."""
    secret = Path(os.__file__).parent / "json"
    open_course = ask(sandbox, LOOK, path=str(secret))
    assert "decoder.py" in open_course.split()
    concealed = (str(secret),) if kind == "a folder" else (str(secret / ".." / "json"),)
    made = replace(sandbox, concealed=concealed)
    assert "No module named 'json" in fault_of(made) or "json" in fault_of(made)


def test_nothing_of_the_instructors_environment_is_passed_on(monkeypatch, sandbox):
    monkeypatch.setenv("MY_PASSWORD", "123")
    words = ask(sandbox, "import os\ndef f(): return ' '.join(f'{k}={v}' for k, v in sorted(os.environ.items()))")
    assert "PASSWORD" not in words and "HOME=/tmp" in words.split()
    assert "MY_PASSWORD" not in surroundings("/a", "/b") and surroundings("/a", "/b")["HOME"] == "/b"


def test_limits_grow_with_the_seconds_asked_for():
    assert limits_of(None) == Limits()
    assert (limits_of(60).seconds, limits_of(60).wall, limits_of(60).total) == (60, 180.0, 600.0)
    assert limits_of(30) == Limits()
    with pytest.raises(ValueError, match="seconds must be at least 1, got 0"):
        limits_of(0)


def test_where_bubblewrap_is_missing_or_fails_it_is_said(monkeypatch):
    monkeypatch.setattr(room, "fault_of", lambda made: "no user namespaces" if made.bubblewrap else "")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "bubblewrap is not installed (make system" in find_sandbox().gap
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    made = find_sandbox()
    assert not made.bubblewrap and "bubblewrap does not work here: no user namespaces" in made.gap
    assert all(words in made.gap for words in ("read your files", "network", "container"))
    assert "you asked for it" in find_sandbox(jailed=False).gap
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "no bubblewrap on this system" in find_sandbox().gap
    monkeypatch.setattr(room, "fault_of", lambda made: "Permission denied")
    with pytest.raises(ValueError, match=r"no worker can be started \(Permission denied\)"):
        find_sandbox()


def test_the_fault_of_a_worker_is_its_last_word(tmp_path):
    script = tmp_path / "bwrap"
    script.write_text("#!/bin/sh\necho first >&2\necho 'setting up uid map: Permission denied' >&2\nexit 1\n")
    script.chmod(0o755)
    assert fault_of(Sandbox(str(script))) == "setting up uid map: Permission denied"
    script.write_text("#!/bin/sh\nexit 3\n")
    assert fault_of(Sandbox(str(script))) == "it ends at once, with 3"
    assert "PermissionError" in fault_of(Sandbox(str(tmp_path))) or "Errno" in fault_of(Sandbox(str(tmp_path)))


NESTED = """
from genedu.grading.sandbox import find_sandbox
from genedu.grading.remote import working
made = find_sandbox()
assert made.bubblewrap, made.gap
with working(made) as worker:
    worker.ask({"do": "run", "source": "import os; f = os.getuid", "cell": 1, "seed": 0})
    worker.ask({"do": "bind", "name": "f", "seed": 0})
    print(worker.ask({"do": "call", "object": 0, "arguments": {}, "method": "", "seed": 0}))
"""


def test_an_ordinary_user_gets_the_jail_too(sandbox):
    """Where the tests run as root: the same, as a user to whom root's ways are closed."""
    words = [sandbox.bubblewrap, "--dev-bind", "/", "/", "--unshare-user", "--uid", "1234", "--gid", "1234", "--cap-drop", "ALL"]
    done = subprocess.run([*words, sys.executable, "-c", NESTED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["1234"], done.stderr


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_of_system_calls_says_what_it_should(machine):
    """Run on the filter's own words: a small interpreter of the kernel's instructions."""
    text = seccomp.program(machine)
    column, name = seccomp.MACHINES[machine]
    steps = [(int.from_bytes(text[i : i + 2], "little"), text[i + 2], text[i + 3], int.from_bytes(text[i + 4 : i + 8], "little"))
             for i in range(0, len(text), 8)]  # fmt: skip

    def verdict(number, first=0, machine=name):
        held = {seccomp.NUMBER: number, seccomp.MACHINE: machine, seccomp.FIRST: first}
        at, value = 0, 0
        while True:
            code, yes, no, k = steps[at]
            at += 1
            if code == seccomp.RETURN:
                return k
            if code == seccomp.LOAD:
                value = held[k]
            else:
                true = {seccomp.EQUAL: value == k, seccomp.BITS: bool(value & k), seccomp.LARGE: value >= k}[code]
                at += yes if true else no

    for numbers in seccomp.CALLS.values():
        assert verdict(numbers[column]) == seccomp.FORBIDDEN
    for number in (0, 1, 39, 59, 231, 500):  # read, write and the like
        if number not in {n[column] for n in seccomp.CALLS.values()} | {seccomp.SOCKET[column], seccomp.CLONE[column]}:
            assert verdict(number) == seccomp.ALLOW, number
    assert verdict(seccomp.CLONE3[column]) == seccomp.UNKNOWN
    assert verdict(seccomp.CLONE[column]) == seccomp.ALLOW
    assert verdict(seccomp.CLONE[column], first=seccomp.NEW_USER | 17) == seccomp.FORBIDDEN
    assert [verdict(seccomp.SOCKET[column], first=f) == seccomp.ALLOW for f in (1, 2, 10, 16, 17, 38, 40)] == [True] * 3 + [
        False
    ] * 4
    assert verdict(0, machine=7) == seccomp.KILL
    if machine == "x86_64":
        assert verdict(0x40000000 + 1) == seccomp.FORBIDDEN


def test_an_unknown_machine_has_no_filter():
    assert seccomp.program("riscv64") == b""


def test_a_worker_starts_where_no_filter_is_known(sandbox, monkeypatch):
    monkeypatch.setattr(seccomp, "program", lambda: b"")
    with pytest.raises(CallFailed, match="RuntimeError: 0"):
        ask(sandbox, "def f(): raise RuntimeError(open('/proc/self/status').read().split('Seccomp:')[1].split()[0])")
