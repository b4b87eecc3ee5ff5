"""Find the notebooks that students handed in: in nbgrader's folders, in a flat folder, or in a zip of a learning platform.

Nothing is unpacked, no link is followed. What is not graded is listed with its reason, not passed over.
"""

import lzma
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from genedu.grading.course import Assignment
from genedu.grading.names import identify, students_at
from genedu.grading.notebook import LARGEST

MOST = 20_000  # entries of a zip
UNREADABLE = (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError)


@dataclass(frozen=True)
class Submission:
    """One student's notebook for one exercise: `inside` a zip, or a file of its own."""

    student: str
    assignment: str
    path: Path
    inside: str = ""

    def handed_in(self) -> str:
        """What nbgrader's timestamp.txt beside it says, "" if there is none."""
        beside = self.path.with_name("timestamp.txt")
        try:
            if self.inside or beside.is_symlink():
                return ""
            with beside.open(encoding="utf-8") as file:
                return datetime.fromisoformat(re.sub(r" UTC$", "+00:00", file.read(100).strip())).isoformat(" ")
        except (OSError, ValueError):
            return ""

    def read(self) -> bytes:
        """Its bytes, one more than is allowed at most."""
        if self.inside:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.inside) as member:
                return member.read(LARGEST + 1)
        with os.fdopen(os.open(self.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)), "rb") as file:
            return file.read(LARGEST + 1)


@dataclass(frozen=True)
class Stray:
    """What was not graded, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class _File:
    name: PurePosixPath
    time: float
    found: Submission  # without names yet


def find(source: Path, known: dict[str, Assignment]) -> tuple[list[Submission], list[Stray]]:
    """The submissions in a folder or zip, and what is not graded.

    Raises:
        ValueError: there is no such folder or zip.
    """
    strays: list[Stray] = []
    others: list[PurePosixPath] = []
    if source.is_dir():
        files = list(_in_folder(source, strays, others))
    elif zipfile.is_zipfile(source):
        files = list(_in_zip(source, strays, others))
    else:
        raise ValueError(f"submissions must be a folder or a zip, {source} is {'neither' if source.exists() else 'not there'}")
    strays += without_notebook(others, {n for n in [f.name for f in files] + [PurePosixPath(s.name) for s in strays]})
    best: dict[tuple[str, str], _File] = {}
    depth = students_at([f.name for f in files], known)
    for file in sorted(files, key=lambda f: (f.name.name in {f"{n}.ipynb" for n in known}, f.time, str(f.name))):
        try:
            file.found.read()
            student, assignment = identify(file.name, known, file.found.read, depth)
        except UNREADABLE as error:
            strays.append(Stray(str(file.name), str(error)))
            continue
        if older := best.get((student.casefold(), assignment)):
            why = "is newer" if older.time < file.time else "has the name that was asked for"
            strays.append(Stray(str(older.name), f"{file.name} of the same student was graded: it {why}"))
        best[student.casefold(), assignment] = replace(file, found=replace(file.found, student=student, assignment=assignment))
    found = [f.found for f in best.values()]
    return sorted(found, key=lambda s: (s.assignment, s.student)), strays


def without_notebook(others: list[PurePosixPath], notebooks: set[PurePosixPath]) -> list[Stray]:
    """Folders in which something was handed in, but no notebook in them, above or below; and single files at the top."""
    top = PurePosixPath()
    held = {folder for n in notebooks for folder in n.parents} - {top}
    empty: dict[PurePosixPath, list[str]] = {}
    for other in others:
        if other.parent != top and not held & {other.parent, *other.parent.parents}:
            empty.setdefault(other.parent, []).append(other.name)
    found = [Stray(str(f), f"the folder holds no notebook, but {', '.join(sorted(names)[:3])}") for f, names in empty.items()]
    return found + [Stray(str(o), "it is no notebook") for o in others if o.parent == top]


def _in_folder(source: Path, strays: list[Stray], others: list[PurePosixPath]) -> Iterator[_File]:
    for folder, folders, names in os.walk(source):
        here = Path(folder)
        for name in sorted(folders):
            if (here / name).is_symlink():
                strays.append(Stray(_shown(here / name, source), "it is a link; links are not followed"))
        folders[:] = sorted(f for f in folders if not f.startswith(".") and not (here / f).is_symlink())
        notebooks = [n for n in sorted(names) if n.endswith(".ipynb") and not n.startswith(".")]
        others += [PurePosixPath(*(here / n).relative_to(source).parts) for n in names if n not in notebooks and n[0] != "."]
        for name in notebooks:
            place = here / name
            state = place.lstat()
            if not stat.S_ISREG(state.st_mode):
                strays.append(Stray(_shown(place, source), "it is a link or no file; links are not followed"))
            elif state.st_size > LARGEST:
                strays.append(Stray(_shown(place, source), f"it is larger than {LARGEST >> 20} MiB: outputs to be cleared"))
            else:
                relative = PurePosixPath(*place.relative_to(source).parts)
                yield _File(relative, state.st_mtime, Submission("", "", place))


def _shown(place: Path, source: Path) -> str:
    return place.relative_to(source).as_posix()


def _in_zip(source: Path, strays: list[Stray], others: list[PurePosixPath]) -> Iterator[_File]:
    with zipfile.ZipFile(source) as archive:
        members = archive.infolist()
    if len(members) > MOST:
        raise ValueError(f"a zip of submissions must have at most {MOST} entries, {source} has {len(members)}")
    for member in members:
        name = PurePosixPath(member.filename.replace("\\", "/"))
        hidden = any(part.startswith((".", "__MACOSX")) and part != ".." for part in name.parts)
        if member.is_dir() or hidden:
            continue
        why = ""
        if name.is_absolute() or ".." in name.parts or re.match(r"[A-Za-z]:", str(name)):
            why = "its name points out of the zip"
        elif stat.S_ISLNK(member.external_attr >> 16):
            why = "it is a link; links are not followed"
        elif name.suffix == ".zip":
            why = "a zip in the zip is not opened"
        elif name.suffix == ".ipynb" and member.flag_bits & 1:
            why = "it is encrypted"
        elif name.suffix == ".ipynb" and member.file_size > LARGEST:
            why = f"it is larger than {LARGEST >> 20} MiB: outputs to be cleared"
        elif name.suffix == ".ipynb":
            try:
                time = datetime(*member.date_time).timestamp()
            except (ValueError, OverflowError, OSError):  # a zip can hold the 0th month
                time = 0.0
            yield _File(name, time, Submission("", "", source, member.filename))
        else:
            others.append(name)
        if why:
            strays.append(Stray(str(name), why))
