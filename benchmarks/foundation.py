"""What the frame costs: set-up, each chapter, the suite. Prints markdown rows for benchmarks/README.md.

    python benchmarks/foundation.py chapters        each chapter and solution: seconds, memory, size (fast)
    python benchmarks/foundation.py suite           `make lint`, `make unit`, `make chapters`
    python benchmarks/foundation.py setup           `make lab`'s and `make test`'s installation into fresh environments

Without a word: chapters and suite. Setup takes minutes and downloads what the cache of pip does not hold; it uses --no-cache-dir.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from yardstick import headline

ROOT = Path(__file__).resolve().parents[1]
RUN = "import sys, nbformat; from nbclient import NotebookClient as C; p = sys.argv[1]; C(nbformat.read(p, 4), timeout=300, kernel_name='python3', resources={'metadata': {'path': p.rsplit('/', 1)[0]}}).execute()"  # noqa: E501


def measure(command: list[str], **options) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds of all children, and the largest child's memory in MiB, of one command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, **options)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, after.ru_maxrss / 1024


def row(name: str, wall: float, cpu: float, rest: str) -> None:
    print(f"| {name} | {wall:.0f} | {cpu:.0f} | {rest} |", flush=True)


def chapters() -> None:
    """One fresh process each, so that the memory figure (the largest process so far) is the notebook's own or smaller."""
    env = {**os.environ, "GENEDU_PROGRESS": "0"}
    for path in sorted([*ROOT.glob("course/*.ipynb"), *ROOT.glob("solutions/*/*.ipynb")]):
        load = "import sys; sys.path.insert(0, 'benchmarks'); import foundation as f"
        probe = f"{load}; print(*f.measure([sys.executable, '-c', f.RUN, {str(path)!r}]))"
        out = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout
        wall, cpu, memory = map(float, out.split())
        row(str(path.relative_to(ROOT)), wall, cpu, f"{memory:.0f} MiB, {path.stat().st_size / 1e6:.2f} MB stored")


def suite() -> None:
    for target in ("lint", "unit", "chapters"):
        wall, cpu, _ = measure(["make", target])
        row(f"make {target}", wall, cpu, "two cores")


def setup() -> None:
    for extra in ("course", "test"):
        with tempfile.TemporaryDirectory() as folder:
            pip = [
                f"{folder}/bin/python",
                "-m",
                "pip",
                "install",
                "--no-cache-dir",
                "-q",
                "-c",
                "constraints.txt",
                "-e",
                f".[{extra}]",
            ]
            script = f"{sys.executable} -m venv {folder} && {' '.join(pip)}"
            wall, cpu, _ = measure(["sh", "-c", script], stderr=subprocess.DEVNULL)
            size = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file() and not p.is_symlink())
            row(f"install .[{extra}] into a new environment", wall, cpu, f"{size / 1e9:.2f} GB on disk")


if __name__ == "__main__":
    print(headline()[1])
    print("\n| what | wall s | CPU s | |\n|---|---|---|---|")
    for word in sys.argv[1:] or ["chapters", "suite"]:
        {"chapters": chapters, "suite": suite, "setup": setup}[word]()
