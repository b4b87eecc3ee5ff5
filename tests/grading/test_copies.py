"""What formgrader shows a person: the student's words and the checks' words, and nothing that a browser would run or fetch."""

import json
from html.parser import HTMLParser

import nbformat
import pytest
from nbconvert import HTMLExporter

from genedu.checks import Outcome
from genedu.grading.copies import copy, harmless, said
from genedu.grading.results import Result, Verdict
from genedu.grading.tables import text, totals_table
from tests.exercises.common import ROOT
from tests.exercises.students import hand_in, released, solved

NAME = "02_density_and_mixtures"
EXERCISE = ROOT / "exercises" / NAME / f"{NAME}.ipynb"
VERDICT = Verdict("02.2", [Outcome("the means", 1, True), Outcome("the weights", 2, False, "count them", "counts")])
RESULT = Result("alice", NAME, verdicts=[VERDICT])

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x][1]\n\n[1]: javascript:alert(1)",
    "[x]\n\n[x]: data:text/html,abc",
    "![x](http://example.org/pixel.png)",
    "[![x](http://example.org/pixel.png)](javascript:alert(1))",
    "<a href='javascript:alert(1)'>x</a>",
    "<javascript:alert(1)>",
    "<http://example.org>",
    "$<script>alert(1)</script>$",
    "```html\n<script>alert(1)</script>\n```",
]


def shown(notebook):
    """The page that nbconvert makes, without its own scripts and styles."""
    page, _ = HTMLExporter(template_name="basic", sanitize_html=False).from_notebook_node(notebook)
    return page


class Elements(HTMLParser):
    """The elements of a page, and where they lead."""

    def __init__(self, page):
        super().__init__()
        self.found, self.links, self.handlers = set(), [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.add(tag)
        self.links += [value for name, value in attributes if name in ("href", "src")]
        self.handlers += [name for name, _ in attributes if name.startswith("on")]


@pytest.mark.parametrize("words", HOSTILE)
@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_nothing_in_a_text_runs_or_is_fetched(words, kind):
    notebook = hand_in(released(NAME), solved(NAME))
    notebook.cells.append((nbformat.v4.new_markdown_cell if kind == "markdown" else nbformat.v4.new_raw_cell)(words))
    page = Elements(shown(nbformat.reads(copy(nbformat.writes(notebook).encode(), EXERCISE, RESULT), 4)))
    assert not page.found & {"script", "img", "iframe", "object", "embed", "form", "svg", "style", "link", "base", "meta"}
    assert not page.handlers
    assert all(link.startswith(("#", "http://", "https://")) or "/" in link.split(":")[0] for link in page.links), page.links


def test_mathematics_and_words_stay():
    words = "If $a < b$ then $x_1$ [t], so *yes*: `x[1]`.\n\n$$\\int_0^1 f(x)\\,dx$$"
    assert harmless(words).replace("&lt;", "<") == words


def test_the_copy_holds_the_students_cells_the_handed_out_marks_and_the_words_of_the_checks():
    notebook = hand_in(released(NAME), solved(NAME))
    at = next(i for i, c in enumerate(notebook.cells) if c.metadata.get("nbgrader", {}).get("grade_id") == "m-step-check")
    notebook.cells[at].source = "print('10 of 10')"
    notebook.cells[at].metadata.nbgrader.points = 1000
    notebook.cells[at].outputs = [nbformat.v4.new_output("display_data", {"text/html": "<script>alert(1)</script>"})]
    notebook.cells.insert(0, nbformat.v4.new_code_cell("mine = 1"))
    made = nbformat.reads(copy(nbformat.writes(notebook).encode(), EXERCISE, RESULT), 4)
    nbformat.validate(made)
    assert made.cells[0].source == "mine = 1"
    marks = {c.metadata.nbgrader.grade_id: c for c in made.cells if "nbgrader" in c.metadata}
    assert marks["m-step-check"].metadata.nbgrader.points == 3 and marks["m-step-check"].source == 'check("02.2", m_step)'
    assert [o.text for o in marks["m-step-check"].outputs] == [said(VERDICT)]
    assert said(VERDICT) == "✓ the means\n✗ the weights\n  hint: count them\n02.2: 1 of 3 points"
    assert "rows / len(x)" in marks["m-step"].source
    assert "script" not in json.dumps(made)


def test_cells_that_are_missing_are_there_for_formgrader():
    notebook = hand_in(released(NAME), solved(NAME))
    notebook.cells = [c for c in notebook.cells if "m-step" not in c.metadata.get("nbgrader", {}).get("grade_id", "")]
    made = nbformat.reads(copy(nbformat.writes(notebook).encode(), EXERCISE, RESULT), 4)
    have = [c.metadata.nbgrader.grade_id for c in made.cells if "nbgrader" in c.metadata]
    assert sorted(have) == sorted(c.metadata.nbgrader.grade_id for c in released(NAME).cells)


@pytest.mark.parametrize("bad", [b"", b"{}", b"[" * 10])
def test_what_is_no_notebook_has_a_copy_of_the_exercise(bad):
    made = nbformat.reads(copy(bad, EXERCISE, RESULT), 4)
    nbformat.validate(made)
    assert len(made.cells) == len(released(NAME).cells)


@pytest.mark.parametrize(
    ("words", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+a", "'+a"),
        ("-0.5", "-0.5"),
        ("-a", "'-a"),
        ("@a", "'@a"),
        ("a\nb\t=c", "a b =c"),
        ("1e-05", "1e-05"),
        ("", ""),
    ],
)
def test_no_cell_of_a_table_is_a_formula(words, cell):
    assert text(words) == cell


def test_tables_hold_any_name():
    assert totals_table([]) == "student\r\n"
