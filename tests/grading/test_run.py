"""`genedu grade` as a whole: what it leaves, what it grades again, what survives, and how it can be stopped."""

import csv
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import nbformat
import pytest
from nbgrader.api import Gradebook

from genedu.checks import Outcome
from genedu.cli import main
from genedu.grading import course, engine, gradebook, run
from genedu.grading.folder import alone
from genedu.grading.gradebook import COURSE, marks
from genedu.grading.limits import Limits
from genedu.grading.results import Result, Verdict, store, stored
from genedu.grading.run import Options, grade_class
from tests.exercises.common import ROOT
from tests.exercises.students import empty, hand_in, released, solved, students

ONE, TWO = "01_generative_and_discriminative", "02_density_and_mixtures"
LIMITS = Limits(seconds=5, wall=20.0, total=60.0)


def submit(folder, student, answers, name=TWO):
    place = folder / student / name / f"{name}.ipynb"
    place.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(hand_in(released(name), answers), place)
    return place


def rows(file):
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


@pytest.fixture
def class_of_two(tmp_path):
    submit(tmp_path / "submitted", "alice", solved(TWO))
    submit(tmp_path / "submitted", "bob", empty(TWO))
    return tmp_path


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A gradebook that knows the exercises: entering them takes seconds."""
    file = tmp_path_factory.mktemp("template") / "gradebook.db"
    for name in (ONE, TWO):
        gradebook.register(file, ROOT, course.assignments(ROOT)[name])
    return file


@pytest.fixture
def judge(monkeypatch, template):
    """A judge that is quick: 2 points a question for who defines `responsibilities`; it counts whom it has judged."""
    calls = []

    def grade(job):
        calls.append(job.student)
        full = 2 if b"logsumexp" in job.notebook else 0
        seeds = sum(job.seeds.values())
        verdicts = [Verdict(a.question, [Outcome("w", full, True), Outcome("w", int(a.points) - full, False, "h", "m")])
                    for a in job.assignment.asked.values()]  # fmt: skip
        made = Result(
            job.student, job.assignment.name, job.fingerprint, verdicts, notes=[str(seeds)], graded="2026-01-02T03:04:05+00:00"
        )
        return calls.replies.pop(0)(made) if calls.replies else made

    class Calls(list):
        replies: list = []  # what happens to the next results

    calls = Calls()
    calls.replies = []

    @contextmanager
    def threads(workers):
        with ThreadPoolExecutor(1) as pool:
            yield engine.Judges(pool, 2, grade)

    monkeypatch.setattr(engine, "processes", threads)
    return calls


def quick(tmp_path, template, **options):
    out = tmp_path / "grades"
    if not (out / "gradebook.db").exists():
        out.mkdir(exist_ok=True)
        shutil.copy(template, out / "gradebook.db")
    return grade_class(tmp_path / "submitted", out, ROOT, Options(limits=LIMITS, **options))


def test_a_class_from_submissions_to_grades(tmp_path, sandbox, capsys, monkeypatch):
    """The command itself, with two processes, in the jail."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    submitted, out = tmp_path / "submitted", tmp_path / "grades"
    for name in (ONE, TWO):
        for who, answers in students(name).items():
            submit(submitted, who, answers, name)
    (submitted / "eve").mkdir()
    (submitted / "eve" / f"{TWO}.ipynb").symlink_to(ROOT / "solutions" / TWO / f"{TWO}.ipynb")
    before = {p: p.read_bytes() for p in submitted.rglob("*.ipynb")}
    assert main(["grade", str(submitted), "--out", str(out), "--workers", "2"]) == 0
    said = capsys.readouterr().out
    assert "graded 6, unchanged 0" in said and f"not graded: eve/{TWO}.ipynb: it is a link" in said and "WARNING" not in said
    assert {p: p.read_bytes() for p in submitted.rglob("*.ipynb")} == before

    want = {(who, q): a.points for name in (ONE, TWO) for who, answers in students(name).items() for q, a in answers.items()}
    table = rows(out / "grades.csv")
    assert {(r["student"], r["question"]): float(r["points"]) for r in table} == want
    assert {"student", "chapter", "question", "points", "hint", "time"} <= set(table[0])
    assert all(bool(r["hint"]) == (float(r["points"]) < float(r["of"])) for r in table)
    totals = {r["student"]: r for r in rows(out / "totals.csv")}
    assert totals["right"] == {"student": "right", ONE: "10", TWO: "10"} and totals["empty"][ONE] == "0"
    assert {k: m.total for k, m in marks(out / "gradebook.db").items()} == {
        (who, name): sum(a.points for a in answers.values()) for name in (ONE, TWO) for who, answers in students(name).items()
    }
    for name in (ONE, TWO):
        page = (out / "feedback" / "half" / name / f"{name}.html").read_text()
        assert "✓" in page and "✗" in page
        copy = nbformat.read(out / "autograded" / "half" / name / f"{name}.ipynb", 4)
        nbformat.validate(copy)
        outputs = [o.text for c in copy.cells for o in c.get("outputs", [])]
        assert len(outputs) == 4 and all(" points" in t for t in outputs)
    assert "right" in (out / "index.html").read_text()
    assert stat.S_IMODE((out / "secret").stat().st_mode) == 0o600
    for page in (*out.rglob("*.html"), *out.rglob("*.csv")):
        assert "HIDDEN" not in page.read_text() and "points(" not in page.read_text()

    assert main(["grade", str(submitted), "--out", str(out)]) == 0
    assert "graded 0, unchanged 6" in capsys.readouterr().out
    assert not [p for p in (tmp_path / "temporary").iterdir() if not p.name.startswith("genedu-view-")]  # this process's own
    assert rows(out / "grades.csv") == table


def test_only_what_changed_is_graded_again(class_of_two, judge, template, monkeypatch):
    assert quick(class_of_two, template).graded == 2 and judge == ["alice", "bob"]
    assert quick(class_of_two, template).graded == 0 and judge == ["alice", "bob"]
    submit(class_of_two / "submitted", "bob", solved(TWO))
    submit(class_of_two / "submitted", "carol", empty(TWO))
    done = quick(class_of_two, template)
    assert (done.graded, done.kept) == (2, 1) and judge[2:] == ["bob", "carol"]
    assert {e.shown: e.points for e in done.entries} == {"alice": 8, "bob": 8, "carol": 0}
    known = course.assignments(ROOT)
    changed = {n: replace(a, version="another check") for n, a in known.items()}
    monkeypatch.setattr(run, "assignments", lambda root: changed)
    assert quick(class_of_two, template).graded == 3
    (class_of_two / "grades" / "secret").write_text("another secret of the course")
    assert quick(class_of_two, template).graded == 3 and quick(class_of_two, template).graded == 0


def test_a_regrade_draws_the_same_cases(class_of_two, judge, template):
    quick(class_of_two, template)
    results = class_of_two / "grades" / "results"
    first = stored(results, "alice", TWO)
    assert first != stored(results, "bob", TWO) and first.notes != stored(results, "bob", TWO).notes  # the sum of the seeds
    shutil.rmtree(results)
    assert quick(class_of_two, template).graded == 2 and stored(results, "alice", TWO) == first


def test_points_that_a_person_set_survive_a_regrade(class_of_two, judge, template):
    quick(class_of_two, template)
    file = class_of_two / "grades" / "gradebook.db"
    with Gradebook(f"sqlite:///{file}", COURSE) as book:
        grade = book.find_grade("m-step-check", TWO, TWO, "bob")
        grade.manual_score, grade.needs_manual_grade = 2.5, False
        book.db.commit()
        book.engine.dispose()
    for _ in range(2):
        done = quick(class_of_two, template)
        assert {e.shown: e.points for e in done.entries} == {"alice": 8, "bob": 2.5}
        row = next(r for r in rows(class_of_two / "grades" / "grades.csv") if (r["student"], r["question"]) == ("bob", "02.2"))
        assert (row["points"], row["set_by_hand"]) == ("2.5", "yes")
        page = (class_of_two / "grades/feedback/bob" / TWO / f"{TWO}.html").read_text()
        assert "2.5" in page and "instructor" in page
        shutil.rmtree(class_of_two / "grades" / "results")
    assert "points set by hand stand" not in (class_of_two / "grades" / "index.html").read_text()
    submit(class_of_two / "submitted", "bob", solved(TWO))
    assert {e.shown: e.points for e in quick(class_of_two, template).entries} == {"alice": 8, "bob": 8.5}
    assert (
        "points set by hand stand, what they were set for has changed: m-step-check"
        in (class_of_two / "grades" / "index.html").read_text()
    )


def test_students_may_appear_under_pseudonyms(class_of_two, judge, template):
    out = class_of_two / "grades"
    submit(class_of_two / "submitted", "mallory", solved(TWO)).write_text("no notebook at all")
    submit(class_of_two / "submitted", "trent", solved(TWO)).write_text("{}")
    submit(class_of_two / "submitted", "trent", solved(TWO)).with_name("other.ipynb").write_text("{}")
    (class_of_two / "submitted" / "victor").mkdir()
    (class_of_two / "submitted" / "victor" / "x.ipynb").write_text("{}")
    quick(class_of_two, template)
    done = quick(class_of_two, template, pseudonyms=True)
    who = {r["student"]: r["pseudonym"] for r in rows(out / "pseudonyms.csv")}
    assert set(who) == {"alice", "bob", "mallory", "trent"} and len(set(who.values())) == 4 and len(done.strays) == 2
    assert (
        {e.shown for e in done.entries}
        == set(who.values())
        == {p.name for p in (out / "feedback").iterdir() if any(p.rglob("*.html"))}
    )
    for file in (out / "index.html", out / "grades.csv", out / "totals.csv", *(out / "feedback").rglob("*.html")):
        text = file.read_text()
        assert not [name for name in (*who, "victor") if name in text], file
    again = quick(class_of_two, template)
    assert (
        {e.shown for e in again.entries} == set(who) == {p.name for p in (out / "feedback").iterdir() if any(p.rglob("*.html"))}
    )


def test_what_the_clock_stopped_gets_a_second_try_alone(class_of_two, judge, template):
    judge.replies = [lambda r: replace(r, clock=True)]
    done = quick(class_of_two, template)
    assert judge == ["alice", "bob", "alice"] and done.graded == 2
    assert {e.shown: e.points for e in done.entries} == {"alice": 8, "bob": 0} and not any(e.result.clock for e in done.entries)


def test_a_judge_that_fails_stops_no_run(class_of_two, judge, template):
    def fails(made):
        raise RuntimeError("in the judge")

    def ends(made):
        raise BrokenExecutor

    judge.replies = [fails, lambda r: r, ends]
    done = quick(class_of_two, template)
    assert judge == ["alice", "bob", "alice"]
    lost = next(e.result for e in done.entries if e.shown == "alice")
    assert lost.points == 0 and lost.attention == ["the judging process ended"] and lost.fingerprint == ""
    assert "could not be graded" in lost.notes[0]
    assert quick(class_of_two, template).graded == 1  # alice again, and now it works
    assert judge[3:] == ["alice"]


def test_a_submission_that_goes_away_is_for_a_person_and_the_rest_is_graded(class_of_two, judge, template, monkeypatch):
    find = run.find

    def finds(source, known):
        found = find(source, known)
        (source / "alice" / TWO / f"{TWO}.ipynb").unlink()
        return found

    monkeypatch.setattr(run, "find", finds)
    gone = class_of_two / "submitted" / "alice" / TWO / f"{TWO}.ipynb"
    done = quick(class_of_two, template)
    assert {e.shown: (e.points, e.result.attention) for e in done.entries} == {
        "alice": (0, [f"the judge failed: FileNotFoundError: [Errno 2] No such file or directory: {str(gone)!r}"]),
        "bob": (0, []),
    }


def test_results_of_other_chapters_and_earlier_runs_stay_in_the_class(class_of_two, judge, template):
    quick(class_of_two, template)
    shutil.rmtree(class_of_two / "submitted")
    submit(class_of_two / "submitted", "alice", solved(ONE), ONE)
    done = quick(class_of_two, template)
    assert {(e.shown, e.result.assignment) for e in done.entries} == {("alice", ONE), ("alice", TWO), ("bob", TWO)}


def test_grades_do_not_lie_among_the_submissions(class_of_two, judge, template):
    """Their copies would be taken for newer submissions."""
    with pytest.raises(ValueError, match="give an --out that is not in"):
        grade_class(class_of_two, class_of_two / "grades", ROOT)


def test_a_secret_that_is_named_must_be_there(class_of_two, judge, template):
    with pytest.raises(ValueError, match="there is no such file"):
        quick(class_of_two, template, secret=class_of_two / "typing-error")
    (class_of_two / "mine").write_text("a secret of the course, long enough\n")
    assert quick(class_of_two, template, secret=class_of_two / "mine").graded == 2
    assert not (class_of_two / "grades" / "secret").exists()


def test_a_folder_that_cannot_be_used_is_said(class_of_two, judge, template):
    (class_of_two / "grades" / ".lock").mkdir(parents=True)
    with pytest.raises(ValueError, match="must be a folder that you can write to"):
        quick(class_of_two, template)
    (class_of_two / "grades" / ".lock").rmdir()
    (class_of_two / "grades" / ".lock").write_text("no database, and too long to be an empty one " * 30)
    with pytest.raises(ValueError, match="cannot be used as a lock"):
        quick(class_of_two, template)


def test_a_text_that_changed_after_it_was_graded_by_hand_is_told(class_of_two, judge, template):
    texts = {"m-step-check": "first"}
    judge.replies = [lambda r: replace(r, texts=dict(texts)) for _ in range(3)]
    quick(class_of_two, template)
    with Gradebook(f"sqlite:///{class_of_two}/grades/gradebook.db", COURSE) as book:
        grade = book.find_grade("m-step-check", TWO, TWO, "alice")
        grade.manual_score, grade.needs_manual_grade = 1, False
        book.db.commit()
        book.engine.dispose()
    assert not marks(class_of_two / "grades" / "gradebook.db")["alice", TWO].open
    texts["m-step-check"] = "second"
    submit(class_of_two / "submitted", "alice", {**solved(TWO), "02.4": empty(TWO)["02.4"]})
    quick(class_of_two, template)
    mark = marks(class_of_two / "grades" / "gradebook.db")["alice", TWO]
    assert mark.open == ["m-step-check"] and mark.by_hand == {"m-step-check": 1}


def test_a_run_that_ends_between_two_files_of_a_submission_makes_both(class_of_two, judge, template, monkeypatch):
    def ends(folder, result):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "store", ends)
    with pytest.raises(KeyboardInterrupt):
        quick(class_of_two, template)
    monkeypatch.setattr(run, "store", store)
    assert quick(class_of_two, template).graded == 2
    assert len(list((class_of_two / "grades" / "autograded").glob("*/*/*.ipynb"))) == 2


def test_one_run_at_a_time(class_of_two, judge, template):
    (class_of_two / "grades").mkdir()
    with alone(class_of_two / "grades"), pytest.raises(ValueError, match="another run is at work"):
        quick(class_of_two, template)
    assert quick(class_of_two, template).graded == 2


def test_a_broken_result_is_graded_again(class_of_two, judge, template):
    quick(class_of_two, template)
    results = class_of_two / "grades" / "results"
    (results / "alice" / f"{TWO}.json").write_text('{"student": "alice"')
    assert quick(class_of_two, template).graded == 1 and judge[2:] == ["alice"]
    store(results, replace(stored(results, "bob", TWO), assignment="99_other"))
    assert {e.result.assignment for e in quick(class_of_two, template).entries} == {TWO}


@pytest.mark.parametrize(("change", "words"), [
    ({"workers": 0}, "workers must be at least 1"),
    ({"secret": "short"}, "at least 16 characters"),
    ({"scheduler": "tcp://127.0.0.1:9"}, "there is no Dask scheduler at"),
])  # fmt: skip
def test_what_cannot_be_done_is_said(class_of_two, judge, template, change, words):
    if "secret" in change:
        change = {"secret": class_of_two / "my-secret"}
        change["secret"].write_text("short")
    with pytest.raises(ValueError, match=words):
        quick(class_of_two, template, **change)


def test_an_empty_class_is_said(tmp_path, capsys):
    (tmp_path / "submitted").mkdir()
    (tmp_path / "submitted" / "x.ipynb").write_text("{}")
    assert main(["grade", str(tmp_path / "submitted"), "--out", str(tmp_path / "grades")]) == 2
    said = capsys.readouterr().err
    assert "there must be notebooks to grade in" in said and "format 4" in said
    assert main(["grade", str(tmp_path / "nothing"), "--out", str(tmp_path / "grades")]) == 2
    assert "must be a folder or a zip" in capsys.readouterr().err
    assert main(["grade", str(tmp_path / "submitted"), "--seconds", "0"]) == 2
    assert "seconds must be at least 1" in capsys.readouterr().err


def test_a_run_that_is_killed_goes_on_where_it_was(tmp_path, sandbox):
    """Killed without warning, with all its processes: what was graded is kept, the rest follows, nothing is half-written."""
    submitted, out = tmp_path / "submitted", tmp_path / "grades"
    for i in range(6):
        submit(submitted, f"s{i}", solved(TWO))
    command = [sys.executable, "-m", "genedu", "grade", str(submitted), "--out", str(out), "--workers", "1"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 120
        while len(list(out.glob("results/*/*.json"))) < 2 and time.monotonic() < until:
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    kept = {p: p.read_bytes() for p in out.glob("results/*/*.json")}
    assert 2 <= len(kept) < 6 and all(json.loads(text)["verdicts"] for text in kept.values())
    assert not (out / "gradebook.db").exists() and not (out / "grades.csv").exists()
    until = time.monotonic() + 20
    while alive(tmp_path) and time.monotonic() < until:  # its judge and worker see that it is gone
        time.sleep(0.05)
    assert not alive(tmp_path)
    assert main(["grade", str(submitted), "--out", str(out)]) == 0
    assert {p: p.read_bytes() for p in kept} == kept
    assert {m.total for m in marks(out / "gradebook.db").values()} == {10} and len(marks(out / "gradebook.db")) == 6
    assert not [p for p in out.rglob("*.part") if (out / "results") in p.parents and p.name.endswith(f".{os.getpid()}.part")]


def alive(marker):
    """Processes whose command line names the folder, or a judge of a parent that is gone."""
    found = []
    for pid in (p for p in os.listdir("/proc") if p.isdigit()):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode(errors="replace").replace("\0", " ")
            with open(f"/proc/{pid}/stat") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError):
            continue
        if str(marker) in words or ("spawn_main" in words and parent == 1):
            found.append((pid, words))
    return found


def test_ctrl_c_keeps_what_was_graded(class_of_two, judge, template, capsys, monkeypatch):
    def interrupt(made):
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(
        run, "store", lambda folder, result: interrupt(result) if result.student == "bob" else store(folder, result)
    )
    shutil.copytree(template.parent, class_of_two / "grades")
    assert main(["grade", str(class_of_two / "submitted"), "--out", str(class_of_two / "grades")]) == 130
    assert "what was graded is kept" in capsys.readouterr().err.lower()
    assert stored(class_of_two / "grades" / "results", "alice", TWO).points == 8
    monkeypatch.setattr(run, "store", store)
    assert main(["grade", str(class_of_two / "submitted"), "--out", str(class_of_two / "grades")]) == 0
    assert judge == ["alice", "bob", "bob"]
    assert signal.getsignal(signal.SIGINT) is before  # not the default where a shell started this in its background
