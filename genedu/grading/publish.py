"""Tables and pages of a class, under names or pseudonyms, each written in one move."""

import hmac
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from genedu.grading.course import Assignment
from genedu.grading.gradebook import Marks
from genedu.grading.pages import feedback
from genedu.grading.results import Result, write
from genedu.grading.submissions import Stray
from genedu.grading.summary import Entry, summary
from genedu.grading.tables import questions_table, table, totals_table


def pseudonym(secret: bytes, student: str) -> str:
    """The same at each run of a course, and nobody's without its secret."""
    return "student-" + hmac.new(secret, b"pseudonym " + student.encode(), "sha256").hexdigest()[:8]


def forget(page: Path) -> None:
    """Remove a page, and its folders if nothing else is in them."""
    page.unlink(missing_ok=True)
    with suppress(OSError):
        page.parent.rmdir()
        page.parent.parent.rmdir()


def publish(
    out: Path,
    results: list[Result],
    known: dict[str, Assignment],
    marked: dict[tuple[str, str], Marks],
    strays: list[Stray],
    secret: bytes,
    *,
    pseudonyms: bool,
) -> list[Entry]:
    """Write grades.csv, totals.csv, a feedback page a submission, and index.html for the class.

    Args:
        marked: the gradebook's word on each submission, by student and exercise.
        pseudonyms: students appear under names made from the secret; pseudonyms.csv tells whose they are.
    """
    rows, entries, students = [], [], {}
    for r in results:
        students[r.student] = pseudonym(secret, r.student)
        shown, other = (students[r.student], r.student)[:: 1 if pseudonyms else -1]
        mark = marked.get((r.student, r.assignment), Marks())
        page = Path("feedback") / shown / r.assignment / f"{r.assignment}.html"
        forget(out / "feedback" / other / r.assignment / f"{r.assignment}.html")  # of a run under the other name
        words = feedback(r, known[r.assignment], shown=shown, scores=mark.by_hand, comments=mark.comments)
        write(out / page, words)
        rows.append((shown, r, mark))
        if changed := [cell for cell in mark.open if cell in mark.by_hand]:
            why = f"points set by hand stand, what they were set for has changed: {', '.join(changed)}"
            r = replace(r, attention=[*r.attention, why])
        entries.append(Entry(shown, r, mark.total, page.as_posix(), mark.by_hand))
    write(out / "grades.csv", questions_table(rows, known))
    write(out / "totals.csv", totals_table(rows))
    if pseudonyms:
        write(out / "pseudonyms.csv", table([["student", "pseudonym"], *map(list, sorted(students.items()))]))
    gap = next((r.gap for r in results if r.gap), "")
    listed = [(s.name, s.why) for s in strays]
    if pseudonyms and strays:  # file names tell who
        listed = [(f"{len(strays)} files", "the terminal names them, and why they are not graded")]
    write(out / "index.html", summary(entries, known, listed, gap=gap))
    return entries
