"""What student code sees of genedu while it is graded: a copy without checks, judge and the files that hold answers."""

import atexit
import compileall
import shutil
import tempfile
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
INSTRUCTORS = ("checks", "grading")  # packages that students' code does not see
NEEDED = ("grading/__init__.py", "grading/wire.py", "grading/worker.py")  # but for what the worker itself consists of
STAND_IN = '''"""Checks are silent while work is graded: the judge sits in another process."""


def check(*question, **more):
    pass


def points(*question, **more):
    return 0
'''
HELD_BACK = 'raise ImportError("{} of the library is held back while work is graded: an answer stands in it")\n'


@cache
def view(hidden: tuple[str, ...]) -> Path:
    """A folder to import genedu from, in which the `hidden` files ("density/em.py") only say so. Made once a process.

    Raises:
        ValueError: a hidden file is not there.
    """
    files = {file.relative_to(PACKAGE).as_posix(): file for file in sorted(PACKAGE.rglob("*.py"))}
    if missing := sorted(set(hidden) - set(files)):
        raise ValueError(f"the files to hide must be files of genedu, there is no {missing[0]!r}")
    made = Path(tempfile.mkdtemp(prefix="genedu-view-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    made.chmod(0o755)  # for a worker that is another user
    for name, file in files.items():
        if name.split("/")[0] in INSTRUCTORS and name not in NEEDED:
            continue
        target = made / "genedu" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(HELD_BACK.format(name) if name in hidden else file.read_text(encoding="utf-8"), encoding="utf-8")
    (made / "genedu" / "checks").mkdir()
    (made / "genedu" / "checks" / "__init__.py").write_text(STAND_IN)
    compileall.compile_dir(made, quiet=2)
    return made
