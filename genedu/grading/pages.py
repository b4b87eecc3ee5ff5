"""The page that a student gets for an exercise, and what all pages are made of.

A page is one file without script or foreign resource, and says so to the browser. Names, hints, notes and comments are
written by others: they enter a page through `words` or `told` only.
"""

import html
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from genedu.checks import Outcome
from genedu.grading.course import Assignment
from genedu.grading.results import Result, Verdict

NAME, HINT, COMMENT = 60, 600, 10_000  # characters that are shown of a name, of a hint or note, of a comment
NOTES = 40  # notes on one page; a notebook has up to 1000 cells that may raise
# What UTF-8 or HTML forbids, what no font shows, and what turns the direction of the text that follows.
UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
# Colours of Okabe and Ito, as in genedu.plots.style; each stands beside a sign and a word.
CSS = """
:root { color-scheme: light dark; --ink: #1b1b1b; --soft: #565c63; --paper: #fff; --panel: #f4f6f8; --line: #cdd3d9;
  --good: #0072b2; --bad: #d55e00; --warn: #fdf3dc; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #ececec; --soft: #a9b0b8; --paper: #16191d; --panel: #20252b;
  --line: #444b54; --good: #56b4e9; --bad: #e69f00; --warn: #3a2f14; } }
* { box-sizing: border-box; print-color-adjust: exact; } p { margin: .4rem 0; } section, aside { margin: 1.25rem 0; }
body { margin: 0 auto; padding: 1.25rem 1rem 3rem; max-width: 60rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1, h2 { font-size: 1.6rem; line-height: 1.3; margin: 0; } h2 { font-size: 1.2rem; }
ul { margin: .4rem 0; padding-left: 1.2rem; } a { color: var(--good); } .soft, small, footer { color: var(--soft); }
.card { border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem; break-inside: avoid; }
.head { display: flex; flex-wrap: wrap; gap: .25rem 1rem; justify-content: space-between; align-items: baseline; }
.points { font-weight: 600; } .total { font-size: 1.4rem; font-weight: 600; margin-top: .75rem; }
.bar { display: block; height: .6rem; min-width: 5rem; border: 1px solid var(--good); border-radius: .3rem; overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--good); } .outcomes { list-style: none; padding: 0; }
.outcomes li { padding: .3rem 0 .3rem .7rem; border-left: .25rem solid var(--good); margin: .4rem 0; }
.outcomes .bad { border-color: var(--bad); } h3 { font-size: 1rem; margin: 1.5rem 0 .3rem; }
.comment { background: var(--panel); padding: .5rem .8rem; margin: .4rem 0; } .comment bdi { white-space: pre-line; }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } h2, h3 { break-after: avoid; } nav { display: none; } }
""".lstrip()


@dataclass(frozen=True)
class Score:
    """The points of one grade cell: `earned` is None for free text that nobody has graded yet."""

    cell: str
    title: str  # "02.1", or the name of a free-text cell
    of: float
    earned: float | None
    by_person: bool
    verdict: Verdict | None = None  # none for free text, and where nothing was judged


def scored(result: Result, assignment: Assignment, scores: Mapping[str, float]) -> list[Score]:
    """The points of each grade cell, in the exercise's order; those that a person set replace the automatic ones.

    Raises:
        ValueError: the result is of another exercise, or a score is of no grade cell of it, or no number.
    """
    if result.assignment != assignment.name:
        raise ValueError(f"the result must be one of {assignment.name!r}, it is one of {result.assignment!r}")
    for cell, value in scores.items():
        if cell not in assignment.asked and cell not in assignment.by_hand:
            known = [*assignment.asked, *assignment.by_hand]
            raise ValueError(f"scores must be of grade cells of {assignment.name}, {known}, got {cell!r}: leave it out")
        if not math.isfinite(value):
            raise ValueError(f"a score must be a finite number, that of {cell!r} is {value}")
    verdicts = {v.question: v for v in result.verdicts}
    found = []
    for cell, asked in assignment.asked.items():
        verdict = verdicts.get(asked.question)
        earned = scores.get(cell, verdict.points if verdict else 0)
        found.append(Score(cell, asked.question, asked.points, earned, cell in scores, verdict))
    for cell, of in assignment.by_hand.items():
        found.append(Score(cell, cell, of, scores.get(cell, 0 if cell in result.blank else None), cell in scores))
    return found


def feedback(
    result: Result,
    assignment: Assignment,
    *,
    shown: str,
    scores: Mapping[str, float] | None = None,
    comments: Mapping[str, str] | None = None,
) -> str:
    """The page of a student for an exercise. `scores` are points that a person set, by grade cell, `comments` are by cell.

    Raises:
        ValueError: as `scored`.
    """
    parts = scored(result, assignment, scores or {})
    remarks = {cell: text for cell, text in (comments or {}).items() if text.strip()}
    earned, of = sum(p.earned or 0 for p in parts), sum(p.of for p in parts)
    still = sum(p.of for p in parts if p.earned is None)
    body = [f"<h1>{words(title(assignment.name))}</h1>", f"<p>Feedback for {told(shown, NAME)}</p>"]
    body.append(f'<p class="total">{out_of(earned, of)}{" so far" if still else ""}</p>{bar(earned, of)}')
    if still:
        body.append(f"<p>{counted(still, 'point')} not yet graded: a person reads these answers.</p>")
    if result.notes:
        more = len(result.notes) - NOTES
        notes = [told(n, HINT) for n in result.notes[:NOTES]] + ([f"and {more} more like these"] if more > 0 else [])
        body.append(f'<section class="card"><h2>What happened when your notebook was run</h2>{listed(notes)}</section>')
    for part in parts:
        name = assignment.asked[part.cell].name if part.cell in assignment.asked else ""
        cells = (part.cell, part.cell.removesuffix("-check"))  # nbgrader keeps a comment with the answer's cell, "m-step"
        body.append(_question(part, name, [remarks.pop(c) for c in cells if c in remarks]))
    if remarks:
        rest = [f'<div class="comment">{words(cell)}: {told(text, COMMENT)}</div>' for cell, text in remarks.items()]
        body.append(f"<section><h2>Comments by your instructor</h2>{''.join(rest)}</section>")
    if result.graded:
        body.append(f"<footer>Graded {moment(result.graded)}</footer>")
    return page(f"{title(assignment.name)}: {shown}", body)


def _question(part: Score, name: str, comments: list[str]) -> str:
    head = f"Question {words(part.title)}: <code>{words(name)}</code>" if name else f"Free text: {words(part.title)}"
    points = f"not yet graded, {counted(part.of, 'point')}" if part.earned is None else out_of(part.earned, part.of)
    by = ", set by your instructor" if part.by_person else ""
    made = [f'<div class="head"><h2>{head}</h2><span class="points">{points}{by}</span></div>']
    if part.verdict:
        lines = [_outcome(o, counts=not part.by_person) for o in part.verdict.outcomes]
        made.append(f'<ul class="outcomes">{"".join(lines)}</ul>')
    elif not part.by_person and part.earned is not None:
        made.append(f"<p>{'It was not judged.' if name else 'Nothing was written here.'}</p>")
    made += [f'<div class="comment">Comment by your instructor: {told(c, COMMENT)}</div>' for c in comments]
    return f'<section class="card">{"".join(made)}</section>'


def _outcome(o: Outcome, *, counts: bool) -> str:
    points = f' <span class="soft">({out_of(o.points if o.holds else 0, o.points)})</span>' if counts else ""
    hint = f"<br>Hint: {told(o.hint, HINT)}" if o.hint and not o.holds else ""
    kind, sign = ("good", "✓ holds") if o.holds else ("bad", "✗ fails")
    return f'<li class="{kind}"><b>{sign}</b>: {words(o.what)}{points}{hint}</li>'


# what pages are made of ---------------------------------------------------------------------------------------------


def words(text: str, most: int = HINT) -> str:
    """A text that others wrote, for an element or an attribute; what cannot be seen becomes �."""
    text = text.replace("\r\n", "\n")
    return html.escape(UNSEEN.sub("�", text if len(text) <= most else text[:most] + "…"))


def told(text: str, most: int) -> str:
    """The same in an element of its own, so that right-to-left writing stays in there."""
    return f"<bdi>{words(text, most) if text.strip() else '(empty)'}</bdi>"


def title(assignment: str) -> str:
    """ "02_density_and_mixtures" as a person writes it."""
    return assignment.replace("_", " ")


def number(value: float) -> str:
    """At most two decimals, none where they are 0."""
    return f"{round(value, 2) + 0.0:.12g}"  # + 0.0: no "-0"


def counted(value: float, noun: str) -> str:
    return f"{number(value)} {noun}{'' if value == 1 else 's'}"


def out_of(earned: float, of: float) -> str:
    return f"{number(earned)} of {counted(of, 'point')}"


def moment(utc: str) -> str:
    return words(utc.replace("T", " ").removesuffix("+00:00") + " UTC", NAME)


def bar(part: float, of: float) -> str:
    """A bar; the figure stands beside it in words."""
    share = min(max(part / of, 0.0), 1.0) if of > 0 else 0.0
    return f'<span class="bar" aria-hidden="true"><i style="width: {100 * share:.1f}%"></i></span>'


def listed(items: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{i}</li>' for i in items)}</ul>"


def page(heading: str, body: list[str], style: str = "") -> str:
    """A whole page: `heading` is text, `body` is HTML, `style` is further CSS."""
    lines = "\n".join(body)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{words(heading, 2 * NAME)}</title>
<style>{CSS}{style}</style>
</head><body><main>
{lines}
</main></body></html>
"""
