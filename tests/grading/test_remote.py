"""A handle on code in another process: it answers as the local one does, and its failures are outcomes."""

import io
import time
from dataclasses import replace

import pytest
import torch

from genedu import checks
from genedu.checks import outcomes
from genedu.grading.remote import RemoteHandle, Worker, how, legible, numbered, working
from genedu.grading.wire import HEAD, encode
from genedu.handle import CallFailed, LocalHandle
from tests.checks import fixture_chapter
from tests.checks.fixture_chapter import ANSWERS


@pytest.fixture(scope="module")
def worker(sandbox):
    with working(sandbox) as made:
        made.ask({"do": "run", "source": "import torch", "cell": 0, "seed": 0})
        yield made


def handle(worker, code, name, *, seed=0):
    worker.ask({"do": "run", "source": code, "cell": 1, "seed": 0})
    return RemoteHandle(worker, numbered(worker.ask({"do": "bind", "name": name, "seed": 0})), seed=seed)


CASES = [pytest.param(q, w, id=f"{q} {w or 'right'}") for q in ANSWERS for w in [None, *ANSWERS[q][2]]]


@pytest.mark.parametrize(("question", "wrong"), CASES)
def test_a_check_says_the_same_of_code_in_another_process(question, wrong, worker, monkeypatch):
    """Modules, samplers with a state, fixtures, gradients: each outcome with its hint, for four seeds."""
    monkeypatch.setitem(checks.CHAPTERS, "fx", fixture_chapter.__name__)
    name, right, answers = ANSWERS[question]
    code = answers[wrong][0] if wrong else right
    space = {"torch": torch}
    exec(code, space)
    for seed in range(4):
        here = outcomes(question, LocalHandle(space[name], seed=seed))
        there = outcomes(question, handle(worker, code, name, seed=seed))
        assert here == there
        assert all(o.holds for o in there) == (wrong is None)


def test_values_pass_as_they_are(worker):
    echo = handle(worker, "def f(*a): return a", "f")
    sent = {"a": torch.ones(2, dtype=torch.bool), "b": 1.5, "c": 7, "d": "ü", "e": True, "f": (torch.zeros(0), (2,))}
    back = echo.call(sent)
    assert back[1:5] == (1.5, 7, "ü", True) and [type(v) for v in back[1:5]] == [float, int, str, bool]
    assert torch.equal(back[0], sent["a"]) and back[0].dtype == torch.bool and back[5][1] == (2,)


def test_seeds_rule_all_chance_of_the_other_side(worker):
    code = "import random, numpy\ndef f(): return float(torch.rand(())), random.random(), float(numpy.random.rand())"
    f = handle(worker, code, "f")
    assert f.call({}, seed=3) == f.call({}, seed=3)
    assert all(a != b for a, b in zip(f.call({}, seed=3), f.call({}, seed=4), strict=True))


@pytest.mark.parametrize(
    ("code", "hint", "mistake"),
    [
        ("def f(x): raise ValueError('of a kind')", "it raises ValueError: of a kind", "raises"),
        ("def f(x): raise NotImplementedError", "it is still to be written", "not written"),
        ("def f(x): raise SystemExit(0)", "it raises SystemExit: 0", "exits"),
        ("def f(x): raise KeyboardInterrupt", "it raises KeyboardInterrupt", "raises"),
        ("def f(x): return None", "it must return a tensor or a number", "wrong type"),
        ("def f(x): return {'a': 1}", "it must return a tensor or a number", "wrong type"),
        ("def f(x): return x.to_sparse()", "not dense", "wrong type"),
        ("def f(x): return 10 ** 5000", "cannot be sent", "wrong type"),
        ("def f(): return 1", "it raises TypeError", "raises"),
        ("f = 3", "it raises TypeError", "raises"),
    ],
)
def test_failures_say_what_happened(worker, code, hint, mistake):
    with pytest.raises(CallFailed) as failed:
        handle(worker, code, "f").call({"x": torch.ones(2)})
    assert hint in str(failed.value) and failed.value.mistake == mistake


def test_a_name_that_is_not_there(worker):
    with pytest.raises(CallFailed, match="'nothing' is not defined where its check stands"):
        worker.ask({"do": "bind", "name": "nothing", "seed": 0})


CELLS = {
    "a magic": "%matplotlib inline\nx = 1",
    "a command": "!echo hello\nx = 1",
    "await at the top": "import asyncio\nx = await asyncio.sleep(0, 1)",
    "display": "display(3)\nx = 1",
    "pictures": "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()\nx = 1",
    "the silent checks": "from genedu.checks import check, points\ncheck('01.1', 3)\nx = 1 + points('01.1', 3)",
    "the library": "from genedu.data import two_gaussians\nfrom genedu.core import seeded\nx = int(two_gaussians() is not None)",
    "a class that is pickled": "import pickle\nclass A: pass\nx = int(type(pickle.loads(pickle.dumps(A()))) is A)",
    "its own source": "import inspect\ndef g(): pass\nx = int('def g' in inspect.getsource(g))",
}


@pytest.mark.parametrize("name", CELLS)
def test_cells_run_as_in_a_notebook(worker, name):
    worker.ask({"do": "run", "source": CELLS[name] + "\ndef get(): return x", "cell": 2, "seed": 0})
    assert handle(worker, "", "get").call({}) == 1


def test_checks_tests_and_answers_cannot_be_imported(sandbox):
    code = "def f(name):\n    import importlib\n    return [n for n in dir(importlib.import_module(name)) if n[0] != '_']"
    with working(sandbox, ("density/em.py",)) as worker:
        f = handle(worker, code, "f")
        assert f.call({"name": "genedu.checks"}) == ("check", "points")
        for name in ("genedu.checks.ch02", "genedu.grading.judging", "tests.exercises.common"):
            with pytest.raises(CallFailed, match="ModuleNotFoundError"):
                f.call({"name": name})
        with pytest.raises(CallFailed, match=r"ImportError: density/em.py of the library is held back"):
            f.call({"name": "genedu.density.em"})


LOST = {
    "computes for ever": ("def f():\n    while True: pass", "it used more than 3 s of computing time", "too slow"),
    "sleeps for ever": ("import time\ndef f(): time.sleep(1000)", "it did not end within 4 s", "too slow"),
    "ends the process": ("import os\ndef f(): os._exit(0)", "it ended the whole process (exit status 0)", "process ended"),
    "crashes": (
        "import ctypes\ndef f(): ctypes.string_at(0)",
        "it ended the whole process (killed by signal 11)",
        "process ended",
    ),
    "takes memory": (
        "import os, time\ndef f():\n    any(os.fork() == 0 for _ in range(7))\n    x = bytearray(300 << 20); time.sleep(60)",
        "it took more than 1024 MiB of memory",
        "too much memory",
    ),
}


@pytest.mark.parametrize("name", LOST)
def test_a_lost_worker_says_why_and_answers_no_more(sandbox, name):
    clock = 4.0 if "sleeps" in name else 120.0  # far off where something else must end it, also on a busy machine
    limits = replace(sandbox.limits, wall=clock, memory=(1 << 30) if "memory" in name else sandbox.limits.memory)
    code, hint, mistake = LOST[name]
    with working(replace(sandbox, limits=limits)) as worker:
        f = handle(worker, code, "f")
        for _ in range(2):
            started = time.monotonic()
            with pytest.raises(CallFailed) as failed:
                f.call({})
            assert (str(failed.value), failed.value.mistake) == (hint, mistake)
        assert time.monotonic() - started < 2  # the second call does not wait for a clock
        assert worker.clock == ("sleeps" in name)


def test_memory_beyond_the_limit_is_an_error_of_the_students_code(sandbox):
    with working(replace(sandbox, limits=replace(sandbox.limits, memory=2 << 30))) as worker:
        f = handle(worker, "def f(n): return len(bytearray(n))", "f")
        with pytest.raises(CallFailed, match="it raises MemoryError"):
            f.call({"n": 3 << 30})
        assert f.call({"n": 1 << 20}) == 1 << 20


class Told:
    """A running worker that says what it was told to say."""

    def __init__(self, *answers, code=None):
        self.stdin, self.stdout = io.BytesIO(), io.BytesIO(b"".join(answers))
        self.process, self.code, self.killed = self, code, False

    def poll(self):
        return self.code

    def wait(self, timeout=None):
        return self.code

    def usage(self):
        return 0, 1

    def end(self):
        self.killed = True


def told(sandbox, *answers, code=None):
    return Worker(Told(*answers, code=code), sandbox.limits)


FORGED = {
    "a number for a message": encode(3),
    "nothing": encode(None),
    "two things": encode({"value": 1, "failed": ("a", "b")}),
    "other words": encode({"verdict": 10}),
    "a failure that is none": encode({"failed": "a"}),
    "a failure of numbers": encode({"failed": (1, 2)}),
    "garbage": b"\x00" * 100,
    "a huge message": HEAD.pack(2**31, 0),
}


@pytest.mark.parametrize("name", FORGED)
def test_nonsense_ends_the_worker(sandbox, name):
    worker = told(sandbox, FORGED[name])
    with pytest.raises(CallFailed, match="could not be read"):
        RemoteHandle(worker, 0).call({})
    assert worker.process.killed and worker.mistake == "unreadable"
    worker.close()


@pytest.mark.parametrize(
    ("answer", "ask", "words"),
    [
        ({"a": 1}, lambda h: h.call({}), "must return a tensor or a number"),
        (((1, None),), lambda h: h.call({}), "must return a tensor or a number"),
        (None, lambda h: h.call({}), "must return a tensor or a number"),
        ({"x": 1}, lambda h: h.gradient({}, of=["x"]), "gradient cannot be read"),
        ({"y": None}, lambda h: h.gradient({}, of=["x"]), "gradient cannot be read"),
        (3, lambda h: h.gradient({}, of=["x"]), "gradient cannot be read"),
        ({"x": None}, lambda h: h.weights(), "weights cannot be read"),
        ("a", lambda h: h.weights(), "weights cannot be read"),
        (1.0, lambda h: h.build({}), "could not be read"),
        (-1, lambda h: h.build({}), "could not be read"),
        (True, lambda h: h.build({}), "could not be read"),
    ],
)
def test_answers_of_another_kind_than_asked_for_are_failures(sandbox, answer, ask, words):
    worker = told(sandbox, encode({"value": answer}))
    with pytest.raises(CallFailed, match=words):
        ask(RemoteHandle(worker, 0))
    worker.close()


def test_only_mistakes_that_a_handle_knows_are_counted(sandbox):
    worker = told(sandbox, encode({"failed": ("words", "raises")}), encode({"failed": ("words", "a name of my own")}))
    for mistake in ("raises", ""):
        with pytest.raises(CallFailed) as failed:
            RemoteHandle(worker, 0).call({})
        assert failed.value.mistake == mistake
    worker.close()


def test_words_of_students_are_one_line_that_every_page_can_show():
    assert legible("a\n\tb\x00\x1b[31m \u202e c\ud800") == "a b[31m  c?"
    assert len(legible("x" * 10_000)) == 400


def test_the_end_of_a_process_in_words():
    assert [how(c) for c in (0, 3, -9, 139, 255)] == [
        "exit status 0", "exit status 3", "killed by signal 9", "killed by signal 11", "exit status 255",
    ]  # fmt: skip
