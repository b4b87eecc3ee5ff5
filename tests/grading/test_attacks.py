"""Hostile submissions (`tests/grading/attacks`): none gets an undeserved point, touches what is outside, or survives.

Each is graded in bubblewrap; the first test repeats under limits alone those that must hold there too.
"""

import hashlib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from genedu.checks import points as public_points
from genedu.grading.processes import children
from genedu.grading.remote import HINT, KNOWN
from genedu.grading.results import Result
from genedu.grading.view import view
from tests.exercises.common import ROOT, namespace
from tests.grading import lab

HERE = Path(__file__).parent / "attacks"
NAMES = sorted(p.stem for p in HERE.glob("*.py") if p.stem != "__init__")
# What must hold under limits alone too, as far as the sandbox has a part in it: time, memory, processes, answers at hand.
LIMITED = """background_writer eat_memory eat_memory_in_orphans eat_memory_together eat_shared_memory endless_call
exit_with_success fork_bomb hold_the_pipe huge_file library_answer lifted_limits open_files patched_comparisons replaced_modules
""".split()
ALONE = os.environ.get("GENEDU_ATTACKS", "")  # set by the first test for runs of this file under limits alone
NAME = "02_density_and_mixtures"
SECRET = "ROOT-SECRET"  # stands in all that no student may read
WATCHED = ("solutions", "exercises")  # of the course's own folders; all of genedu that an attack sees is the view
DEFAULT = {"02.3": 2}


def attack(name: str) -> ModuleType:
    return import_module(f"tests.grading.attacks.{name}")


def codes(module: ModuleType) -> dict[str, str]:
    """What stands in the cell of each question."""
    return module.CODE if isinstance(module.CODE, dict) else {"02.1": module.CODE}


def chosen(where: str) -> list[str]:
    """The attacks of this run: all, or half of those that are tried under limits alone."""
    return LIMITED[int(where[-1]) :: 2] if where else NAMES


@dataclass
class Scene:
    """The grader's machine as an attack finds it."""

    canary: Path
    token: str
    names: dict[str, str]  # what stands for @NAME@ in an attack
    servers: list[socket.socket]

    def write(self, text: str) -> str:
        for name, value in self.names.items():
            text = text.replace(f"@{name}@", value)
        assert not re.search(r"@[A-Z]+@", text), "a name that the scene does not know"
        return text

    def state(self) -> dict[str, str]:
        """All files that an attack could reach for, as they are now."""
        folders = [self.canary, Path(self.names["VIEW"]), *(ROOT / name for name in WATCHED)]
        files = [p for folder in folders for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc"]
        found = {str(p): f"{p.stat().st_mode} {hashlib.sha256(p.read_bytes()).hexdigest()}" for p in files}
        return found | {str(p): "link" for p in self.canary.rglob("*") if p.is_symlink()}

    def traces(self) -> list[str]:
        """Files and processes that carry the token."""
        places = [self.canary, ROOT, ROOT / "genedu", Path.home(), Path.home() / ".ipython/profile_default/startup"]
        places += [Path(self.names[k]) for k in ("SITE", "VIEW")] + [Path(self.names["VIEW"]) / "genedu", Path.cwd()]
        places += [Path(p) for p in ("/", "/tmp", "/var/tmp", "/dev/shm", "/run")]
        found = [str(p) for place in places if place.is_dir() for p in place.glob(f"*{self.token}*")]
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue  # it has just ended
            found += [f"process {process.name}: {words}"] if self.token in words else []
        return found


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    lab.bubblewrap()
    made = lab.small_sandbox(tmp_path_factory.getbasetemp(), ROOT, jailed=not ALONE)
    assert bool(made.gap) == bool(ALONE)
    yield made
    result = lab.graded(made, NAME, lab.honest(NAME), student="the next one")
    assert (result.points, result.attention) == (10, []), "an attack has changed what the next student gets"


@pytest.fixture
def scene(tmp_path, monkeypatch) -> Iterator[Scene]:
    canary = tmp_path / "canary"
    for name in ("gradebook.db", "submitted/other/02/02.ipynb", "solutions/02/02.py", "home/.ipython/startup.py"):
        (canary / name).parent.mkdir(parents=True, exist_ok=True)
        (canary / name).write_text(f"{SECRET} {name}")
    monkeypatch.setenv("GENEDU_SECRET", SECRET)
    token = f"attack-{secrets.token_hex(8)}"
    names = {"CANARY": str(canary), "ROOT": str(ROOT), "HOME": str(Path.home()), "SITE": sysconfig.get_path("purelib")}
    names |= {"VIEW": str(view(lab.course()[NAME].hidden)), "JUDGE": str(os.getpid()), "TOKEN": token, "SOCKET": token}
    with ExitStack() as stack:
        port, abstract = (stack.enter_context(socket.socket(kind)) for kind in (socket.AF_INET, socket.AF_UNIX))
        port.bind(("127.0.0.1", 0))
        abstract.bind(f"\0{token}")
        for server in (port, abstract):
            server.listen()
            server.setblocking(False)
        yield Scene(canary, token, names | {"PORT": str(port.getsockname()[1])}, [port, abstract])


def hand_in(module: ModuleType, scene: Scene) -> bytes:
    right = {"02.3": lab.solution(NAME, "02.3")}
    if hasattr(module, "notebook"):
        return module.notebook(lab.written(NAME, right))
    return lab.submission(NAME, right | {q: scene.write(text) for q, text in codes(module).items()})


def said(result: Result) -> list[str]:
    """All words of the result that come from outside of the judge, or may."""
    return [*result.notes, *result.attention, *(o.hint for v in result.verdicts for o in v.outcomes)]


def connected(server: socket.socket) -> bool:
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@pytest.mark.skipif(bool(ALONE), reason="this is that run")
@pytest.mark.parametrize("half", [0, 1])
def test_what_must_hold_under_limits_alone(half):
    """As an ordinary user, whose student code could end the grader: so the grader gets a jail of its own."""
    words = [lab.bubblewrap(), *"--ro-bind / / --dev /dev --proc /proc --tmpfs /tmp".split(), "--ro-bind", str(ROOT), str(ROOT)]
    words += "--unshare-user --uid 1000 --gid 1000 --unshare-pid --unshare-ipc --unshare-net --die-with-parent".split()
    words += ["--chdir", str(ROOT), "--setenv", "GENEDU_ATTACKS", f"limits alone, half {half}", "--setenv", "HOME", "/tmp"]
    words += ["--setenv", "PYTHONDONTWRITEBYTECODE", "1", sys.executable, "-m", "pytest", "-q", "-x"]
    done = subprocess.run([*words, str(Path(__file__))], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    many = len(chosen(f"limits alone, half {half}"))
    assert many >= 7 and int(re.findall(r"(\d+) passed", done.stdout)[0]) >= many


@pytest.mark.parametrize("name", chosen(ALONE))
def test_an_attack_gains_nothing(name, scene, sandbox):
    module, before, mine = attack(name), scene.state(), children()
    result = lab.graded(sandbox, NAME, hand_in(module, scene))
    assert re.search(module.SEEN, "\n".join(said(result))), ("it did not get far enough", said(result))
    assert lab.points(result) == getattr(module, "POINTS", DEFAULT), said(result)
    assert children() == mine, "a process survives"
    assert scene.traces() == []
    assert scene.state() == before
    assert not any(map(connected, scene.servers))
    kept = json.dumps(asdict(result), ensure_ascii=False)
    assert SECRET not in kept
    for words in said(result):
        assert words.isprintable() and len(words) <= HINT + 200, words
    names = {o.mistake for v in result.verdicts if v.question == "02.1" for o in v.outcomes}
    assert all(m in KNOWN or re.fullmatch(r"[a-z0-9 ]*", m) for m in names), names


def test_a_table_for_the_public_seeds_serves_the_student_alone():
    """Under the seeds of the notebook it does get all points, so that the attack of this name is one."""
    space = dict(namespace(NAME, solved=False))
    exec(attack("table_of_public_seeds").CODE, space)
    assert [public_points("02.1", space["responsibilities"], seed=s) for s in (0, 1, 2)] == [2, 2, 0]


STATUS = """
import os
def responsibilities(log_joint):
    wanted = ("CapEff", "CapPrm", "CapAmb", "NoNewPrivs", "Seccomp")
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    raise RuntimeError(" ".join(f"{w}={int(lines[w], 16)}" for w in wanted) + f" ids={0 in os.getresuid() + os.getresgid()}")
"""


@pytest.mark.skipif(bool(ALONE), reason="limits alone change nothing but the user")
def test_the_worker_has_no_right_that_matters(sandbox):
    result = lab.graded(sandbox, NAME, lab.submission(NAME, {"02.1": STATUS}))
    assert "CapEff=0 CapPrm=0 CapAmb=0 NoNewPrivs=1 Seccomp=2 ids=False" in said(result)[0]


def test_the_attacks_are_many_and_say_what_they_try():
    assert len(NAMES) >= 30
    texts = [attack(n).__doc__ for n in NAMES]
    assert all(texts) and len(set(texts)) == len(texts)
    for module in map(attack, NAMES):
        assert hasattr(module, "CODE") != hasattr(module, "notebook")
        assert getattr(module, "NEEDS", "bubblewrap") == "bubblewrap"
    assert not [n for n in LIMITED if hasattr(attack(n), "NEEDS")]
