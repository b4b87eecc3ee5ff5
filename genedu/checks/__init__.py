"""The checks of the exercises, the same for student and grader.

A question is a function `handle -> list[Outcome]` in `QUESTIONS` of `genedu/checks/chNN.py`. It draws its cases from
`handle.seed`, calls the student's code through the handle (`genedu.handle`) and compares what comes back with an
independent computation. Where that fails it names the mistake, if it knows it, and gives a hint but not the answer.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import torch
from torch import Tensor

from genedu.handle import CallFailed, Handle, LocalHandle, Value


@dataclass(frozen=True)
class Mistake:
    """A wrong answer: the short `name` under which it is counted, "" for one that is not recognised, and a hint."""

    name: str
    hint: str


@dataclass(frozen=True)
class Outcome:
    """One thing that holds or not. `hint` names the likely mistake and never the answer; `mistake` is its short name."""

    what: str
    points: int
    holds: bool
    hint: str = ""
    mistake: str = ""


Question = Callable[[Handle], list[Outcome]]
CHAPTERS: dict[str, str] = {}  # chapters that stand elsewhere: number -> module


def judge(what: str, points: int, test: Callable[[], Mistake | None]) -> Outcome:
    """Run `test`, which returns a Mistake, or None where all is well. A failing call is an outcome, not an exception."""
    try:
        mistake = test()
    except CallFailed as error:
        mistake = Mistake(error.mistake, str(error))
    except Exception as error:  # the last resort: a student sees no traceback from inside a check
        mistake = Mistake("unreadable", f"the check cannot make sense of what came back ({type(error).__name__})")
    return Outcome(what, points, mistake is None, *((mistake.hint, mistake.name) if mistake else ()))


def tensor(value: Value, shape: tuple[int, ...], what: str = "it") -> Tensor:
    """A result as a tensor of the shape asked for; a number serves where the shape is ().

    Raises:
        CallFailed: it is something else, or has another shape.
    """
    if isinstance(value, float | int) and not isinstance(value, bool):
        value = torch.tensor(value, dtype=torch.float64)
    if not isinstance(value, Tensor) or value.shape != shape:
        want = f"a tensor of shape {list(shape)}" if shape else "one number"
        came = f"has shape {list(value.shape)}" if isinstance(value, Tensor) else f"is of type {type(value).__name__}"
        raise CallFailed(f"{what} must be {want}, it {came}", "wrong shape")
    return value


def parts(value: Value, *names: str) -> tuple[Value, ...]:
    """A result that must be a tuple with as many parts as there are names.

    Raises:
        CallFailed: it is something else.
    """
    if not isinstance(value, tuple) or len(value) != len(names):
        came = f"a tuple of {len(value)}" if isinstance(value, tuple) else f"a {type(value).__name__}"
        raise CallFailed(f"it must return ({', '.join(names)}), it returns {came}", "wrong type")
    return value


def close(a: Value, b: Tensor, tolerance: float = 1e-4) -> bool:
    """Is `a` (a number, where b has shape []) what `b` is, in shape and in value?"""
    try:
        return torch.allclose(tensor(a, tuple(b.shape)).to(b.dtype), b, rtol=tolerance, atol=tolerance)
    except CallFailed:
        return False


def diagnose(
    got: Value, right: Tensor, mistakes: Mapping[Mistake, Any], otherwise: str, *, what: str = "it", tolerance: float = 1e-4
) -> Mistake | None:
    """None where `got` is `right`; else the first known mistake that gives just what came; else `otherwise`.

    Raises:
        CallFailed: no known mistake, and not even the shape is right.
    """
    if close(got, right, tolerance):
        return None
    for mistake, value in mistakes.items():
        if close(got, torch.as_tensor(value), tolerance):
            return mistake
    if torch.isfinite(right).all() and not torch.isfinite(tensor(got, tuple(right.shape), what)).all():
        return Mistake("not finite", f"{what} is nan or infinite somewhere, for inputs where the answer is finite")
    return Mistake("", otherwise)


def chapters() -> list[str]:
    """The numbers of the chapters that have questions, "01" for the first."""
    return sorted({m.name[2:] for m in iter_modules(__path__) if re.fullmatch(r"ch\d\d", m.name)} | set(CHAPTERS))


def questions(chapter: str) -> dict[str, Question]:
    """The questions of a chapter, by name.

    Raises:
        ValueError: the chapter has none; says which have.
    """
    if chapter not in chapters():
        raise ValueError(f"there is no chapter {chapter!r} with questions; there are {chapters()}")
    return import_module(CHAPTERS.get(chapter, f"genedu.checks.ch{chapter}")).QUESTIONS


def outcomes(question: str, handle: Handle) -> list[Outcome]:
    """Judge one question, "07.1" for the first of chapter 7.

    Raises:
        ValueError: there is no such question; says which there are.
    """
    if not isinstance(question, str):
        raise ValueError(f'a question is named by a text such as "01.1", with the quotes; got {question!r}')
    known = questions(question.split(".")[0])
    if question not in known:
        raise ValueError(f"there is no question {question!r}; the chapter has {list(known)}")
    return known[question](handle)


def points(question: str, student: Any, *, seed: int = 0) -> int:
    """What a grade cell ends with: the points earned, of those that the question carries. Another seed, other cases."""
    return sum(o.points for o in outcomes(question, LocalHandle(student, seed=seed)) if o.holds)


def check(question: str, student: Any) -> None:
    """Print what holds and what does not, with hints. Never raises because of the student's code.

    Raises:
        ValueError: there is no such question; says which there are.
    """
    found = outcomes(question, LocalHandle(student))
    for o in found:
        print("✓" if o.holds else "✗", o.what)
        if not o.holds:
            print("  hint:", o.hint)
    print(f"{question}: {sum(o.points for o in found if o.holds)} of {sum(o.points for o in found)} points")
