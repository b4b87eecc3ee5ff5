"""sync.py [--check | --fresh] [NN ...]: the .py is the truth. Builds the notebooks from it, runs them, releases the exercises.

Without numbers: every chapter. A second run leaves no diff: ids are counted, times and widget ids dropped, and stored
pictures are kept down to the first code cell whose source or text changed: below it they may show something else. What
changed in the library is not seen: `--fresh` keeps no picture. Exercises are made by nbgrader's own converter.
`--check` (fast, for CI) changes nothing: pairs agree, nbgrader metadata included; every cell was run; an exercise is what
the converter makes of its solution, and holds nothing of the answer.
"""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from genedu.grading.release import release

ROOT = Path(__file__).resolve().parents[1]
KEPT = ("tags", "nbgrader")
WIDGET = "application/vnd.jupyter.widget-view+json"
SECRETS = re.compile(r"### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)### END \1", re.S)


def inputs(notebook: NotebookNode) -> list:
    return [(c.cell_type, c.source.rstrip(), {k: v for k, v in c.metadata.items() if k in KEPT}) for c in notebook.cells]


def words(cell: NotebookNode) -> list:
    """What nbval compares: all text, no pixels."""
    return [(o.get("text"), o.get("data", {}).get("text/plain"), o.get("ename")) for o in cell.get("outputs", [])]


def clean(notebook: NotebookNode, old: NotebookNode | None) -> None:
    """Drop what changes from run to run; keep stored outputs as long as all cells so far say the same as before."""
    stored = {c.source: c for c in old.cells if c.cell_type == "code"} if old else {}
    kept = True
    for i, cell in enumerate(notebook.cells):
        cell["id"] = f"c{i:03d}"
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k in KEPT})
        for output in cell.get("outputs", []):
            if WIDGET in output.get("data", {}):
                output.data[WIDGET]["model_id"] = cell["id"]
        if cell.cell_type == "code":
            same = stored.get(cell.source)
            kept = kept and same is not None and words(same) == words(cell)
            if kept:
                cell.outputs = same.outputs
    notebook.metadata = nbformat.from_dict({k: v for k, v in notebook.metadata.items() if k == "kernelspec"})


def sync(py: Path, *, fresh: bool = False) -> None:
    """Build the notebook beside `py`, run it, and store it in one move."""
    target = py.with_suffix(".ipynb")
    old = nbformat.read(target, 4) if target.exists() and not fresh else None
    notebook = jupytext.read(py)
    where = {"metadata": {"path": str(py.parent)}}
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources=where,
        record_timing=False,
        coalesce_streams=True,  # else a pause between two prints may or may not cut the text in two
        extra_arguments=["--log-level=ERROR"],
    )
    client.execute()
    clean(notebook, old)
    nbformat.validate(notebook)
    half = target.with_suffix(".ipynb.part")
    nbformat.write(notebook, half)
    os.replace(half, target)


def faults(py: Path) -> list[str]:
    """What is wrong with a pair: drifted, not there, or not run (nbval passes a cell that was never run)."""
    target = py.with_suffix(".ipynb")
    if not target.exists():
        return ["no notebook: run make sync"]
    have = nbformat.read(target, 4)
    found = [] if inputs(have) == inputs(jupytext.read(py)) else ["the notebook is not built from this .py: run make sync"]
    if not all(c.execution_count for c in have.cells if c.cell_type == "code" and c.source.strip()):
        found.append("cells that were not run: run make sync")
    return found


def leaks(solution: Path, folder: Path) -> list[str]:
    """What the exercise in `folder` gives away of `solution`: a file that is not the notebook, or lines of an answer.

    A line that stands outside of every answer too (an import, a signature) is no secret.
    """
    found = [f"{p.name} does not belong there" for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix != ".ipynb"]
    text = re.sub(r"^# (?!%%)", "", solution.read_text(), flags=re.M)  # markdown cells without their mark
    secret = {line.strip() for body in SECRETS.findall(text) for line in body[1].split("\n")}
    public = {line.strip() for line in SECRETS.sub("", text).split("\n")}
    for notebook in sorted(folder.rglob("*.ipynb")):
        for cell in nbformat.read(notebook, 4).cells:
            lines = {line.strip() for line in cell.source.split("\n")}
            found += [f"{notebook.name} shows {line!r}" for line in sorted(lines & (secret - public - {""}))]
            found += [f"{notebook.name} shows a mark of the solution" for line in lines if "### BEGIN" in line]
            found += [f"{notebook.name} stores an output" for _ in cell.get("outputs", [])]
    return found


def check_exercise(solution: Path, exercises: Path) -> list[str]:
    """What is wrong with the exercise of `solution`: drifted from what nbgrader makes of it, or telling the answer."""
    name, folder = solution.stem, exercises / solution.stem
    notebook = folder / f"{name}.ipynb"
    if not notebook.exists():
        return ["no exercise: run make sync"]
    with tempfile.TemporaryDirectory() as scratch:
        fresh = release(ROOT, name, solution.parents[1], Path(scratch)).read_bytes()
    found = [] if fresh == notebook.read_bytes() else ["the exercise is not what nbgrader makes of the solution: run make sync"]
    return found + leaks(solution, folder)


def chosen(folder: str, numbers: list[str]) -> list[Path]:
    pattern = "[0-9][0-9]_*.py" if folder == "course" else "[0-9][0-9]_*/[0-9][0-9]_*.py"
    return [p for p in sorted((ROOT / folder).glob(pattern)) if not numbers or p.name[:2] in numbers]


def main(arguments: list[str]) -> int:
    os.environ["GENEDU_PROGRESS"] = "0"
    numbers = [a for a in arguments if a not in ("--check", "--fresh")]
    chapters, solutions = chosen("course", numbers), chosen("solutions", numbers)
    if numbers and not chapters:
        sys.exit(f"there is no chapter {' '.join(numbers)}; a number has two digits, such as 01")
    found: dict[Path, list[str]] = {}
    for py in chapters + solutions:
        if "--check" not in arguments:
            sync(py, fresh="--fresh" in arguments)
        found[py] = faults(py)
    for py in solutions:
        if "--check" not in arguments and not found[py]:
            with tempfile.TemporaryDirectory() as scratch:
                fresh = release(ROOT, py.stem, py.parents[1], Path(scratch))
                target = ROOT / "exercises" / py.stem
                target.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(fresh, target / fresh.name)
        found[ROOT / "exercises" / py.stem] = check_exercise(py, ROOT / "exercises")
    for path, problems in found.items():
        print(path.relative_to(ROOT), "; ".join(problems) or "ok", flush=True)
    return sum(map(bool, found.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
