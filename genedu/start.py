"""`genedu start`: copies a chapter and its exercise to a student's own folder, with links that still lead somewhere.

A copy is made whole or not at all, and what is there already is never overwritten. The course's folder is always the
argument `root`, so that tests can make one up.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from urllib.parse import quote, unquote

OURS = ("course", "exercises", "solutions", "genedu", "tests", "tools")  # no place for a student's work
GET = (
    "the notebooks are in the course's repository, not in the installed library: git clone it or unpack its archive, "
    "then type in its folder: python -m pip install -c constraints.txt -e '.[course]'"
)

# A link's beginning and its target: [text](target), ![alt](target), src="target", href="target", [name]: target
LINK = re.compile(r"""(\]\(<?|\b(?:src|href)=["']|^\[[^\]\n]+\]:[ ]+)([^)>"'\s#]+)""", re.M)


def checkout(root: Path) -> Path | None:
    """`root` if it is the course's folder, None where only the library is installed."""
    return root if (root / "course").is_dir() and (root / "pyproject.toml").is_file() else None


def chapters(root: Path) -> list[Path]:
    return sorted((root / "course").glob("[0-9][0-9]_*.ipynb"))


def find(word: str, root: Path) -> Path:
    """The notebook that `01`, `1` or `01_name` means.

    Raises:
        ValueError: there is no such chapter; names those there are.
    """
    for path in chapters(root):
        if Path(word).stem == path.stem or (word.isdecimal() and int(word) == int(path.stem[:2])):
            return path
    raise ValueError(f"there is no chapter {word!r}; there are {', '.join(p.stem for p in chapters(root))}")


def relinked(text: str, original: Path, copy: Path, copies: Sequence[Path]) -> str:
    """Markdown whose relative links lead from `copy` to what they lead to from `original`; one that holds there is kept."""

    def target(link: re.Match) -> str:
        place = Path(os.path.abspath(original.parent / unquote(link[2])))
        there = Path(os.path.abspath(copy.parent / unquote(link[2])))
        if re.match(r"[a-z][a-z0-9+.-]*:|/", link[2], re.I) or there in copies or there.exists() or not place.exists():
            return link[0]
        return link[1] + quote(Path(os.path.relpath(place, copy.parent)).as_posix())

    return LINK.sub(target, text)


def copied(original: Path, copy: Path, copies: Sequence[Path]) -> bytes:
    """The notebook `original` as it must stand at `copy`: byte for byte the same, unless a link has to change.

    Code stays, and so do cells of which nbgrader keeps a checksum to see whether the student has answered.
    """
    raw = original.read_bytes()
    notebook, changed = json.loads(raw), False
    for cell in notebook["cells"]:
        marks = cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] == "markdown" and not (marks.get("grade") or marks.get("solution")):
            old = "".join(cell["source"])
            new = relinked(old, original, copy, copies)
            if new != old:
                cell["source"], changed = new.splitlines(keepends=True), True
    return (json.dumps(notebook, ensure_ascii=False, indent=1) + "\n").encode() if changed else raw


def start(chapter: str, *, to: Path, fresh: bool = False, root: Path) -> list[Path]:
    """Copy a chapter's notebook and its exercise into `to`, laid out as in the course; returns the copies.

    A notebook that is there already is kept, or with `fresh` moved aside to NAME.before-1.ipynb, -2 and so on.

    Raises:
        ValueError: there is no such chapter, or `to` lies inside the course's own folders.
        OSError: the folder cannot be written. No half of a copy remains.
    """
    original, to = find(chapter, root), Path(os.path.abspath(to))
    exercise = root / "exercises" / original.stem / original.name
    plan = {path: to / path.relative_to(root) for path in (original, exercise) if path.is_file()}
    kept_out = [root / name for name in OURS if (root / name).exists()]
    for copy in plan.values():
        for parent in (p for p in copy.resolve().parents if p.exists()):
            if any(parent.samefile(folder) for folder in kept_out):
                raise ValueError(f"--to {to} lies inside the course's own folder {parent}: choose another, such as {root / 'my'}")
    for path, copy in plan.items():
        name = copy.relative_to(root) if copy.is_relative_to(root) else copy
        aside = next(p for n in count(1) if not os.path.lexists(p := copy.with_name(f"{copy.stem}.before-{n}.ipynb")))
        there = os.path.lexists(copy)
        if there and not fresh:
            print(f"kept    {name} (it is yours; --fresh moves it to {aside.name} and copies anew)")
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        half = copy.with_name(copy.name + ".part")
        try:
            half.write_bytes(copied(path, copy, list(plan.values())))
            if there:
                os.replace(copy, aside)
            os.replace(half, copy)
        finally:
            half.unlink(missing_ok=True)
        print(f"copied  {name}" + (f" (the old one is now {aside.name})" if there else ""))
    return list(plan.values())


def next_step(copies: Sequence[Path], to: Path, root: Path) -> str:
    """What to type or click now."""
    base = root if to.is_relative_to(root) else to  # what JupyterLab shows: `make lab` shows the whole checkout
    names = [path.relative_to(base).as_posix() for path in copies]
    url = quote(f"/lab/tree/{names[0]}")
    words = [sys.executable, "-m", "jupyter", "lab", f"--ServerApp.root_dir={base}", f"--LabApp.default_url={url}"]
    line = subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
    start_it = f"make lab, typed in {root}" if base == root and shutil.which("make") else f"this line:\n\n{line}"
    return f"\nNext: open {', then '.join(names)} in JupyterLab.\nJupyterLab is started by {start_it}"
