"""Find the notebooks that students handed in: in nbgrader's folders, in a flat folder, or in a zip of a learning platform.

Nothing is unpacked, no link is followed. What is not graded is listed with its reason, not passed over.
"""

import hashlib
import lzma
import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from genedu.grading.course import Assignment
from genedu.grading.notebook import LARGEST, cells

MOST = 20_000  # entries of a zip
MOODLE = re.compile(r"_assignsubmission_file_?$")  # "Jane Doe_1234_assignsubmission_file_"
CANVAS = re.compile(r"^(.+?)_(?:LATE_)?(\d+)_\d+(?:_.*)?$", re.I)  # "doejane_LATE_1234_5678_x": name, student, upload
UNREADABLE = (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError)


@dataclass(frozen=True)
class Submission:
    """One student's notebook for one exercise: `inside` a zip, or a file of its own."""

    student: str
    assignment: str
    path: Path
    inside: str = ""

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
    if source.is_dir():
        files = list(_in_folder(source, strays))
    elif zipfile.is_zipfile(source):
        files = list(_in_zip(source, strays))
    else:
        raise ValueError(f"submissions must be a folder or a zip, {source} is neither")
    best: dict[tuple[str, str], _File] = {}
    depth = students_at([f.name for f in files], known)
    for file in sorted(files, key=lambda f: (f.name.name in {f"{n}.ipynb" for n in known}, f.time, str(f.name))):
        try:
            file.found.read()
            student, assignment = identify(file.name, known, file.found, depth)
        except UNREADABLE as error:
            strays.append(Stray(str(file.name), str(error)))
            continue
        if older := best.get((student.casefold(), assignment)):
            strays.append(Stray(str(older.name), f"{file.name} of the same student was graded: it is newer, or better named"))
        best[student.casefold(), assignment] = replace(file, found=replace(file.found, student=student, assignment=assignment))
    found = [f.found for f in best.values()]
    return sorted(found, key=lambda s: (s.assignment, s.student)), strays


def identify(name: PurePosixPath, known: dict[str, Assignment], file: Submission, depth: int = 0) -> tuple[str, str]:
    """Who handed in which exercise: a folder at `depth` tells who, else the file's name; names below it are the student's own.

    Raises:
        ValueError: the notebook belongs to no exercise.
    """
    folders, stem = name.parts[:-1], name.stem
    named = [f for f in folders if f in known] or [a for a in known if a in stem]
    if not named:
        ids = {cell.id for cell in cells(file.read())} - {""}
        shared = {n: len(ids & set(a.asked)) for n, a in known.items()}
        named = [n for n in sorted(shared, key=lambda n: -shared[n]) if shared[n]]
    if not named:
        raise ValueError("it belongs to no exercise of the course: neither its name nor its cells tell one")
    if len(folders) > depth >= 0 and folders[depth] not in known:
        return person(folders[depth]), named[0]
    return person(stem[: stem.index(named[0])].strip(" _-.") if named[0] in stem else stem), named[0]


def students_at(names: list[PurePosixPath], known: dict[str, Assignment]) -> int:
    """The place in the paths where the student's folder stands; -1 where file names tell: all of them lie in one folder.

    Folders above it are the same for all. The least deep of the places holds, since a student may nest folders at will.
    """
    deep = [n.parts[:-1] for n in names if len(n.parts) > 1]
    if not deep or (len(names) > 1 and len({n.parent for n in names}) == 1 and names[0].parent.name not in known):
        return -1
    places = [next((at - 1 for at, f in enumerate(parts) if f in known), len(parts) - 1) for parts in deep]
    place = min(places)
    while place > 0 and len({parts[:place] for parts in deep}) > 1:
        place -= 1
    return place


def person(raw: str) -> str:
    """A student's name as files and pages can carry it. Other names that become the same are told apart by a hash."""
    plain = MOODLE.sub("", unicodedata.normalize("NFC", raw))
    if canvas := CANVAS.match(plain):
        plain = f"{canvas[1]}_{canvas[2]}"
    safe = re.sub(r"[^\w.@+ -]", "_", plain).strip(". ")[:80]
    if safe != plain or not safe:
        safe = f"{safe or 'unnamed'}-{hashlib.sha256(raw.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"
    return safe


def _in_folder(source: Path, strays: list[Stray]) -> Iterator[_File]:
    for folder, folders, names in os.walk(source):
        here = Path(folder)
        for name in sorted(folders):
            if (here / name).is_symlink():
                strays.append(Stray(_shown(here / name, source), "it is a link; links are not followed"))
        folders[:] = sorted(f for f in folders if not f.startswith(".") and not (here / f).is_symlink())
        notebooks = [n for n in sorted(names) if n.endswith(".ipynb") and not n.startswith(".")]
        if names and not notebooks and not folders:
            strays.append(Stray(_shown(here, source), "the folder holds no notebook"))
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


def _in_zip(source: Path, strays: list[Stray]) -> Iterator[_File]:
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
        if why:
            strays.append(Stray(str(name), why))
