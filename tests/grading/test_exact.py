"""Each exercise, graded as in a class: right, empty, half-right and wrong answers get exactly their points, with their hints.

A chapter added later joins by itself: it is found by its solution, and its wrong answers by its test in tests/exercises.
"""

import nbformat
import pytest

from genedu.checks import outcomes
from genedu.grading.course import assignments
from genedu.grading.judging import Job, grade
from genedu.grading.remote import RemoteHandle, numbered, working
from genedu.handle import LocalHandle
from tests.exercises.common import ROOT, answer, run
from tests.exercises.students import NAMES, Answer, asked, hand_in, released, solved, students, wrong_answers


def graded(name, answers, sandbox, *, seed=7):
    exercise = assignments(ROOT)[name]
    text = nbformat.writes(hand_in(released(name), answers)).encode()
    return grade(Job("alice", exercise, text, dict.fromkeys(asked(name), seed), sandbox))


@pytest.mark.parametrize("who", ["right", "empty", "half"])
@pytest.mark.parametrize("name", NAMES)
def test_a_submission_gets_the_points_it_must_get(name, who, sandbox):
    answers = students(name)[who]
    result = graded(name, answers, sandbox)
    assert {v.question: v.points for v in result.verdicts} == {q: a.points for q, a in answers.items()}
    assert {v.question: v.of for v in result.verdicts} == {q: full for q, (_, full) in asked(name).items()}
    assert result.points == {"right": 10, "empty": 0}.get(who, result.points)
    assert not result.gap and not result.clock
    lost = [v for v in result.verdicts if v.points < v.of]
    if who == "empty":
        assert {v.mistake for v in result.verdicts} == {"not written"} and not result.attention
    if who == "half":
        assert lost[-1].mistake == "not defined" and all(v.hint for v in lost)
    if who == "right":
        assert not lost and not result.notes and not result.attention


@pytest.mark.parametrize("name", NAMES)
def test_one_wrong_answer_a_question_in_one_notebook(name, sandbox):
    """Each is named, and the others are judged as if it were not there."""
    first = {q: next(iter(cases.values())) for q, cases in wrong_answers(name).items()}
    right = solved(name)
    for q, case in first.items():
        function = right[q].function
        earned = sum(o.points for o in outcomes(q, LocalHandle(run(name, function, case.code), seed=7)) if o.holds)
        right[q] = Answer(function, answer(name, function, case.code), earned)
    result = graded(name, right, sandbox)
    assert {v.question: (v.points, v.mistake) for v in result.verdicts} == {q: (right[q].points, first[q].mistake) for q in first}


@pytest.mark.parametrize("name", NAMES)
def test_every_wrong_answer_by_name(name, sandbox):
    """In one worker, one after the other: the same outcomes as in the notebook, hint by hint."""
    exercise = assignments(ROOT)[name]
    with working(sandbox, exercise.hidden) as worker:
        for cell in released(name).cells:
            if cell.cell_type == "code":
                worker.ask({"do": "run", "source": cell.source, "cell": 1, "seed": 0})
        for question, cases in wrong_answers(name).items():
            function, full = asked(name)[question]
            for what, case in cases.items():
                worker.ask({"do": "run", "source": answer(name, function, case.code), "cell": 1, "seed": 0})
                number = numbered(worker.ask({"do": "bind", "name": function, "seed": 0}))
                there = outcomes(question, RemoteHandle(worker, number, seed=11))
                assert there == outcomes(question, LocalHandle(run(name, function, case.code), seed=11)), what
                assert sum(o.points for o in there if o.holds) < full, what
                assert next(o.mistake for o in there if not o.holds) == case.mistake, what
