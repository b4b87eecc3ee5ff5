"""The copy of a submission that nbgrader's formgrader shows to a person: what the student wrote, and what the checks said.

Outputs of the student's are left out and HTML in texts is made harmless: a grader's browser shows it with the grader's rights.
"""

import json
import re
from pathlib import Path
from typing import Any

from genedu.grading.notebook import mark, source, tree
from genedu.grading.results import Result, Verdict


def said(verdict: Verdict) -> str:
    """What the check of a question says, as the notebook prints it."""
    lines = []
    for o in verdict.outcomes:
        lines.append(f"{'✓' if o.holds else '✗'} {o.what}")
        if not o.holds:
            lines.append(f"  hint: {o.hint}")
    return "\n".join([*lines, f"{verdict.question}: {verdict.points} of {verdict.of} points"])


def harmless(text: str) -> str:
    """Markdown without HTML, links and pictures: none of them is there to be clicked or fetched."""
    return re.sub(r"\](?=[(:\[])", "] ", text.replace("<", "&lt;"))


def copy(text: bytes, handed_out: Path, result: Result) -> str:
    """A notebook with the student's cells, in nbgrader's marks as they were handed out, and the words of the checks."""
    released = json.loads(handed_out.read_bytes())
    by_id = {mark(c): c for c in released["cells"]}
    by_cell = {v.question: said(v) for v in result.verdicts}
    try:
        found = tree(text)
    except ValueError:
        found = []
    kept, last = [], {mark(c): i for i, c in enumerate(found)}
    for i, cell in enumerate(found):
        origin = by_id.get(mark(cell)) if last[mark(cell)] == i else None
        marks = origin["metadata"]["nbgrader"] if origin and mark(cell) else None
        kind = origin["cell_type"] if marks and origin else cell["cell_type"]
        words = "".join(origin["source"]) if marks and origin and marks.get("locked") else source(cell)
        kept.append(_cell(f"s{i:04d}", kind, words if kind == "code" else harmless(words), marks, by_cell))
    for id in (id for id in by_id if id and id not in last):  # formgrader looks for each
        kept.append(
            _cell(
                f"m{len(kept):04d}",
                by_id[id]["cell_type"],
                "".join(by_id[id]["source"]),
                by_id[id]["metadata"]["nbgrader"],
                by_cell,
            )
        )
    return json.dumps({"cells": kept, "metadata": released["metadata"], "nbformat": 4, "nbformat_minor": 5}, indent=1)


def _cell(name: str, kind: str, words: str, marks: dict[str, Any] | None, by_question: dict[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {"nbgrader": marks} if marks else {}, "source": words}
    if kind == "code":
        found = [t for q, t in by_question.items() if marks and marks.get("grade") and f'check("{q}"' in words]
        outputs = [{"output_type": "stream", "name": "stdout", "text": t} for t in found]
        made |= {"execution_count": None, "outputs": outputs}
    return made
