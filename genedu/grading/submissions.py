"""Find the notebooks that students handed in: in nbgrader's folders, in a flat folder, or in a zip of a learning platform.

Nothing is unpacked, no link is followed. What is not graded is listed with its reason, not passed over.
"""

import hashlib
import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from genedu.grading.course import Assignment
from genedu.grading.notebook import LARGEST, cells

MOST = 20_000  # entries of a zip
MOODLE = re.compile(r"_assignsubmission_file_?$")  # "Jane Doe_1234_assignsubmission_file_"
CANVAS = re.compile(r"^(.+?)_(?:LATE_)?(\d+)_\d+$", re.I)  # "doejane_LATE_1234_5678": name, student, upload


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
        with os.fdopen(os.open(self.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
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
    for file in sorted(files, key=lambda f: (f.name.name in {f"{n}.ipynb" for n in known}, f.time, str(f.name))):
        try:
            file.found.read()
            student, assignment = identify(file.name, known, file.found)
        except (ValueError, OSError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
            strays.append(Stray(str(file.name), str(error)))
            continue
        if older := best.get((student, assignment)):
            strays.append(Stray(str(older.name), f"{file.name} of the same student was graded: it is newer, or better named"))
        best[student, assignment] = file
    found = [Submission(s, a, f.found.path, f.found.inside) for (s, a), f in best.items()]
    return sorted(found, key=lambda s: (s.assignment, s.student)), strays


def identify(name: PurePosixPath, known: dict[str, Assignment], file: Submission) -> tuple[str, str]:
    """Who handed in which exercise, told by the path; by the cells' ids, where no name of an exercise stands in it.

    Raises:
        ValueError: the notebook belongs to no exercise.
    """
    folders, stem = list(name.parts[:-1]), name.stem
    for at, folder in enumerate(folders):
        if folder in known:  # STUDENT/NN_name/..., or NN_name/STUDENT.ipynb
            return person(folders[at - 1] if at else _without(stem, folder) or stem), folder
    for assignment in known:
        if assignment in stem:
            return person(_without(stem, assignment) or (folders[-1] if folders else "")), assignment
    ids = {cell.id for cell in cells(file.read())} - {""}
    shared = {n: len(ids & set(a.asked)) for n, a in known.items()}
    assignment = max(shared, key=lambda n: shared[n])
    if not shared[assignment]:
        raise ValueError("it belongs to no exercise of the course: neither its name nor its cells tell one")
    return person(folders[-1] if folders else stem), assignment


def _without(stem: str, assignment: str) -> str:
    """What a platform puts before the file's own name."""
    return stem[: stem.index(assignment)].strip(" _-.") if assignment in stem else ""


def person(raw: str) -> str:
    """A student's name as files and pages can carry it. Other names that become the same are told apart by a hash."""
    plain = MOODLE.sub("", unicodedata.normalize("NFC", raw))
    if canvas := CANVAS.match(plain):
        plain = f"{canvas[1]}_{canvas[2]}"
    safe = re.sub(r"[^\w.@+ -]", "_", plain).strip(". ")[:80]
    if safe != plain or not safe:
        safe = f"{safe or 'unnamed'}-{hashlib.sha256(raw.encode('utf-8', 'replace')).hexdigest()[:6]}"
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
            time = datetime(max(member.date_time[0], 1980), *member.date_time[1:3]).timestamp()
            yield _File(name, time, Submission("", "", source, member.filename))
        if why:
            strays.append(Stray(str(name), why))
