"""What the tests of all exercises share: a chapter lists its questions and its wrong answers, `exercise` does the rest.

A wrong answer is text: what a student might have written between the marks of the solution. So it can be run here and
put into a notebook alike.
"""

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from genedu.checks import Outcome, check, outcomes, points
from genedu.checks import questions as known_questions
from genedu.handle import Fixture, LocalHandle

ROOT = Path(__file__).parents[2]
MARKED = re.compile(r"^( *)### BEGIN SOLUTION\n.*?### END SOLUTION$", re.S | re.M)
SEEDS = range(20)


@dataclass(frozen=True)
class Wrong:
    """A wrong answer: the lines that stand in the solution's place (or the whole cell, if they define the name anew), words
    of the hint that it must get, and the name under which its mistake is counted ("" if the check cannot know it)."""

    code: str
    hint: str
    mistake: str


def source(name: str) -> str:
    return (ROOT / "solutions" / name / f"{name}.py").read_text()


def cell(name: str, function: str) -> str:
    """The cell of the exercise's source that defines `function`."""
    found = [c for c in re.split(r"^# %%.*$", source(name), flags=re.M) if re.search(rf"^(def|class) {function}\b", c, re.M)]
    assert len(found) == 1, f"{function} is defined in {len(found)} cells"
    return found[0]


def starter(text: str) -> str:
    """What a student gets: nothing between the marks, no hidden tests."""
    text = re.sub(r"### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS", "", text, flags=re.S)
    return MARKED.sub(r"\1raise NotImplementedError", text)


def answer(name: str, function: str, code: str) -> str:
    """The cell of `function` as a student would have it who wrote `code`."""
    code = textwrap.dedent(code).strip("\n")
    if re.match(r"(def|class) ", code):
        return code
    return MARKED.sub(lambda found: textwrap.indent(code, found[1]), cell(name, function))


@cache
def namespace(name: str, *, solved: bool) -> dict[str, Any]:
    """The names of an exercise that was run from top to bottom, its checks included."""
    text = source(name) if solved else starter(source(name))
    space: dict[str, Any] = {"__name__": "student"}
    exec(compile(text, f"{name}.py", "exec"), space)
    return space


def run(name: str, function: str, code: str) -> Any:
    """The student's function (or class) made of `code`, beside the rest of the starter."""
    space = dict(namespace(name, solved=False))
    exec(compile(answer(name, function, code), "answer.py", "exec"), space)
    return space[function]


def value_only(value: Any) -> None:
    """Only what can travel to another process passes between a check and the student."""
    if type(value) is tuple:
        for part in value:
            value_only(part)
    elif type(value) is Fixture:
        value_only(tuple(value.arguments.values()))
    else:
        assert type(value) in (Tensor, float, int, str, bool), type(value)
        assert not isinstance(value, Tensor) or not value.requires_grad


class Traveller:
    """A handle that fails where a check asks for more than a handle in another process could give."""

    def __init__(self, handle: LocalHandle) -> None:
        self._handle, self.seed = handle, handle.seed

    def call(self, arguments, *, method="", seed=0):
        value_only(tuple(arguments.values()))
        value_only(value := self._handle.call(arguments, method=method, seed=seed))
        return value

    def gradient(self, arguments, *, of, method="", seed=0):
        value_only(tuple(arguments.values()))
        found = self._handle.gradient(arguments, of=of, method=method, seed=seed)
        value_only(tuple(g for g in found.values() if g is not None))
        return found

    def build(self, arguments, *, seed=0):
        value_only(tuple(arguments.values()))
        return Traveller(self._handle.build(arguments, seed=seed))

    def load(self, weights):
        value_only(tuple(weights.values()))
        self._handle.load(weights)

    def weights(self):
        return self._handle.weights()


# What no check may stumble over: each is returned, whatever the question.
ODD: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "a word": lambda: "a",
    "an empty word": lambda: "",
    "true": lambda: True,
    "one": lambda: 1,
    "half": lambda: 0.5,
    "nan": lambda: float("nan"),
    "a huge number": lambda: 10**400,
    "an empty tensor": lambda: torch.empty(0),
    "a scalar tensor": lambda: torch.tensor(0.5),
    "whole numbers": lambda: torch.ones(3, dtype=torch.long),
    "truths": lambda: torch.ones(2, 2, dtype=torch.bool),
    "nans": lambda: torch.full((5, 4), float("nan")),
    "complex numbers": lambda: torch.ones(2) + 1j,
    "a pair": lambda: (torch.ones(2), 1.0),
    "a pair of words": lambda: ("a", "b"),
    "a pair of nothing": lambda: (None, None),
    "a nested list": lambda: [[1.0, [2.0]], []],
    "a dictionary": lambda: {"a": 1},
    "a function": lambda: print,
    "a class": lambda: torch.nn.Linear,
}


def lost(found: list[Outcome]) -> list[Outcome]:
    return [o for o in found if not o.holds]


def exercise(name: str, questions: dict[str, tuple[str, int]], wrong: dict[str, dict[str, Wrong]], *, least: int = 5) -> type:
    """The tests of one exercise: assign the class to a name that begins with Test.

    Args:
        questions: of each question the student's function and the points it carries.
        wrong: of each question the wrong answers, by name; `least` of them at least.
    """
    chapter = name[:2]
    cases = [pytest.param(q, w, id=f"{q} {w}") for q in wrong for w in wrong[q]]

    class Exercise:
        listed: ClassVar = wrong  # for those who send the wrong answers elsewhere

        def test_the_questions_are_those_of_the_chapter_and_carry_ten_points(self) -> None:
            assert list(known_questions(chapter)) == list(questions) == list(wrong)
            assert sum(full for _, full in questions.values()) == 10
            marked = re.findall(r'"grade": true.*?"points": (\d+).*\ncheck\("(.*?)", (\w+)\)', source(name))
            assert {q: (f, int(p)) for p, q, f in marked} == questions

        @pytest.mark.parametrize("question", questions)
        def test_the_solution_passes_whatever_the_seed(self, question, capsys) -> None:
            function, full = questions[question]
            solution = namespace(name, solved=True)[function]
            for seed in SEEDS:
                found = outcomes(question, Traveller(LocalHandle(solution, seed=seed)))
                assert not lost(found), (seed, lost(found))
                assert sum(o.points for o in found) == full
            capsys.readouterr()
            check(question, solution)
            text = capsys.readouterr().out
            assert f"{full} of {full} points" in text
            assert "hint" not in text

        @pytest.mark.parametrize("question", questions)
        def test_the_empty_starter_gets_nothing_and_no_traceback(self, question, capsys) -> None:
            empty = namespace(name, solved=False)[questions[question][0]]
            capsys.readouterr()
            check(question, empty)
            assert "still to be written" in capsys.readouterr().out
            found = outcomes(question, LocalHandle(empty))
            assert not any(o.holds for o in found)
            assert "not written" in {o.mistake for o in found}

        @pytest.mark.parametrize("question", questions)
        @pytest.mark.parametrize("odd", ODD)
        def test_an_odd_result_earns_nothing_and_stops_no_check(self, question, odd, capsys) -> None:
            def student(*arguments):
                return ODD[odd]()

            found = outcomes(question, LocalHandle(student))
            assert not any(o.holds for o in found)
            assert all(o.hint for o in found)
            check(question, student)
            assert "0 of" in capsys.readouterr().out

        @pytest.mark.parametrize(("question", "answer"), cases)
        def test_a_wrong_answer_is_rejected_with_its_own_hint(self, question, answer, capsys) -> None:
            function, full = questions[question]
            case = wrong[question][answer]
            student = run(name, function, case.code)
            for seed in range(4):
                found = outcomes(question, LocalHandle(student, seed=seed))
                assert lost(found), f"it passes under seed {seed}"
                first = lost(found)[0]
                assert (case.hint in first.hint, first.mistake) == (True, case.mistake), (seed, first)
                assert points(question, student, seed=seed) == full - sum(o.points for o in lost(found))
            check(question, student)
            assert "✗" in capsys.readouterr().out

        @pytest.mark.parametrize("question", questions)
        def test_wrong_answers_are_many_and_no_two_mistakes_share_a_hint(self, question) -> None:
            function, _ = questions[question]
            assert len(wrong[question]) >= least
            whose: dict[str, str] = {}
            for case in wrong[question].values():
                first = lost(outcomes(question, LocalHandle(run(name, function, case.code))))[0]
                assert whose.setdefault(first.hint, first.mistake) == first.mistake

        def test_every_mistake_that_the_checks_know_is_tried(self) -> None:
            module = import_module(known_questions(chapter)[next(iter(questions))].__module__)
            text = Path(str(module.__file__)).read_text()
            known = set(re.findall(r'Mistake\(\s*"([^"]+)"', text)) - {"not yet"}  # "not yet": judged after another outcome
            assert known <= {case.mistake for cases in wrong.values() for case in cases.values()}

        @pytest.mark.parametrize("question", questions)
        def test_no_hint_holds_words_of_the_solution(self, question) -> None:
            function = questions[question][0]
            solved = "\n".join(found[0] for found in MARKED.finditer(cell(name, function)))
            called = set(re.findall(r"(\w{4,})\(", solved))
            lines = {line.split("#")[0].strip() for line in solved.splitlines()}
            telling = called | {line for line in lines if len(line) > 8}
            assert telling
            for case in wrong[question].values():
                found = outcomes(question, LocalHandle(run(name, function, case.code)))
                for o in lost(found):
                    assert not [t for t in telling if re.search(rf"(?<!\w){re.escape(t)}(?!\w)", o.hint)], o.hint

    return Exercise
