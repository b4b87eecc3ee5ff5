"""Notebooks that do not run as they should: what works in them earns its points, and the feedback says what happened."""

import copy
import json
import threading
from dataclasses import replace

import nbformat
import pytest
import torch

from genedu.grading import judging
from genedu.grading.course import assignments
from genedu.grading.judging import Job, grade
from tests.exercises.common import ROOT
from tests.exercises.students import hand_in, released, solved

NAME = "02_density_and_mixtures"
EXERCISE = assignments(ROOT)[NAME]
SEEDS = {a.question: 3 for a in EXERCISE.asked.values()}
RIGHT = hand_in(released(NAME), solved(NAME))


def place(notebook, id):
    return next(i for i, c in enumerate(notebook.cells) if c.metadata.get("nbgrader", {}).get("grade_id") == id)


def with_cell(source, before="m-step-text"):
    """The right notebook with one more cell."""
    notebook = copy.deepcopy(RIGHT)
    notebook.cells.insert(place(notebook, before), nbformat.v4.new_code_cell(source))
    return notebook


def with_answer(source, id="m-step"):
    notebook = copy.deepcopy(RIGHT)
    notebook.cells[place(notebook, id)].source = source
    return notebook


def judge(notebook, sandbox, **limits):
    made = replace(sandbox, limits=replace(sandbox.limits, **limits))
    text = notebook if isinstance(notebook, bytes) else nbformat.writes(notebook).encode()
    return grade(Job("alice", EXERCISE, text, SEEDS, made))


def points(result):
    return [v.points for v in result.verdicts]


BROKEN_CELLS = {
    "raises": ("1 / 0", "it raises ZeroDivisionError: division by zero"),
    "has a syntax error": ("def (", "it raises SyntaxError"),
    "asks for a package that is not there": ("import tensorflow", "No module named 'tensorflow'"),
    "asks for the library's own answer": ("from genedu.density import GaussianMixture", "is held back while work is graded"),
    "asks for input": ("input('name?')", "it raises EOFError"),
}


@pytest.mark.parametrize("name", BROKEN_CELLS)
def test_a_cell_that_fails_costs_nothing_but_itself(name, sandbox):
    source, words = BROKEN_CELLS[name]
    result = judge(with_cell(source), sandbox)
    assert points(result) == [2, 3, 2, 3]
    [note] = result.notes
    assert note.startswith(f"code cell 4 ({source.splitlines()[0][:40]!r}): ") and words in note
    assert not result.attention


LOSING_CELLS = {
    "loops for ever": ("while True: pass", "it used more than 1 s of computing time"),
    "ends the process": ("import os\nos._exit(0)", "it ended the whole process (exit status 0)"),
    "prints without end": ("while True: print('a' * 1000)", "it used more than 1 s of computing time"),
}


@pytest.mark.parametrize("name", LOSING_CELLS)
def test_a_cell_that_ends_its_process_is_left_out_and_the_rest_counts(name, sandbox):
    source, words = LOSING_CELLS[name]
    result = judge(with_cell(source), sandbox, seconds=1)
    assert points(result) == [2, 3, 2, 3]
    [note] = result.notes
    assert words in note and note.endswith("it is left out from here on") and result.attention == [note]


def test_a_cell_that_sleeps_is_stopped_by_the_clock_and_it_is_told(sandbox):
    result = judge(with_cell("import time; time.sleep(1000)"), sandbox, wall=4.0)
    assert points(result) == [2, 3, 2, 3] and result.clock
    assert "it did not end within 4 s" in result.notes[0]


LOSING_ANSWERS = {
    "loops for ever": ("def m_step(x, r, ridge):\n    while True: pass", "it used more than 1 s of computing time", "too slow"),
    "ends the process": ("import os\ndef m_step(*a): os._exit(0)", "it ended the whole process (exit status 0)", "process ended"),
    "eats memory": ("def m_step(*a):\n    x = [1]\n    while True: x = x * 1000", "it raises MemoryError", "raises"),
    "recurses": ("def m_step(*a): return m_step(*a)", "it raises RecursionError", "raises"),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSING_ANSWERS)
def test_an_answer_that_ends_its_process_costs_its_own_question(name, sandbox):
    source, hint, mistake = LOSING_ANSWERS[name]
    result = judge(with_answer(source), sandbox, seconds=1 if "computing time" in hint else 6, memory=2 << 30)
    assert points(result) == [2, 0, 2, 3]
    lost = result.verdicts[1]
    assert {o.mistake for o in lost.outcomes} == {mistake} and all(hint in o.hint for o in lost.outcomes)


def test_a_state_of_the_notebook_survives_a_lost_process(sandbox):
    """A cell above the loss runs again, so that what stands below finds its names."""
    notebook = with_cell("factor = 1.0", before="responsibilities-text")
    notebook.cells[place(notebook, "responsibilities")].source = "def responsibilities(x): import os; os._exit(0)"
    likelihood = notebook.cells[place(notebook, "likelihood")]
    likelihood.source = likelihood.source.replace(".mean()  # eq. (5)", ".mean() * factor")
    assert "* factor" in likelihood.source
    assert points(judge(notebook, sandbox)) == [0, 3, 2, 3]


def test_a_syntax_error_in_an_answer_costs_its_own_question(sandbox):
    result = judge(with_answer("def m_step(x, r, ridge)\n    return 1"), sandbox)
    assert points(result) == [2, 0, 2, 3]
    assert result.verdicts[1].mistake == "not defined"
    assert "SyntaxError: expected ':'" in result.notes[0]


def test_a_name_that_is_defined_twice(sandbox):
    twice = with_cell("def m_step(x, r, ridge): return 1", before="m-step")
    assert points(judge(twice, sandbox)) == [2, 3, 2, 3]
    result = judge(with_cell("def responsibilities(x): return x"), sandbox)
    assert points(result) == [2, 3, 2, 3]
    assert result.notes == ["responsibilities is defined again below its check: what stands above the check counts"]


def test_missing_cells(sandbox):
    notebook = copy.deepcopy(RIGHT)
    for id in ("responsibilities", "m-step-check", "imports"):
        del notebook.cells[place(notebook, id)]
    result = judge(notebook, sandbox)
    assert points(result) == [0, 3, 2, 3]
    assert result.verdicts[0].hint == "'responsibilities' is not defined where its check stands"
    assert sum("is missing" in note for note in result.notes) == 2


def test_edited_checks_change_nothing(sandbox):
    notebook = copy.deepcopy(RIGHT)
    for id in ("m-step-check", "imports"):
        notebook.cells[place(notebook, id)].source = "raise SystemExit"
    result = judge(notebook, sandbox)
    assert points(result) == [2, 3, 2, 3] and len(result.attention) == 1


def test_numbers_of_processes_that_one_notebook_may_end(sandbox):
    notebook = copy.deepcopy(RIGHT)
    for _ in range(judging.LOST):
        notebook.cells.insert(place(notebook, "m-step-text"), nbformat.v4.new_code_cell("import os; os._exit(1)"))
    result = judge(notebook, sandbox)
    assert points(result) == [2, 0, 0, 0]
    assert "its code ended 4 processes" in result.verdicts[1].hint and result.verdicts[1].mistake == "too slow"


def test_the_time_for_a_whole_notebook(sandbox):
    result = judge(with_cell("import time; time.sleep(1000)"), sandbox, total=4.0)
    assert points(result) == [2, 0, 0, 0] and result.clock
    assert "it took more than 4 s" in result.verdicts[3].hint


@pytest.mark.parametrize("text", [b"", b"{}", b"PK\x03\x04", b"[" * 100_000])
def test_what_is_no_notebook_gets_nothing_and_a_reason(text, sandbox):
    result = judge(text, sandbox)
    assert points(result) == [0, 0, 0, 0] and "is no notebook" in result.notes[0] and result.attention == result.notes
    assert [v.of for v in result.verdicts] == [2, 3, 2, 3]


def test_a_free_text_is_left_to_a_person(sandbox):
    exercise = replace(EXERCISE, by_hand={"why": 2.0, "how": 1.0}, blank={"why": "Your words.", "how": "Your words."})
    notebook = copy.deepcopy(RIGHT)
    for id, words in (("why", "Because."), ("how", "Your words.")):
        notebook.cells.append(nbformat.v4.new_markdown_cell(words, metadata={"nbgrader": {"grade_id": id}}))
    result = grade(Job("alice", exercise, nbformat.writes(notebook).encode(), SEEDS, sandbox))
    assert result.points == 10 and result.blank == ["how"] and result.attention == ["to be graded by hand: why"]


def test_the_judge_keeps_its_own_chance_and_threads(sandbox):
    torch.manual_seed(5)
    torch.set_num_threads(2)
    want = torch.random.fork_rng
    with want():
        torch.manual_seed(5)
        expected = torch.rand(3)
    judge(RIGHT, sandbox)
    assert torch.get_num_threads() == 2 and torch.equal(torch.rand(3), expected)


def test_two_judges_in_one_process_do_not_disturb_each_other(sandbox):
    """As with two threads of a Dask worker."""
    found = []
    threads = [threading.Thread(target=lambda: found.append(points(judge(RIGHT, sandbox)))) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == [[2, 3, 2, 3]] * 2


def test_a_submission_in_another_version_of_the_format(sandbox):
    tree = json.loads(nbformat.writes(RIGHT))
    tree["nbformat_minor"] = 0
    for cell in tree["cells"]:
        cell.pop("id", None)
        cell["source"] = cell["source"] if isinstance(cell["source"], list) else cell["source"].splitlines(keepends=True)
    assert points(judge(json.dumps(tree).encode(), sandbox)) == [2, 3, 2, 3]
