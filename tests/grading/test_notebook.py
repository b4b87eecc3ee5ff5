"""A submitted notebook as steps: what is run, where a question is judged, and what is told of it."""

import json
from dataclasses import replace

import pytest

from genedu.grading.course import Asked, Assignment
from genedu.grading.notebook import CELLS, LARGEST, Cell, cells, defines, left_blank, plan, tree

HELD = {"imports": "import torch", "one-check": 'check("09.1", one)', "two-check": 'check("09.2", two)'}
ASKED = {"one-check": Asked("one-check", "09.1", "one", 4.0), "two-check": Asked("two-check", "09.2", "two", 6.0)}
EXERCISE = Assignment("09_test", HELD, ASKED, {}, {}, (), "1")


def code(source, id=None, **more):
    metadata = {} if id is None else {"nbgrader": {"grade_id": id}}
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": [], **more}


def notebook(*found, **more):
    return json.dumps({"cells": list(found), "nbformat": 4, "nbformat_minor": 5, "metadata": {}, **more}).encode()


HONEST = (
    code("import torch", "imports"),
    code("def one(): return 1", "one"),
    code('check("09.1", one)', "one-check"),
    code("x = 3"),
    code("def two(): return 2", "two"),
    code('check("09.2", two)', "two-check"),
)


def steps(*found):
    laid = plan(EXERCISE, cells(notebook(*found)))
    return [(s.asked.question if s.asked else s.cell.source) for s in laid.steps], laid


def test_an_honest_notebook_runs_from_top_to_bottom_and_is_judged_where_its_checks_stand():
    order, laid = steps(*HONEST)
    assert order == ["import torch", "def one(): return 1", "09.1", "x = 3", "def two(): return 2", "09.2"]
    assert laid.notes == laid.attention == []
    assert [s.cell.number for s in laid.steps] == [1, 2, 3, 4, 5, 6]


def test_locked_cells_run_as_they_were_handed_out():
    changed = [code("import os", "imports"), *HONEST[1:2], code("print('10 of 10')", "one-check"), *HONEST[3:]]
    order, laid = steps(*changed)
    assert order[0] == "import torch" and order[2] == "09.1"
    assert laid.steps[2].cell.source == HELD["one-check"]
    [words] = laid.attention
    assert "locked cells differ" in words and words.endswith("no point is lost: 'imports', 'one-check'")
    assert laid.notes == laid.attention
    _, spaced = steps(code("import torch\n\n", "imports"), *HONEST[1:])
    assert not spaced.attention


def test_missing_cells_are_made_up_for():
    order, laid = steps(*HONEST[1:2], *HONEST[3:])
    assert order == ["import torch", "def one(): return 1", "x = 3", "def two(): return 2", "09.2", "09.1"]
    assert laid.attention == [
        "the locked cell 'imports' is missing; it is run first",
        "the cell that checks 09.1 is missing; it is judged at the end",
    ]


def test_of_cells_with_one_id_the_last_counts_as_nbgrader_does_it():
    order, _ = steps(HONEST[2], *HONEST)
    assert order == ['check("09.1", one)', "import torch", "def one(): return 1", "09.1", "x = 3", "def two(): return 2", "09.2"]


def test_a_name_that_is_defined_again_below_its_check_is_told():
    _, laid = steps(*HONEST, code("one = two"))
    assert laid.notes == ["one is defined again below its check: what stands above the check counts"]
    assert laid.attention == ["one is defined again below its check"]
    _, next_to_it = steps(*HONEST[:3], code("one = two"), *HONEST[3:])
    assert next_to_it.notes == laid.notes
    _, above = steps(HONEST[0], code("def one(): return 0"), *HONEST[1:])
    assert not above.notes


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("def one(x):", True),
        ("class one:", True),
        ("async def one():", True),
        ("one = 3", True),
        ("x = 1\none= f", True),
        ("one == 3", False),
        ("  one = 3", False),
        ("def ones():", False),
        ("# def one", False),
        ("print(one)", False),
    ],
)
def test_definitions_are_told_by_lines(text, known):
    assert defines(text, "one") is known


def test_answers_are_the_same_where_students_wrote_the_same():
    hash = steps(*HONEST)[1].answers
    assert steps(code("# other", "imports"), *HONEST[1:])[1].answers == hash  # what is handed out does not count
    assert steps(*HONEST[:1], code(" def one(): return 1\n", "one"), *HONEST[2:])[1].answers == hash
    assert steps(*HONEST[:1], code("def one(): return 7", "one"), *HONEST[2:])[1].answers != hash


STRANGE = {
    "ids of other types": code("x = 1", 3),
    "no metadata": {"cell_type": "code", "source": "x = 1"},
    "metadata that is a list": code("x = 1") | {"metadata": [1]},
    "marks that are a number": code("x = 1") | {"metadata": {"nbgrader": 5}},
    "source as lines": code(["x ", "= 1"]),
    "source as lines with a number": code(["x = 1", 7]),
}


@pytest.mark.parametrize("name", STRANGE)
def test_strange_cells_are_cells_without_id(name):
    [cell] = cells(notebook(STRANGE[name]))
    assert cell == Cell(1, "", "x = 1")


def test_strange_sources_are_empty():
    assert [c.source for c in cells(notebook(code(5), code(None), code({"a": 1})))] == ["", "", ""]


def test_only_code_counts():
    markdown = {"cell_type": "markdown", "source": "a", "metadata": {"nbgrader": {"grade_id": "one-check"}}}
    found = notebook(markdown, code("x"), {"cell_type": "video"}, 5, "a")
    assert cells(found) == [Cell(1, "", "x")]
    assert [c["cell_type"] for c in tree(found)] == ["markdown", "code"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "is no notebook"),
        (b"\xff\xfe", "is no notebook"),
        (b"[" * 200_000, "is no notebook"),
        (b"[]", "format 4"),
        (b'{"worksheets": []}', "format 4"),
        (b'{"cells": {"a": 1}}', "format 4"),
        (b" " * (LARGEST + 1), "larger than 20 MiB"),
        (notebook(*[code("")] * (CELLS + 1)), "more than 1000 cells"),
        (b'{"cells": [' + b"{}," * 999_999 + b"{}]}", "more than 1000000 brackets"),
    ],
    ids=["empty", "no text", "nested", "a list", "format 3", "cells in a dictionary", "large", "many cells", "many brackets"],
)
def test_what_is_no_notebook_is_refused(text, words):
    with pytest.raises(ValueError, match=words):
        cells(text)


def test_cells_for_a_person_are_blank_as_handed_out_or_empty_or_missing():
    exercise = replace(EXERCISE, by_hand={"why": 2.0, "how": 1.0}, blank={"why": "Your words here.", "how": ""})
    text = [{"cell_type": "markdown", "source": words, "metadata": {"nbgrader": {"grade_id": id}}} for id, words in
            (("why", "Your words here.\n"), ("how", "By chance."))]  # fmt: skip
    assert left_blank(exercise, tree(notebook(*text))) == ["why"]
    assert left_blank(exercise, tree(notebook(text[1]))) == ["why"]
    assert left_blank(exercise, []) == ["why", "how"]
