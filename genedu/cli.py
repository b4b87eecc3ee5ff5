"""The command `genedu`.

    genedu start 01            copies chapter 01 and its exercise to my/, where running them changes nothing of the course
    genedu doctor              says what is installed, what is missing, and what to type
    genedu train nade          trains a model of the library and says how good it is
    genedu grade submitted/    grades what students handed in, each notebook in a sandbox

Here are its words and its exit status; the work is done in `genedu.start`, `genedu.doctor`, `genedu.train` and
`genedu.grading`.
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from genedu import __version__
from genedu.doctor import examine, report, status
from genedu.start import GET, checkout, next_step, start

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = """examples:
  genedu start 01               copy chapter 01 and its exercise to my/ and say how to open them
  genedu start 01 --fresh       copy them anew; your old ones are moved aside, not lost
  genedu start 01 --to ~/dgm    copy them to a folder of your choice
  genedu doctor                 what is installed, what is missing, what to type
  genedu train nade             train NADE on the digits, print its test NLL
  genedu train nade --data mnist    the same on MNIST, beside published figures
  genedu grade submitted/       grade submitted/STUDENT/NN_name/NN_name.ipynb into grades/
  genedu grade moodle.zip       the same for what a learning platform exports
"""
GRADE = """SUBMISSIONS is a folder in nbgrader's layout (submitted/STUDENT/NN_name/NN_name.ipynb), a flat folder of notebooks, or
a zip as learning platforms export it. Afterwards grades/ holds index.html (the class), feedback/ (a page a student), grades.csv
(a row a question), totals.csv (a row a student) and nbgrader's gradebook.db. Run it again at any time: only what changed is
graded, and points that you set by hand stay. docs/instructors.md says more.
"""
TRAIN = """MODEL is nade, made, deep_nade or pixel_cnn. The output gives the test NLL in nats an image and in bits a dimension,
beside published figures where there are some, and warns where bits or images differ from those. MNIST is fetched once (12 MB), or
read from the folder that the environment variable GENEDU_DATA names. That folder may hold all four files, or only
t10k-images-idx3-ubyte.gz: then its 10 000 images are split 8000/1000/1000, and nothing published compares. GENEDU_DEVICE=cuda
trains on a GPU. Ctrl-C is safe: with --out the same command goes on later.
"""


def parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    about = "Deep generative models: a course that one runs."
    made = argparse.ArgumentParser(prog="genedu", description=about, epilog=EXAMPLES, formatter_class=form)
    made.add_argument("--version", action="version", version=f"genedu {__version__}")
    commands = made.add_subparsers(dest="command", metavar="command")
    begin = commands.add_parser("start", help="copy a chapter and its exercise to your own folder")
    begin.add_argument("chapter", nargs="?", default="", help="01, 1 or 01_name")
    begin.add_argument("--to", type=Path, metavar="FOLDER", help="where to (default: my/ in the course's folder)")
    begin.add_argument("--fresh", action="store_true", help="copy anew; an old copy is moved aside to NAME.before-1.ipynb")
    commands.add_parser("doctor", help="what is installed, what is missing, what to type")
    teach = commands.add_parser("train", help="train a model, print its test NLL", description=TRAIN, formatter_class=form)
    teach.add_argument("model", metavar="MODEL")
    teach.add_argument("--data", default="digits", metavar="NAME", help="digits (default) or mnist")
    teach.add_argument(
        "--values", metavar="FORM", help="binary: a threshold (default for digits); drawn: once at random (for mnist); levels"
    )
    long = teach.add_mutually_exclusive_group()
    long.add_argument("--rounds", type=int, metavar="N", help="minibatches to train on")
    long.add_argument("--seconds", type=float, metavar="N", help="train for about as long")
    teach.add_argument("--seed", type=int, default=0, metavar="N", help="of weights and minibatches (default: 0)")
    teach.add_argument("--out", type=Path, metavar="FILE", help="keep weights and state of training there; go on if it exists")
    teach.add_argument("--samples", type=Path, metavar="FILE.png", help="a picture of 100 samples")
    judge = commands.add_parser("grade", help="grade a class", description=GRADE, formatter_class=form)
    judge.add_argument("submissions", type=Path, metavar="SUBMISSIONS")
    judge.add_argument(
        "--out", type=Path, default=Path("grades"), metavar="FOLDER", help="where the grades go (default: grades/)"
    )
    judge.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="notebooks at a time (default: %(default)s)"
    )
    judge.add_argument("--scheduler", default="", metavar="ADDRESS", help="send the work to a Dask cluster, tcp://host:8786")
    judge.add_argument(
        "--pseudonyms", action="store_true", help="tables and pages name no student; pseudonyms.csv tells who is who"
    )
    judge.add_argument("--seconds", type=int, metavar="N", help="computing time of one cell or one question (default: 30)")
    judge.add_argument(
        "--secret", type=Path, metavar="FILE", help="the course's secret (default: FOLDER/secret, made on first use)"
    )
    judge.add_argument("--limits-only", action="store_true", help="no bubblewrap: only for submissions that you trust")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0 fine, 1 `doctor` found a fault, 2 it cannot be done, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no ✓ shows ?
    words = parser().parse_args(argv)
    root = checkout(ROOT)
    if words.command == "doctor":
        sections = examine(root)
        print(report(sections))
        return status(sections)
    if words.command is None:
        parser().print_help()
        return 0
    try:
        if words.command == "train":
            return _train(words)
        if root is None:
            raise ValueError(GET)
        if words.command == "grade":
            return _grade(words, root)
        to = Path(os.path.abspath(words.to.expanduser() if words.to else root / "my"))
        copies = start(words.chapter, to=to, fresh=words.fresh, root=root)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"genedu: {error}", file=sys.stderr)
        return 2
    print(next_step(copies, to, root))
    return 0


def _train(words: argparse.Namespace) -> int:
    from genedu.train import train  # torch: not for the other commands

    out = words.out.expanduser() if words.out else None
    samples = words.samples.expanduser() if words.samples else None
    try:
        train(
            words.model,
            data=words.data,
            values=words.values,
            rounds=words.rounds,
            seconds=words.seconds,
            seed=words.seed,
            out=out,
            samples=samples,
        )
    except KeyboardInterrupt:
        kept = out is not None and out.exists()
        then = f"{out} keeps most of the training; the same command goes on from there" if kept else "nothing is kept"
        print(f"genedu: stopped, {then}", file=sys.stderr)
        return 130
    return 0


def _grade(words: argparse.Namespace, root: Path) -> int:
    from genedu.grading.limits import limits_of
    from genedu.grading.run import Options, grade_class  # torch and nbgrader: not for the other commands

    options = Options(
        workers=words.workers,
        scheduler=words.scheduler,
        pseudonyms=words.pseudonyms,
        limits=limits_of(words.seconds),
        jailed=not words.limits_only,
        secret=words.secret,
    )
    try:
        done = grade_class(words.submissions, words.out, root, options)
    except KeyboardInterrupt:
        print("genedu: stopped. What was graded is kept; the same command goes on from there", file=sys.stderr)
        return 130
    print(done.words())
    return 0
