"""Reads the solution, the check and the library's answer from where they lie on the grader's disk."""

CODE = """
import glob, os

def responsibilities(log_joint):
    places = ["@ROOT@", "/proc/1/root@ROOT@", "/proc/1/cwd", "@SITE@", "@VIEW@", "/course", "@HOME@", "/"]
    kinds = ["solutions/*/*.py", "genedu/checks/ch*.py", "genedu/density/em.py", "genedu/grading/judging.py", ".git/HEAD"]
    found = [f for place in places for kind in kinds for f in glob.glob(os.path.join(place, kind))]
    read = [f for f in found if "is held back" not in open(f).read()]
    raise RuntimeError(f"of {len(places) * len(kinds)} places, answers stand in {read}")
"""
SEEN = r"places, answers stand in \[\]"
NEEDS = "bubblewrap"
