"""nbgrader's gradebook: filled at once or not at all, and what a person set stays."""

import sqlite3
from dataclasses import replace

import pytest
from nbgrader.api import Gradebook

from genedu.checks import Outcome
from genedu.grading import gradebook
from genedu.grading.course import assignments
from genedu.grading.gradebook import COURSE, fill, marks, register
from genedu.grading.results import Result, Verdict
from tests.exercises.common import ROOT

NAME = "02_density_and_mixtures"
KNOWN = assignments(ROOT)
CELLS = ["responsibilities-check", "m-step-check", "likelihood-check", "collapsed-check"]


def result(student, *points, **more):
    """Points of the four questions, of 2, 3, 2 and 3."""
    verdicts = [
        Verdict(q, [Outcome("a", p, True), Outcome("b", full - p, False)])
        for q, p, full in zip(("02.1", "02.2", "02.3", "02.4"), points, (2, 3, 2, 3), strict=True)
    ]
    return Result(student, NAME, "f", verdicts, graded="2026-01-02T03:04:05+00:00", **more)


@pytest.fixture(scope="module")
def registered(tmp_path_factory):
    file = tmp_path_factory.mktemp("grades") / "gradebook.db"
    register(file, ROOT, KNOWN[NAME])
    return file.read_bytes()


@pytest.fixture
def book(registered, tmp_path):
    file = tmp_path / "gradebook.db"
    file.write_bytes(registered)
    return file


def edit(file, student, cell, **values):
    with Gradebook(f"sqlite:///{file}", COURSE) as opened:
        grade = opened.find_grade(cell, NAME, NAME, student)
        for name, value in values.items():
            setattr(grade, name, value)
        opened.db.commit()
        opened.engine.dispose()


def test_an_exercise_is_entered_with_hidden_tests_and_points(book):
    """As nbgrader's own command enters it, so that its autograde works beside ours."""
    with Gradebook(f"sqlite:///{book}", COURSE) as opened:
        notebook = opened.find_notebook(NAME, NAME)
        assert {c.name: c.max_score for c in notebook.grade_cells} == dict(zip(CELLS, (2, 3, 2, 3), strict=True))
        sources = {c.name: c.source for c in notebook.source_cells}
        assert "points(" in sources["m-step-check"] and "raise NotImplementedError" in sources["m-step"]
        opened.engine.dispose()


def test_entering_it_again_changes_nothing(book):
    fill(book, [result("alice", 2, 3, 2, 3)], KNOWN)
    before = book.read_bytes()
    register(book, ROOT, KNOWN[NAME])
    assert book.read_bytes() == before


def test_points_are_entered_and_read(book):
    fill(book, [result("alice", 2, 3, 2, 3), result("bob", 1, 0, 2, 0)], KNOWN)
    found = marks(book)
    assert found["alice", NAME].total == 10
    assert found["bob", NAME].points == dict(zip(CELLS, (1, 0, 2, 0), strict=True))
    assert not found["bob", NAME].open and not found["bob", NAME].by_hand
    with Gradebook(f"sqlite:///{book}", COURSE) as opened:
        submission = opened.find_submission(NAME, "bob")
        assert (submission.score, submission.max_score, submission.needs_manual_grade) == (3, 10, False)
        assert [s.id for s in opened.students] == ["alice", "bob"]
        opened.engine.dispose()


def test_a_second_time_replaces_the_points_and_adds_no_row(book):
    fill(book, [result("alice", 0, 0, 0, 0)], KNOWN)
    fill(book, [result("alice", 2, 1, 0, 3)], KNOWN)
    assert list(marks(book)) == [("alice", NAME)]
    assert marks(book)["alice", NAME].points == dict(zip(CELLS, (2, 1, 0, 3), strict=True))


def test_points_and_words_of_a_person_stay(book):
    fill(book, [result("alice", 2, 0, 2, 0)], KNOWN)
    edit(book, "alice", "m-step-check", manual_score=1.5, needs_manual_grade=False)
    edit(book, "alice", "collapsed-check", extra_credit=0.5, needs_manual_grade=False)
    with Gradebook(f"sqlite:///{book}", COURSE) as opened:
        opened.find_comment("m-step", NAME, NAME, "alice").manual_comment = "Half of it is right."
        opened.db.commit()
        opened.engine.dispose()
    fill(book, [result("alice", 2, 0, 2, 0)], KNOWN)
    mark = marks(book)["alice", NAME]
    assert mark.by_hand == {"m-step-check": 1.5, "collapsed-check": 0.5} and mark.total == 6 and not mark.open
    assert mark.comments == {"m-step": "Half of it is right."}
    fill(book, [result("alice", 2, 3, 2, 0)], KNOWN)  # the automatic points are others now: worth another look
    mark = marks(book)["alice", NAME]
    assert mark.points["m-step-check"] == 1.5 and mark.open == ["m-step-check"]
    edit(book, "alice", "m-step-check", extra_credit=0.25)
    assert marks(book)["alice", NAME].by_hand == {"m-step-check": 1.75, "collapsed-check": 0.5}


def test_free_texts_wait_for_a_person(book):
    exercise = replace(
        KNOWN[NAME], by_hand={"collapsed-check": 3.0}, asked={k: v for k, v in KNOWN[NAME].asked.items() if k != CELLS[3]}
    )
    known = {NAME: exercise}
    fill(book, [result("alice", 2, 3, 2, 0), result("bob", 2, 3, 2, 0, blank=["collapsed-check"])], known)
    assert marks(book)["alice", NAME].open == ["collapsed-check"]
    assert marks(book)["bob", NAME].open == [] and marks(book)["bob", NAME].points["collapsed-check"] == 0
    edit(book, "alice", "collapsed-check", manual_score=2, needs_manual_grade=False)
    fill(book, [result("alice", 2, 3, 2, 0)], known)
    assert marks(book)["alice", NAME].total == 9 and not marks(book)["alice", NAME].open


def test_a_run_that_ends_while_it_fills_leaves_the_gradebook_as_it_was(book, monkeypatch):
    fill(book, [result("alice", 2, 3, 2, 3)], KNOWN)
    before = marks(book)
    enter, calls = gradebook._grades, []

    def ends(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return enter(*arguments)

    monkeypatch.setattr(gradebook, "_grades", ends)
    with pytest.raises(KeyboardInterrupt):
        fill(book, [result(s, 0, 0, 0, 0) for s in ("alice", "bob", "carol", "dave")], KNOWN)
    monkeypatch.undo()
    assert marks(book) == before
    fill(book, [result(s, 1, 1, 1, 1) for s in ("alice", "bob", "carol", "dave")], KNOWN)
    assert {m.total for m in marks(book).values()} == {4} and len(marks(book)) == 4


def test_a_gradebook_of_another_version_is_not_overwritten(book):
    fill(book, [result("alice", 2, 3, 2, 3)], KNOWN)
    exercise = KNOWN[NAME]
    other = replace(exercise, asked={k: replace(a, points=a.points + 1) for k, a in exercise.asked.items()})
    with pytest.raises(ValueError, match="has submissions of another version of 02_density"):
        register(book, ROOT, other)
    assert marks(book)["alice", NAME].total == 10


def test_a_gradebook_that_is_in_use_says_so(book):
    lock = sqlite3.connect(book, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(ValueError, match="close what has it open"):
            fill(book, [result("alice", 2, 3, 2, 3)], KNOWN)
    finally:
        lock.close()
