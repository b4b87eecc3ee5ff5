"""What grading a class costs: throughput, what the jail and the judge add to a bare run, and memory.

    python benchmarks/grading.py [SUBMISSIONS]        200 submissions of chapter 02's exercise, two processes

A bare run is a fresh interpreter that imports torch and runs the same cells (the notebook's code cells, its checks silent),
without jail, without judge, without anything kept. Overhead is the difference of the two on the clock, in turn, on a machine
that does nothing else. Memory: the command and its judging processes (resident, at most), with a quarter of the
submissions and with all.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from yardstick import headline

ROOT = Path(__file__).resolve().parents[1]
NAME = "02_density_and_mixtures"
BARE = """
import json, sys, types
import torch
torch.set_num_threads(1)
silent = types.ModuleType("genedu.checks")
silent.check = silent.points = lambda *a, **k: 0
sys.modules["genedu.checks"] = silent
space = {"__name__": "__main__"}
for cell in json.load(open(sys.argv[1]))["cells"]:
    if cell["cell_type"] == "code":
        exec(compile("".join(cell["source"]), "cell", "exec"), space)
"""
ONE = """
import sys
from pathlib import Path
from genedu.grading.course import assignments
from genedu.grading.judging import Job, grade
from genedu.grading.sandbox import find_sandbox
import time
exercise = assignments(Path("."))[sys.argv[2]]
sandbox = find_sandbox(concealed=(str(Path(".").absolute()),))
text, questions = Path(sys.argv[1]).read_bytes(), [a.question for a in exercise.asked.values()]
for i, _ in enumerate(sys.stdin):
    start = time.perf_counter()
    result = grade(Job(f"s{i}", exercise, text, dict.fromkeys(questions, i), sandbox))
    assert result.points == 10, result
    print(time.perf_counter() - start, flush=True)
"""


def bare(notebook: Path, last: str = "") -> float:
    """Seconds of a bare run; `last` is what it does at its end."""
    start = time.perf_counter()
    words = [sys.executable, "-c", BARE + last, str(notebook)]
    subprocess.run(words, cwd=ROOT, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return time.perf_counter() - start


def overhead(notebook: Path, pairs: int = 20) -> None:
    """Bare runs and graded submissions in turn."""
    words = [sys.executable, "-c", ONE, str(notebook), NAME]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as judge:
        assert judge.stdin and judge.stdout
        graded, plain, cut = [], [], []
        for _ in range(pairs):
            judge.stdin.write("next\n")
            judge.stdin.flush()
            graded.append(float(judge.stdout.readline()))
            plain.append(bare(notebook))
            cut.append(bare(notebook, "import os; os._exit(0)"))
    print(f"\n| one submission at a time, median of {pairs} (least to most) | s |\n|---|---|")
    rows = {"bare run: interpreter, torch, the cells": plain, "the same, ended without Python's clearing up": cut}
    for name, runs in (rows | {"graded: jail, worker, checks": graded}).items():
        print(f"| {name} | {statistics.median(runs):.2f} ({min(runs):.2f} to {max(runs):.2f}) |")
    differences = [g - p for g, p in zip(graded, plain, strict=True)]
    print(f"\nOverhead a submission, median of the pairs: **{statistics.median(differences):.2f} s** (asked for: at most 1.5 s)")


def tree(pid: int) -> list[tuple[int, int, str]]:
    """Process, resident bytes and command line of a process and all below it."""
    found, waiting = [], [pid]
    while waiting:
        at = waiting.pop()
        try:
            pages = int(Path(f"/proc/{at}/statm").read_text().split()[1])
            words = Path(f"/proc/{at}/cmdline").read_text()
            waiting += [int(c) for t in Path(f"/proc/{at}/task").glob("*/children") for c in t.read_text().split()]
        except OSError:
            continue
        found.append((at, pages * os.sysconf("SC_PAGESIZE"), words))
    return found


def classroom(n: int, notebook: Path, half: Path, folder: Path) -> tuple[float, float, float]:
    """Grade n submissions: seconds, and the most MiB of the command and of a judging process."""
    for i in range(n):
        place = folder / "submitted" / f"student{i:03d}" / NAME / f"{NAME}.ipynb"
        place.parent.mkdir(parents=True)
        shutil.copy(notebook if i % 2 else half, place)
    command = [
        sys.executable,
        "-m",
        "genedu",
        "grade",
        str(folder / "submitted"),
        "--out",
        str(folder / "grades"),
        "--workers",
        "2",
    ]
    start = time.perf_counter()
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most = {"command": 0, "judge": 0}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            for pid, size, words in tree(run.pid):
                kind = "command" if pid == run.pid else "judge" if "spawn_main" in words else ""
                if kind:
                    most[kind] = max(most[kind], size)

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert run.wait() == 0
    wall = time.perf_counter() - start
    over.set()
    watcher.join()
    return wall, most["command"] / 2**20, most["judge"] / 2**20


def halved(notebook: Path, target: Path) -> Path:
    """The same notebook with the last answer empty."""
    text = json.loads(notebook.read_text())
    last = [c for c in text["cells"] if c["metadata"].get("nbgrader", {}).get("solution")][-1]
    last["source"] = "".join(last["source"]).split("    ### BEGIN")[0] + "    raise NotImplementedError\n"
    target.write_text(json.dumps(text))
    return target


if __name__ == "__main__":
    many = int(sys.argv[1]) if sys.argv[1:] else 200
    print(headline()[1])
    solution = ROOT / "solutions" / NAME / f"{NAME}.ipynb"
    with tempfile.TemporaryDirectory() as scratch:
        half = halved(solution, Path(scratch) / "half.ipynb")
        overhead(solution)
        print("\n| submissions | s | s each | command, MiB | a judging process, MiB |\n|---|---|---|---|---|")
        for n in (many // 4, many):
            wall, command, judge = classroom(n, solution, half, Path(scratch) / str(n))
            print(f"| {n} | {wall:.0f} | {wall / n:.2f} | {command:.0f} | {judge:.0f} |", flush=True)
