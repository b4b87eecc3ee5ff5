"""`genedu doctor`: says what is installed, what is missing, and what to type.

Each row of the report is a function of what it judges, so that tests can fake a missing package or a tiny disk; only
`examine` looks at this machine, mostly through `genedu.probes`.
"""

import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, metadata
from operator import ge, lt
from pathlib import Path
from typing import NamedTuple

from genedu import __version__
from genedu.probes import ask_torch, kernel_python, memory, version_of
from genedu.start import GET, chapters

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


def kernel(argv0: str | None, python: str) -> Finding:
    """Notebooks must run in this environment; Jupyter itself replaces a bare `python` by its own."""
    if argv0 is None:
        return Finding(NEEDED, "kernel", "missing", "runs the notebooks", pip("ipykernel"))
    fine = not os.path.isabs(argv0) or Path(argv0).parent == Path(python).parent
    cure = "" if fine else f"{python} -m ipykernel install --sys-prefix"
    return Finding(FINE if fine else NEEDED, "kernel", argv0, "runs the notebooks" if fine else f"must be {python}", cure)


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
