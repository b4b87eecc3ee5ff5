"""The same work on a Dask cluster of two local workers, each a process of its own: the same points."""

import os

import nbformat
import pytest

from genedu.grading import engine
from genedu.grading.course import assignments
from genedu.grading.judging import Job
from genedu.grading.run import Options, grade_class
from tests.exercises.common import ROOT
from tests.exercises.students import hand_in, released, students

NAME = "02_density_and_mixtures"


@pytest.fixture(scope="module")
def scheduler():
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50) as cluster:
        yield cluster.scheduler_address


def test_a_cluster_gives_the_same_points(tmp_path, sandbox, scheduler):
    for copy in range(2):
        for who, answers in students(NAME).items():
            place = tmp_path / "submitted" / f"{who}{copy}" / NAME / f"{NAME}.ipynb"
            place.parent.mkdir(parents=True)
            nbformat.write(hand_in(released(NAME), answers), place)
    options = Options(scheduler=scheduler, limits=sandbox.limits)
    done = grade_class(tmp_path / "submitted", tmp_path / "grades", ROOT, options)
    want = {who: sum(a.points for a in answers.values()) for who, answers in students(NAME).items()}
    assert {e.shown: e.points for e in done.entries} == {f"{who}{copy}": p for who, p in want.items() for copy in range(2)}
    assert done.graded == 6 and not done.gap


def test_the_work_is_done_by_the_workers(sandbox, scheduler):
    """Not here, and by both."""
    exercise = assignments(ROOT)[NAME]
    text = nbformat.writes(released(NAME)).encode()

    def job(i):
        return Job(f"s{i}", exercise, text, {a.question: i for a in exercise.asked.values()}, sandbox, f"print {i}")

    loads = [lambda i=i: job(i) for i in range(4)]
    with engine.cluster(scheduler) as judges:
        assert judges.window == 4
        places = {judges.executor.submit(os.getpid).result() for _ in range(20)}
        assert os.getpid() not in places
        found = dict(engine.judged(loads, judges))
    assert [found[load].fingerprint for load in loads] == [f"print {i}" for i in range(4)]
    assert {v.mistake for r in found.values() for v in r.verdicts} == {"not written"}


def test_a_scheduler_without_workers_is_told(tmp_path):
    from distributed import LocalCluster

    with LocalCluster(n_workers=0, processes=True, dashboard_address=":0", silence_logs=50) as empty:
        with pytest.raises(ValueError, match="has no workers"), engine.cluster(empty.scheduler_address):
            pass
