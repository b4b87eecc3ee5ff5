"""The command `genedu`.

    genedu start 01    copies chapter 01 and its exercise to my/, where running them changes nothing of the course
    genedu doctor      says what is installed, what is missing, and what to type

The parts of `doctor` are pure functions of what they look at, so that tests can fake a missing package or a tiny disk.
Nothing here imports torch: `doctor` asks for it in a process of its own, which may die.
"""

import argparse
import importlib.metadata
import io
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, metadata
from itertools import count
from operator import ge, lt
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from genedu import __version__

ROOT = Path(__file__).resolve().parents[1]
OURS = ("course", "exercises", "solutions", "genedu", "tests", "tools")  # no place for a student's work
GET = (
    "the notebooks are in the course's repository, not in the installed library: git clone it or unpack its archive, "
    "then type in its folder: python -m pip install -c constraints.txt -e '.[course]'"
)
EXAMPLES = """examples:
  genedu start 01               copy chapter 01 and its exercise to my/ and say how to open them
  genedu start 01 --fresh       copy them anew; your old ones are moved aside, not lost
  genedu start 01 --to ~/dgm    copy them to a folder of your choice
  genedu doctor                 what is installed, what is missing, what to type
"""


def checkout(root: Path) -> Path | None:
    """`root` if it is the course's folder, None where only the library is installed."""
    return root if (root / "course").is_dir() and (root / "pyproject.toml").is_file() else None


# start ------------------------------------------------------------------------------------------------------------------

# A link's beginning and its target: [text](target), ![alt](target), src="target", href="target", [name]: target
LINK = re.compile(r"""(\]\(<?|\b(?:src|href)=["']|^\[[^\]\n]+\]:[ ]+)([^)>"'\s#]+)""", re.M)


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


# doctor -----------------------------------------------------------------------------------------------------------------

FINE, NEEDED, OPTIONAL = "✓", "✗", "–"
DISK, DISK_TESTS, DISK_WORK = 1.5e9, 1.9e9, 0.1e9  # bytes: README's `make lab` and `make test`; a student's own notebooks
MEMORY = 2 * 2**30  # bytes that a chapter may take
FOR_WHOM = {
    "": "the library",
    "course": "the notebooks",
    "instructor": "for teachers: exercises and grades",
    "cluster": "for teachers: grading on many machines",
    "test": "for contributors: make test",
}
TOOLS = (  # commands of which one will do, what for, the Debian package
    (("git",), "fetches the course and its updates", "git"),
    (("make",), "make lab, make test (README: without make)", "make"),
    (("chromium", "chromium-browser"), "for contributors: tests in a browser", "chromium"),
    (("bwrap",), "for teachers and contributors: a sandbox for students' code", "bubblewrap"),
)
PROBE = """
import json, os, torch
device, fault = os.environ.get("GENEDU_DEVICE", "cpu"), ""
try:
    torch.ones(1, device=device) + 1
except Exception as error:
    fault = str(error).partition("\\n")[0]
devices = [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
devices += ["mps"] * torch.backends.mps.is_available()
print(json.dumps({"torch": torch.__version__, "devices": devices, "fault": fault}))
"""


class Finding(NamedTuple):
    """One line of the report: ✓ fine, ✗ the course needs it, – optional; `cure` is what to type where it is not fine."""

    mark: str
    name: str
    found: str
    note: str = ""
    cure: str = ""


Sections = list[tuple[str, list[Finding]]]


def numbers(version: str) -> tuple[int, ...]:
    """2.13.0+cpu -> (2, 13)."""
    release = re.match(r"[\d.]*", version)[0].strip(".")  # type: ignore[index]  # it matches any text
    return tuple(int(n) for n in re.sub(r"(\.?\b0+)+$", "", release).split(".") if n)


def within(version: str, bounds: str) -> bool:
    """Whether the release lies in a range such as `>=2.13,<3`. Our ranges have no other comparisons."""
    return all(
        {">=": ge, "<": lt}[sign](numbers(version), numbers(bound)) for sign, bound in re.findall(r"(>=|<)\s*(\d[\d.]*)", bounds)
    )


def shown(bounds: str) -> str:
    return ", ".join(sorted(bounds.replace(" ", "").split(","), reverse=True))


def version_of(name: str) -> str | None:
    """The installed version of a package, None where it is missing or its papers are broken."""
    try:
        return importlib.metadata.version(name)
    except Exception:
        return None


def pip(what: str) -> str:
    return f"{sys.executable} -m pip install {what}"


def python_row(version: str, bounds: str) -> Finding:
    fine = within(version, bounds)
    cure = f"make a new environment with a Python {shown(bounds)} (README: Without make)"
    return Finding(FINE if fine else NEEDED, "Python", version, shown(bounds), "" if fine else cure)


def packages(requires: Sequence[str], version: Callable[[str], str | None], root: Path | None) -> Sections:
    """A section for the library and for each extra, with the version of each package and the range it must be in.

    What the library and the notebooks need is needed; all other extras are optional.
    """
    sections: dict[str, list[Finding]] = {}
    for text in requires:
        name, bounds = re.match(r"([\w.-]+)(?:\[[^]]*\])?\s*\(?([^;)]*)", text).groups()  # type: ignore[union-attr]
        marker = re.search(r"""extra\s*==\s*["']([\w.-]+)""", text)
        extra, have = marker[1] if marker else "", version(name)
        if name == "genedu":  # an extra that is made of extras
            continue
        fine = have is not None and within(have, bounds)
        missing = NEEDED if extra in ("", "course") else OPTIONAL
        what = f'-c "{root / "constraints.txt"}" -e "{root}[{extra or "course"}]"' if root else f'"{name}{bounds.strip()}"'
        row = Finding(FINE if fine else missing, name, have or "missing", shown(bounds.strip()), "" if fine else pip(what))
        sections.setdefault(extra, []).append(row)
    return [(f"Packages, {FOR_WHOM.get(e, 'optional')}" + f" [{e}]" * bool(e), rows) for e, rows in sections.items()]


def ask_torch(code: str = PROBE, *, seconds: float = 120) -> dict:
    """`torch` version, `devices` and the `fault` of the chosen one, from another process; or an `error`."""
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {seconds} seconds"}
    except OSError as error:
        return {"error": str(error)}
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]}
    last = (done.stdout.strip().splitlines() or ["nothing"])[-1]
    try:
        return json.loads(last)
    except ValueError:
        return {"error": f"it must print what it found, it printed {last}"}


def device(torch: dict, env: Mapping[str, str], root: Path | None) -> Finding:
    """The device that chapters would use, from what `ask_torch` said."""
    name = env.get("GENEDU_DEVICE", "cpu")
    if "error" in torch:
        cure = pip("--force-reinstall torch" + (f' -c "{root / "constraints.txt"}"' if root else ""))
        cure = "" if "No module named 'torch'" in torch["error"] else cure  # the list of packages says how to get it
        return Finding(NEEDED, "device", "unknown", f"torch does not start: {torch['error']}", cure)
    if torch["fault"]:
        cure = f"set GENEDU_DEVICE to one of: cpu {' '.join(d.split()[0] for d in torch['devices'])}"
        return Finding(NEEDED, "device", name, f"GENEDU_DEVICE={name}: {torch['fault']}", cure.rstrip())
    others = ", ".join(torch["devices"])
    if others and name == "cpu":
        others = f"also here: {others}; GENEDU_DEVICE={re.split('[: ]', others)[0]} uses it"
    return Finding(FINE, "device", name, others or "no GPU found, none needed")


def threads(env: Mapping[str, str], cores: int | None) -> Finding:
    """The number of torch's threads that chapters would use."""
    text = env.get("GENEDU_THREADS", "1")
    fine = text.isdecimal() and int(text) > 0
    cure = "" if fine else "set GENEDU_THREADS to a number from 1 on, or unset it"
    return Finding(
        FINE if fine else NEEDED, "threads", text, f"of {cores or 'an unknown number of'} cores; GENEDU_THREADS sets it", cure
    )


def kernel_python() -> str | None:
    """The Python that runs a notebook of kernel `python3`, None where there is none."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager

        return KernelSpecManager().get_kernel_spec("python3").argv[0]
    except Exception:
        return None


def kernel(argv0: str | None, python: str) -> Finding:
    """Notebooks must run in this environment; Jupyter itself replaces a bare `python` by its own."""
    if argv0 is None:
        return Finding(NEEDED, "kernel", "missing", "runs the notebooks", pip("ipykernel"))
    fine = not os.path.isabs(argv0) or Path(argv0).parent == Path(python).parent
    cure = "" if fine else f"{python} -m ipykernel install --sys-prefix"
    return Finding(FINE if fine else NEEDED, "kernel", argv0, "runs the notebooks" if fine else f"must be {python}", cure)


def memory(meminfo: str | None = None) -> tuple[int | None, int | None]:
    """Total and free memory in bytes, None where unknown; `meminfo` is the text of Linux's /proc/meminfo."""
    if meminfo is None and (proc := Path("/proc/meminfo")).exists():
        meminfo = proc.read_text()
    if meminfo is not None:
        size = {name: int(kb) * 1024 for name, kb in re.findall(r"^(\w+):\s+(\d+) kB", meminfo, re.M)}
        return size.get("MemTotal"), size.get("MemAvailable")
    if sys.platform == "win32":
        import ctypes

        status = (ctypes.c_ulonglong * 8)(64)  # MEMORYSTATUSEX: its length and the load share the first, then total, free
        ctypes.windll.kernel32.GlobalMemoryStatusEx(status)
        return status[1], status[2]
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), None
    except (AttributeError, ValueError, OSError):
        return None, None


def gigabytes(size: float | None) -> str:
    return "unknown" if size is None else f"{size / 1e9:.1f} GB"


def memory_row(total: float | None, free: float | None) -> Finding:
    known = total if free is None else free
    fine = known is not None and known >= MEMORY
    note = f"{gigabytes(free)} free" + ("" if fine else f"; a chapter may take {gigabytes(MEMORY)}: close other programs")
    return Finding(FINE if fine else OPTIONAL, "memory", gigabytes(total), note)


def disk_row(free: float, place: Path, installed: bool) -> Finding:
    """Room for the packages where they are still to come, else for a student's notebooks."""
    need = DISK_WORK if installed else DISK
    cure = "" if free >= need else f"free {gigabytes(need)} on the disk of {place}"
    note = f"free at {place}; the course takes {gigabytes(DISK)}, with its tests {gigabytes(DISK_TESTS)}"
    return Finding(FINE if free >= need else NEEDED, "disk", gigabytes(free), note, cure)


def tools(which: Callable[[str], str | None]) -> list[Finding]:
    rows = []
    for names, use, package in TOOLS:
        path = next((p for p in map(which, names) if p), None)
        cure = f"sudo apt-get install {package}" if which("apt-get") else f"install {package} with the system's package manager"
        rows.append(Finding(FINE if path else OPTIONAL, names[0], path or "missing", use, "" if path else cure))
    return rows


def folders(root: Path | None) -> list[Finding]:
    if root is None:
        return [Finding(NEEDED, "course/", "missing", "", GET)]
    n = len(chapters(root))
    rows = [Finding(FINE, "course/", f"{n} chapter{'s' * (n != 1)}", f"in {root}")]
    for name, missing, use, cure in (
        ("exercises", NEEDED, "what students work on", "git checkout exercises"),
        ("solutions", OPTIONAL, "for teachers: what the exercises are made from", "git checkout solutions"),
        ("my", OPTIONAL, "your own copies", "genedu start 01"),
    ):
        there = (root / name).is_dir()
        rows.append(Finding(FINE if there else missing, f"{name}/", "found" if there else "missing", use, "" if there else cure))
    return rows


def examine(root: Path | None) -> Sections:
    """Everything that `doctor` reports, looked up on this machine."""
    library, bounds, requires = Finding(FINE, "genedu", __version__, f"in {Path(__file__).parent}"), "", []
    try:
        papers = metadata("genedu")
        bounds, requires = papers["Requires-Python"] or "", papers.get_all("Requires-Dist") or []
    except PackageNotFoundError:
        cure = pip(f'-c "{root / "constraints.txt"}" -e "{root}[course]"') if root else GET
        library = Finding(NEEDED, "genedu", "not installed", "what it needs is not known", cure)
    found = packages(requires, version_of, root)
    installed = library.mark == FINE and not faults(found)
    cores, place = getattr(os, "process_cpu_count", os.cpu_count)(), root or Path.cwd()
    machine = [
        python_row(platform.python_version(), bounds),
        Finding(FINE, "platform", platform.system(), platform.platform()),
        library,
        device(ask_torch(), os.environ, root),
        threads(os.environ, cores),
        memory_row(*memory()),
        disk_row(shutil.disk_usage(place).free, place, installed),
        kernel(kernel_python(), sys.executable),
    ]
    return [("This machine", machine), *found, ("System packages", tools(shutil.which)), ("The course's folders", folders(root))]


def faults(sections: Sections) -> list[str]:
    """Names of what a student cannot do without."""
    return [row.name for _, rows in sections for row in rows if row.mark == NEEDED]


def report(sections: Sections) -> str:
    """The findings in aligned columns, then each cure once, then whether a student can work."""
    rows = [row for _, part in sections for row in part]
    name, found = (max(len(row[i]) for row in rows) for i in (1, 2))
    lines: list[str] = []
    cures: dict[str, list[Finding]] = {}
    for title, part in sections:
        lines += [title, *(f"  {r.mark} {r.name:{name}}  {r.found:{found}}  {r.note}".rstrip() for r in part), ""]
    for row in (r for r in rows if r.cure):
        cures.setdefault(row.cure, []).append(row)
    if cures:
        lines.append("To mend (✗), or to add if you like (–)")
        for cure, ill in sorted(cures.items(), key=lambda item: item[1][0].mark == OPTIONAL):
            lines.append(f"  {ill[0].mark} {', '.join(r.name for r in ill)}: {cure}")
        lines.append("")
    needed = faults(sections)
    return "\n".join([*lines, f"A student cannot work yet: {', '.join(needed)}." if needed else "A student can work."])


def status(sections: Sections) -> int:
    return int(bool(faults(sections)))


# the command line -------------------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    about = "Deep generative models: a course that one runs."
    made = argparse.ArgumentParser(prog="genedu", description=about, epilog=EXAMPLES, formatter_class=form)
    made.add_argument("--version", action="version", version=f"genedu {__version__}")
    commands = made.add_subparsers(dest="command", metavar="command")
    begin = commands.add_parser("start", help="copy a chapter and its exercise to your own folder")
    begin.add_argument("chapter", nargs="?", default="", help="01, 1 or 01_name")
    begin.add_argument("--to", type=Path, metavar="FOLDER", help="where to (default: my/ in the course's folder)")
    begin.add_argument("--fresh", action="store_true", help="copy anew; an old copy is moved aside to NAME.before-1.ipynb")
    commands.add_parser("doctor", help="what is installed, what is missing, what to type")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0 fine, 1 `doctor` found a fault, 2 it cannot be done."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no ✓ shows ?
    words = parser().parse_args(argv)
    root = checkout(ROOT)
    if words.command == "doctor":
        sections = examine(root)
        print(report(sections))
        return status(sections)
    if words.command is None:
        parser().print_help()
        return 0
    try:
        if root is None:
            raise ValueError(GET)
        to = Path(os.path.abspath(words.to.expanduser() if words.to else root / "my"))
        copies = start(words.chapter, to=to, fresh=words.fresh, root=root)
    except (ValueError, OSError) as error:
        print(f"genedu: {error}", file=sys.stderr)
        return 2
    print(next_step(copies, to, root))
    return 0
