"""What grading one submission gives, and where it is kept: one small file a submission, written in one move."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from genedu.checks import Outcome


@dataclass(frozen=True)
class Verdict:
    """One question: its outcomes and the points they earn."""

    question: str
    outcomes: list[Outcome]
    seconds: float = 0.0

    @property
    def points(self) -> int:
        return sum(o.points for o in self.outcomes if o.holds)

    @property
    def of(self) -> int:
        return sum(o.points for o in self.outcomes)

    @property
    def mistake(self) -> str:
        """The name of the first mistake, "" where none is recognised."""
        return next((o.mistake for o in self.outcomes if not o.holds), "")

    @property
    def hint(self) -> str:
        return next((o.hint for o in self.outcomes if not o.holds), "")


@dataclass(frozen=True)
class Result:
    """One graded submission."""

    student: str
    assignment: str
    fingerprint: str = ""  # of all that it depends on: notebook, check, seeds
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what happened, told to the student
    attention: list[str] = field(default_factory=list)  # why a person should look
    blank: list[str] = field(default_factory=list)  # cells for a person to grade in which nothing was written
    texts: dict[str, str] = field(default_factory=dict)  # hashes of what stands in the cells for a person to grade
    gap: str = ""  # what the sandbox did not protect
    clock: bool = False  # it was stopped by the clock, which other work on the machine may have slowed
    answers: str = ""  # a hash of what the student wrote
    handed_in: str = ""  # when, where nbgrader's timestamp.txt says it
    graded: str = ""  # when, UTC
    seconds: float = 0.0

    @property
    def points(self) -> int:
        return sum(v.points for v in self.verdicts)


def place(folder: Path, student: str, assignment: str) -> Path:
    return folder / student / f"{assignment}.json"


def store(folder: Path, result: Result) -> None:
    """Keep a result, in the place of an older one."""
    write(place(folder, result.student, result.assignment), json.dumps(asdict(result), indent=1, ensure_ascii=True))


def stored(folder: Path, student: str, assignment: str) -> Result | None:
    """The result that is kept, None if there is none that can be read."""
    try:
        found = json.loads(place(folder, student, assignment).read_text(encoding="utf-8"))
        verdicts = [Verdict(v["question"], [Outcome(**o) for o in v["outcomes"]], v["seconds"]) for v in found.pop("verdicts")]
        return Result(verdicts=verdicts, **found)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write(target: Path, text: str) -> None:
    """A file that is there entirely or as it was before, whenever the run is stopped."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, target)
