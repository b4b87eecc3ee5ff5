"""The frame of all checks: outcomes, hints, what is close, how a question is found."""

import dataclasses

import pytest
import torch

from genedu import checks
from genedu.checks import Mistake, Outcome, check, close, diagnose, judge, outcomes, parts, points, tensor
from genedu.handle import CallFailed, LocalHandle

A = torch.tensor([1.0, 2.0])
TWICE, SUMMED = Mistake("twice", "a factor too much"), Mistake("summed", "not yet summed")


# laws ---------------------------------------------------------------------------------------------------------------


def test_a_judged_test_becomes_an_outcome():
    assert judge("it holds", 2, lambda: None) == Outcome("it holds", 2, True, "", "")
    assert judge("it holds", 2, lambda: TWICE) == Outcome("it holds", 2, False, "a factor too much", "twice")
    with pytest.raises(dataclasses.FrozenInstanceError):
        judge("it holds", 2, lambda: None).holds = False  # type: ignore[misc]


def test_a_failed_call_and_even_a_stumbling_check_become_outcomes():
    def failed():
        raise CallFailed("it is still to be written", "not written")

    assert judge("it holds", 1, failed) == Outcome("it holds", 1, False, "it is still to be written", "not written")
    stumbled = judge("it holds", 1, lambda: A[7])
    assert (stumbled.holds, stumbled.mistake) == (False, "unreadable")
    assert "IndexError" in stumbled.hint


def counting(handle):
    return [
        judge("it is the seed", 3, lambda: None if handle.call({}) == handle.seed else TWICE),
        judge("it is a number", 4, lambda: diagnose(handle.call({}), torch.tensor(0.0), {}, "it is not 0") and None),
    ]


@pytest.fixture
def _counting(monkeypatch):
    monkeypatch.setattr(counting, "QUESTIONS", {"zz.1": counting}, raising=False)
    monkeypatch.setattr(checks, "import_module", lambda where: {"elsewhere": counting}[where])
    monkeypatch.setitem(checks.CHAPTERS, "zz", "elsewhere")


@pytest.mark.usefixtures("_counting")
def test_points_are_those_of_the_outcomes_that_hold_under_the_seed():
    assert points("zz.1", lambda: 0) == 7
    assert points("zz.1", lambda: 5, seed=5) == 7
    assert points("zz.1", lambda: 0, seed=5) == 4
    assert points("zz.1", print) == 0
    assert [o.holds for o in outcomes("zz.1", LocalHandle(lambda: 6, seed=6))] == [True, True]


@pytest.mark.usefixtures("_counting")
def test_a_check_prints_what_holds_and_hints_for_the_rest(capsys):
    assert check("zz.1", lambda: 1) is None
    assert capsys.readouterr().out == "✗ it is the seed\n  hint: a factor too much\n✓ it is a number\nzz.1: 4 of 7 points\n"
    check("zz.1", lambda: 1 / 0)
    assert "0 of 7 points" in capsys.readouterr().out


def test_the_chapters_of_the_package_are_found():
    assert "01" in checks.chapters()
    assert checks.chapters() == sorted(set(checks.chapters()))
    assert all(c.isdigit() for c in checks.chapters())
    for chapter in checks.chapters():
        assert all(q.startswith(f"{chapter}.") for q in checks.questions(chapter))


# oracles ------------------------------------------------------------------------------------------------------------


def test_close_is_relative_and_absolute():
    assert close(A + 1.5e-4, A)
    assert not close(A + 4e-4, A)
    assert close(1e4 + 0.9, torch.tensor(1e4))
    assert not close(1e4 + 1.2, torch.tensor(1e4))
    assert close(A + 0.09, A, tolerance=0.05)
    assert not close(A + 0.11, A, tolerance=0.05)


@pytest.mark.parametrize("value", [2, 2.0, torch.tensor(2), torch.tensor(2.0, dtype=torch.float64)])
def test_a_number_is_close_to_a_scalar_tensor(value):
    assert close(value, torch.tensor(2.0))
    assert not close(value, torch.tensor([2.0]))


@pytest.mark.parametrize("value", ["a", True, (1.0, 2.0), torch.ones(2, 1), torch.ones(1), float("nan")])
def test_what_is_something_else_is_not_close(value):
    assert not close(value, torch.ones(2))
    assert not close(value, torch.tensor(1.0))


def test_infinities_are_close_to_themselves_only():
    inf = torch.tensor(float("inf"))
    assert close(float("inf"), inf)
    assert not close(float("-inf"), inf)
    assert not close(1e38, inf)


def test_diagnose_names_the_first_mistake_that_fits():
    mistakes = {TWICE: 2 * A, SUMMED: 3.0, Mistake("also twice", ""): 2 * A}
    assert diagnose(A, A, mistakes, "?") is None
    assert diagnose(2 * A, A, mistakes, "?") == TWICE
    assert diagnose(3, A, mistakes, "?") == SUMMED
    assert diagnose(5 * A, A, mistakes, "?") == Mistake("", "?")
    assert diagnose(1.05 * A, A, mistakes, "?", tolerance=0.1) is None
    assert diagnose(2.1 * A, A, mistakes, "?", tolerance=0.1) == TWICE


def test_diagnose_tells_of_shapes_and_infinities_that_no_mistake_explains():
    with pytest.raises(CallFailed, match=r"^w must be a tensor of shape \[2\], it has shape \[3\]$"):
        diagnose(torch.ones(3), A, {}, "?", what="w")
    assert diagnose(A / 0, A, {}, "?").name == "not finite"
    assert diagnose(A * float("nan"), A, {}, "?").name == "not finite"
    assert diagnose(A / 0, -A / 0, {}, "?") == Mistake("", "?")


def test_parts_and_tensor_give_what_they_are_given():
    assert parts((1, A), "a", "b")[1] is A
    assert tensor(A, (2,)) is A
    assert tensor(0.1, ()).dtype == torch.float64
    assert tensor(3, ()).item() == 3


# errors -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "words"), [((A,), "a tuple of 1"), ((A, A, A), "a tuple of 3"), (A, "a Tensor"), ("ab", "a str")]
)
def test_parts_say_what_is_wanted(value, words):
    with pytest.raises(CallFailed, match=rf"it must return \(w, b\), it returns {words}") as failed:
        parts(value, "w", "b")
    assert failed.value.mistake == "wrong type"


@pytest.mark.parametrize(
    ("value", "shape", "words"),
    [
        ("a", (2,), r"it must be a tensor of shape \[2\], it is of type str"),
        (True, (), "it must be one number, it is of type bool"),
        (1.0, (1,), r"shape \[1\], it has shape \[\]"),
        (A, (), r"one number, it has shape \[2\]"),
    ],
)
def test_tensor_says_what_is_wanted(value, shape, words):
    with pytest.raises(CallFailed, match=words) as failed:
        tensor(value, shape)
    assert failed.value.mistake == "wrong shape"


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("01.9", r"no question '01.9'; the chapter has \['01.1', '01.2', '01.3', '01.4'\]"),
        ("01", "no question '01'"),
        ("99.1", r"no chapter '99' with questions; there are \['01'"),
        ("", "no chapter ''"),
        ("os.path", "no chapter 'os'"),
        (1.1, "with the quotes; got 1.1"),
        (print, "with the quotes"),
    ],
)
def test_an_unknown_question_says_which_there_are(question, words):
    for use in (check, points):
        with pytest.raises(ValueError, match=words):
            use(question, print)
