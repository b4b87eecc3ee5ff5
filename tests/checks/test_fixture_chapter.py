"""All that a handle can do, tried on right and wrong answers of a chapter that stands outside the package."""

import pytest
import torch

from genedu import checks
from genedu.checks import check, outcomes, points
from genedu.handle import LocalHandle
from tests.checks import fixture_chapter
from tests.checks.fixture_chapter import ANSWERS
from tests.exercises.common import Traveller

WRONG = [pytest.param(q, w, id=f"{q} {w}") for q in ANSWERS for w in ANSWERS[q][2]]


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setitem(checks.CHAPTERS, "fx", fixture_chapter.__name__)


def student(question, code):
    space = {"torch": torch}
    exec(code, space)
    return space[ANSWERS[question][0]]


def test_the_chapter_is_found_by_its_number():
    assert "fx" in checks.chapters()
    assert list(checks.questions("fx")) == list(ANSWERS) == ["fx.1", "fx.2", "fx.3", "fx.4"]


@pytest.mark.parametrize("question", ANSWERS)
def test_the_right_answer_passes_whatever_the_seed(question, capsys):
    answer = student(question, ANSWERS[question][1])
    for seed in range(20):
        found = outcomes(question, Traveller(LocalHandle(answer, seed=seed)))
        assert all(o.holds for o in found), (seed, found)
        assert points(question, answer, seed=seed) == sum(o.points for o in found)
    check(question, answer)
    assert "✗" not in capsys.readouterr().out


@pytest.mark.parametrize(("question", "wrong"), WRONG)
def test_a_wrong_answer_is_named(question, wrong, capsys):
    code, mistake = ANSWERS[question][2][wrong]
    for seed in range(4):
        found = outcomes(question, Traveller(LocalHandle(student(question, code), seed=seed)))
        assert next(o.mistake for o in found if not o.holds) == mistake, (seed, found)
    answer = student(question, code)
    assert points(question, answer) < sum(o.points for o in found)
    check(question, answer)
    assert "✗" in capsys.readouterr().out


@pytest.mark.parametrize("question", ANSWERS)
def test_each_question_has_two_wrong_answers_with_names_of_their_own(question):
    names = [mistake for _, mistake in ANSWERS[question][2].values()]
    assert len(set(names)) == len(names) >= 2
