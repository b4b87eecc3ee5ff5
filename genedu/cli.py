"""The command `genedu`.

    genedu start 01    copies chapter 01 and its exercise to my/, where running them changes nothing of the course
    genedu doctor      says what is installed, what is missing, and what to type

Here are its words and its exit status; the work is done in `genedu.start` and `genedu.doctor`.
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
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0 fine, 1 `doctor` found a fault, 2 it cannot be done."""
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
        if root is None:
            raise ValueError(GET)
        to = Path(os.path.abspath(words.to.expanduser() if words.to else root / "my"))
        copies = start(words.chapter, to=to, fresh=words.fresh, root=root)
    except (ValueError, OSError) as error:
        print(f"genedu: {error}", file=sys.stderr)
        return 2
    print(next_step(copies, to, root))
    return 0
