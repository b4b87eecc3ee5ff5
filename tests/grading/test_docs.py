"""docs/instructors.md does what it says: its commands are run as they stand there."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

from genedu.cli import parser
from tests.exercises.common import ROOT

TEXT = (ROOT / "docs" / "instructors.md").read_text()


def test_the_first_class_is_graded_as_written(tmp_path, sandbox):
    [commands] = re.findall(r"```sh\n(.*?)```", TEXT, re.S)
    for name in ("solutions", "exercises"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    env = {**os.environ, "GENEDU_PROGRESS": "0"}
    done = subprocess.run(
        ["sh", "-ec", commands], cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "graded 2" in done.stdout and not done.stderr
    with (tmp_path / "grades" / "totals.csv").open() as file:
        assert {r[0]: r[1] for r in csv.reader(file)} == {"student": "01_generative_and_discriminative", "ada": "10", "bob": "0"}
    table = re.findall(r"^\| (`[^|]*`) \|", TEXT[TEXT.index("| in `grades/`") :], re.M)
    names = [name.replace("STUDENT", "ada").replace("NN_name", "01_generative_and_discriminative") for row in table for name in
             re.findall(r"`([^`]+)`", row)]  # fmt: skip
    assert len(names) == 8 and not [name for name in names if not (tmp_path / "grades" / name).exists()]


def test_every_option_that_it_names_is_there_and_the_other_way_round():
    judge = next(a for a in parser()._actions if a.dest == "command").choices["grade"]
    known = {o for a in judge._actions for o in a.option_strings if o.startswith("--")} - {"--help"}
    named = set(re.findall(r"`(--[a-z-]+)", TEXT))
    assert named <= known | {"--force"} and {"--workers", "--seconds", "--pseudonyms", "--scheduler"} <= named


def test_its_make_targets_and_files_are_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"make ([a-z-]+)", TEXT)) - {"namespaces"} <= targets
    for place in ("nbgrader_config.py", "solutions", "genedu/checks", "tests/exercises", "tests/grading"):
        assert place in TEXT and Path(ROOT / place).exists()


def test_its_limits_are_those_of_the_code():
    from genedu.grading.limits import Limits

    limits = Limits()
    assert (limits.seconds, limits.total, limits.memory, limits.processes, limits.folder) == (30, 300.0, 4 << 30, 32, 64 << 20)
    for words in ("30 s of computing time", "5 minutes in all", "4 GiB", "32\nprocesses", "/tmp is 64 MB"):
        assert words in TEXT, words
