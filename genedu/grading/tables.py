"""The tables that leave the house: one row a question, and one row a student for a learning platform."""

import csv
import io
import re
from collections.abc import Iterable

from genedu.grading.course import Assignment
from genedu.grading.gradebook import Marks
from genedu.grading.results import Result

COLUMNS = ["student", "chapter", "question", "points", "of", "set_by_hand", "mistake", "hint", "time", "seconds"]


def number(points: float) -> str:
    return f"{points:g}"


def text(words: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    line = " ".join(words.split())
    return f"'{line}" if line[:1] in ("=", "+", "-", "@") and not re.fullmatch(r"-?[\d.e+-]+", line) else line


def table(rows: Iterable[Iterable[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([text(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8", "replace").decode()


def questions_table(entries: list[tuple[str, Result, Marks]], known: dict[str, Assignment]) -> str:
    """grades.csv: student, chapter, question, points that count, hint shown, when it was graded and how long it took."""
    rows: list[list[str]] = [COLUMNS]
    for shown, result, mark in entries:
        verdicts = {v.question: v for v in result.verdicts}
        exercise = known[result.assignment]
        for asked in exercise.asked.values():
            v = verdicts.get(asked.question)
            points = mark.points.get(asked.cell, v.points if v else 0)
            by_hand = "yes" if asked.cell in mark.by_hand else ""
            words = [v.mistake, v.hint] if v and v.points < v.of else ["", ""]
            start = [shown, result.assignment, asked.question, number(points), number(asked.points), by_hand]
            rows.append([*start, *words, result.graded, f"{v.seconds if v else 0:.2f}"])
        for cell, full in exercise.by_hand.items():
            points, done = mark.points.get(cell, 0.0), cell not in mark.open
            told = ["", "" if done else "still to be graded by a person"]
            rows.append(
                [
                    shown,
                    result.assignment,
                    cell,
                    number(points),
                    number(full),
                    "yes" if cell in mark.by_hand else "",
                    *told,
                    result.graded,
                    "",
                ]
            )
    return table(rows)


def totals_table(entries: list[tuple[str, Result, Marks]]) -> str:
    """totals.csv: a row a student, a column an exercise; what Moodle and Canvas take."""
    exercises = sorted({result.assignment for _, result, _ in entries})
    students: dict[str, dict[str, float]] = {}
    for shown, result, mark in entries:
        students.setdefault(shown, {})[result.assignment] = mark.total
    rows = [[s, *[number(p[e]) if e in p else "" for e in exercises]] for s, p in sorted(students.items())]
    return table([["student", *exercises], *rows])
