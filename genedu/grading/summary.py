"""The page of a class: how each exercise went, what went wrong most often, and what a person must look at."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median
from urllib.parse import quote

from genedu.grading.course import Assignment
from genedu.grading.pages import HINT, NAME, Score, bar, counted, listed, moment, number, page, scored, title, told, words
from genedu.grading.results import Result

COLUMNS = 11  # at most, in the picture of the points
TWINS = 10  # names that are listed where many answers are identical
BY_HAND = "to be graded by hand"  # how the judge says it when it runs; whether it still holds, the scores tell
BROKEN = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # surrogates that stand for no byte of a file's name
STYLE = """.warning { background: var(--warn); border: 2px solid var(--bad); } .wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; overflow-wrap: normal; } td ul { margin: 0; } th code { white-space: nowrap; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { border-bottom-width: 2px; } th small { font-weight: normal; } .text { min-width: 10rem; overflow-wrap: anywhere; }
.n { text-align: right !important; font-variant-numeric: tabular-nums; white-space: nowrap; }
th[scope=row] { font-weight: normal; min-width: 7rem; max-width: 18rem; overflow-wrap: anywhere; }
.columns { display: flex; gap: .3rem; max-width: 40rem; text-align: center; break-inside: avoid; }
.columns div { flex: 1; min-width: 0; font-size: .85rem; overflow-wrap: normal; } .columns .rise { height: 8rem; display: flex;
  flex-direction: column; justify-content: flex-end; border-bottom: 2px solid var(--soft); }
.columns i { display: block; background: var(--good); } @media print { .wide { overflow: visible; } tr { break-inside: avoid; } }
"""


@dataclass(frozen=True)
class Entry:
    """One submission as the class's page shows it."""

    shown: str  # a name or a pseudonym
    result: Result
    points: float  # all that count, those that a person set included
    link: str  # the feedback page, relative to this page, with / between folders
    scores: Mapping[str, float] = field(default_factory=dict)  # those that a person set, by grade cell


@dataclass(frozen=True)
class _Row:
    entry: Entry
    parts: list[Score]
    why: list[str]  # HTML: why a person should look
    odd: bool  # for more than free text

    @property
    def link(self) -> str:
        target = quote(BROKEN.sub("�", self.entry.link), errors="surrogateescape")  # / stays, the colon of a scheme does not
        return f'<a href="./{target}">{told(self.entry.shown, NAME)}</a>'


@dataclass(frozen=True)
class _Column:
    name: str  # HTML
    of: float
    parts: list[Score]

    @property
    def share(self) -> float:
        """Of the points of those that are graded, infinite if none is: the last in the order."""
        earned = [p.earned for p in self.parts if p.earned is not None]
        return fmean(earned) / self.of if earned and self.of else math.inf


def summary(
    entries: Sequence[Entry], assignments: Mapping[str, Assignment], strays: Sequence[tuple[str, str]], *, gap: str
) -> str:
    """The page of a class. `strays` are files that were not graded, and why; `gap` is what the sandbox did not protect.

    Raises:
        ValueError: an entry is of no exercise, has a score of no grade cell, or no finite number of points.
    """
    for e in entries:
        if e.result.assignment not in assignments or not math.isfinite(e.points):
            came = (e.points, e.result.assignment)
            raise ValueError(f"an entry must have finite points for one of {list(assignments)}, got {came}")
    every = {name: _rows([e for e in entries if e.result.assignment == name], assignments[name]) for name in assignments}
    full = {name: rows for name, rows in every.items() if rows}
    body = ["<h1>The class</h1>"]
    if gaps := dict.fromkeys(g for g in (gap, *(e.result.gap for e in entries)) if g):  # of this run, and of kept results
        text = "".join(f"<p>{words(g, 3 * HINT)}</p>" for g in gaps)
        body.append(f'<aside class="card warning"><h2>⚠ Warning: not everything was protected</h2>{text}</aside>')
    lines = []
    for name, rows in full.items():  # those with free text to be graded and nothing else come last
        where = f"<br><small>{words(title(name))}</small>" if len(full) > 1 else ""
        lines += [[row.link + where, listed(row.why)] for row in sorted(rows, key=lambda row: not row.odd) if row.why]
    said = f"{counted(len(entries), 'submission')}; to be looked at by a person: {len(lines)}."
    body.append(f"<p>{said if entries else 'Nothing has been graded yet.'}</p>")
    if len(full) > 1:
        links = [f'<a href="#exercise-{i}">{words(title(name))}</a>' for i, name in enumerate(full)]
        body.append(f'<nav aria-label="Exercises">{listed(links)}</nav>')
    if lines:
        body.append(f"<section><h2>For a person’s eye</h2>{table('A person’s eye', ['Student', '=Why'], lines)}</section>")
    if strays:
        lines = [[told(name, 3 * NAME), told(why, HINT)] for name, why in strays]
        body.append(f"<section><h2>Files that were not graded</h2>{table('Files', ['File', '=Why'], lines)}</section>")
    body += [_exercise(i, assignments[name], rows) for i, (name, rows) in enumerate(full.items())]
    if empty := [words(title(name)) for name in every if name not in full]:
        body.append(f"<p>No submissions: {', '.join(empty)}.</p>")
    if times := [e.result.graded for e in entries if e.result.graded]:
        body.append(f"<footer>Last graded {moment(max(times))}</footer>")
    return page("The class", body, STYLE)


def _rows(entries: list[Entry], assignment: Assignment) -> list[_Row]:
    """The submissions for one exercise, by the names shown."""
    same: dict[str, list[Entry]] = defaultdict(list)
    for e in entries:
        if e.result.answers and e.points > 0:
            same[e.result.answers].append(e)
    rows = []
    for e in sorted(entries, key=lambda e: e.shown.casefold()):
        why = [told(a, HINT) for a in e.result.attention if not a.startswith(BY_HAND)]
        if e.result.clock:
            why.append("stopped by the clock, twice: the machine may have been slow; --seconds gives it more time")
        if twins := sorted(t.shown for t in same.get(e.result.answers, []) if t is not e and e.points > 0):
            more = f" and {len(twins) - TWINS} more" if len(twins) > TWINS else ""
            why.append(f"the same answers as {', '.join(told(t, NAME) for t in twins[:TWINS])}{more}")
        parts = scored(e.result, assignment, e.scores)
        waiting = [words(p.title) for p in parts if p.earned is None]
        rows.append(_Row(e, parts, why + [f"free text to be graded by hand: {w}" for w in waiting], bool(why)))
    return rows


def _exercise(at: int, assignment: Assignment, rows: list[_Row]) -> str:
    points, of = [row.entry.points for row in rows], assignment.points
    figures = f"mean {number(fmean(points))}, median {number(median(points))} of {counted(of, 'point')}"
    waiting = sum(any(p.earned is None for p in row.parts) for row in rows)
    still = f" In {waiting} of them free text is not yet graded and counts 0 so far." if waiting else ""
    made = [f'<section id="exercise-{at}"><h2>{words(title(assignment.name))}</h2>']
    made.append(f"<p>{counted(len(rows), 'submission')}: {figures}.{still}</p><h3>Students by points</h3>{histogram(points, of)}")
    columns = []
    for i, part in enumerate(rows[0].parts):
        name = f" <code>{words(assignment.asked[part.cell].name)}</code>" if part.cell in assignment.asked else ""
        columns.append(_Column(words(part.title) + name, part.of, [row.parts[i] for row in rows]))
    columns.sort(key=lambda c: c.share)
    return "\n".join([*made, _questions(columns), _mistakes(columns), _students(of, rows), "</section>"])


def histogram(points: Sequence[float], of: float) -> str:
    """Columns, one for each point (for a few points in a long exercise), with a text for who cannot see them."""
    last = max(int(of), 0)
    width = -(-(last + 1) // COLUMNS)
    starts = range(0, last + 1, width)
    counts = Counter(min(max(int(p // width), 0), len(starts) - 1) for p in points)  # what is above is in the last one
    names = [f"{s}–{end}" if s < (end := min(s + width - 1, last)) else f"{s}" for s in starts]
    label = "; ".join(f"{name} points: {counts[i]}" for i, name in enumerate(names))
    bars = [f'{counts[i]}<i style="height: {5.5 * counts[i] / max(counts.values()):.2f}rem"></i>' for i in range(len(names))]
    made = [f'<div><div class="rise">{b if counts[i] else ""}</div>{names[i]}</div>' for i, b in enumerate(bars)]
    return f'<div class="columns" role="img" aria-label="Students by points. {label}.">{"".join(made)}</div>'


def _questions(columns: list[_Column]) -> str:
    lines = []
    for c in columns:
        graded = sum(p.earned is not None for p in c.parts)
        some = f"<br><small>{graded} of {len(c.parts)} graded</small>" if graded < len(c.parts) else ""
        share, mean = f"{100 * c.share:.0f} % {bar(c.share, 1)}", f"{number(c.share * c.of)} of {number(c.of)}"
        lines.append([c.name + some, *((share, mean) if c.share < math.inf else ("–", "–"))])
    return f"<h3>Questions, the hardest first</h3>{table('Questions', ['Question', 'Points earned', '#Mean'], lines)}"


def _mistakes(columns: list[_Column]) -> str:
    """The wrong answers of each question by name: the first mistake of each student, and the hint most of them got."""
    lines = []
    for c in columns:
        wrong = [v for p in c.parts if (v := p.verdict) and not all(o.holds for o in v.outcomes)]
        for name, n in Counter(v.mistake for v in wrong).most_common():
            hint = Counter(v.hint for v in wrong if v.mistake == name).most_common(1)[0][0]
            said = f"<b>{told(name, NAME) if name else 'not recognised'}</b>" + f"<br>{told(hint, HINT)}" * bool(hint)
            lines.append([words(c.parts[0].title), f"{n}", said])
    shown = table("Wrong answers", ["Question", "#Students", "=Mistake and hint"], lines)
    return f"<h3>The most frequent wrong answers</h3>{shown}" if lines else ""


def _students(of: float, rows: list[_Row]) -> str:
    heads = ["Student", *(f"#{words(p.title)}<br><small>of {number(p.of)}</small>" for p in rows[0].parts)]
    lines = []
    for row in rows:
        figures = ["–" if p.earned is None else number(p.earned) + "*" * p.by_person for p in row.parts]
        lines.append([row.link, *figures, f"<b>{number(row.entry.points)}</b>"])
    shown = table("Students", [*heads, f"#Total<br><small>of {number(of)}</small>"], lines)
    return f"<h3>Students</h3>{shown}<p><small>* set by a person; – not yet graded</small></p>"


def table(label: str, heads: list[str], lines: list[list[str]]) -> str:
    """A table of HTML, in a frame that scrolls. A heading that starts with # is over figures, with = over long text."""
    kinds = [{"#": ' class="n"', "=": ' class="text"'}.get(h[0], "") for h in heads]
    top = "".join(f'<th scope="col"{kind}>{h.lstrip("#=")}</th>' for kind, h in zip(kinds, heads, strict=True))
    rows = []
    for first, *rest in lines:
        cells = "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds[1:], rest, strict=True))
        rows.append(f'<tr><th scope="row">{first}</th>{cells}</tr>\n')
    frame = f'<div class="wide" role="region" aria-label="{label}" tabindex="0"><table>'
    return f"{frame}\n<thead><tr>{top}</tr></thead>\n<tbody>\n{''.join(rows)}</tbody></table></div>"
