"""Who handed in what, told by the names of folders and files, of which a student chooses some."""

import hashlib
import re
import unicodedata
from collections.abc import Callable
from pathlib import PurePosixPath

from genedu.grading.course import Assignment
from genedu.grading.notebook import cells

MOODLE = re.compile(r"_assignsubmission_file_?$")  # "Jane Doe_1234_assignsubmission_file_"
CANVAS = re.compile(r"^(.+?)_(?:LATE_)?(\d+)_\d+(?:_.*)?$", re.I)  # "doejane_LATE_1234_5678_x": name, student, upload


def identify(name: PurePosixPath, known: dict[str, Assignment], read: Callable[[], bytes], depth: int = 0) -> tuple[str, str]:
    """Who handed in which exercise: a folder at `depth` tells who, else the file's name; names below it are the student's own.

    Raises:
        ValueError: the notebook belongs to no exercise.
    """
    folders, stem = name.parts[:-1], name.stem
    named = [f for f in folders if f in known] or [a for a in known if a in stem]
    if not named:
        ids = {cell.id for cell in cells(read())} - {""}
        shared = {n: len(ids & set(a.asked)) for n, a in known.items()}
        named = [n for n in sorted(shared, key=lambda n: -shared[n]) if shared[n]]
    if not named:
        raise ValueError("it belongs to no exercise of the course: neither its name nor its cells tell one")
    if len(folders) > depth >= 0 and folders[depth] not in known:
        return person(folders[depth]), named[0]
    before, _, after = stem.partition(named[0]) if named[0] in stem else (stem, "", "")
    who = before.strip(" _-.") or after.strip(" _-.()0123456789")
    if not who:
        raise ValueError("no name says who handed it in: give the folder above, or name the file STUDENT_NN_name.ipynb")
    return person(who), named[0]


def students_at(names: list[PurePosixPath], known: dict[str, Assignment]) -> int:
    """The place in the paths where the student's folder stands; -1 where file names tell: all of them lie in one folder.

    Where paths are not equally deep, the least deep holds, and folders above it are the same for all: a student may nest
    folders at will.
    """
    deep = [n.parts[:-1] for n in names if len(n.parts) > 1]
    if not deep or (len(names) > 1 and len({n.parent for n in names}) == 1 and names[0].parent.name not in known):
        return -1
    places = [next((at - 1 for at, f in enumerate(parts) if f in known), len(parts) - 1) for parts in deep]
    place = min(places)
    while len(set(places)) > 1 and place > 0 and len({parts[:place] for parts in deep}) > 1:
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
