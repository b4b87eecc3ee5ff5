"""Rewrites genedu.checks so that it gives full points; a stand-in without judge is what it finds."""

CODE = """
import sys
import genedu.checks

genedu.checks.points = genedu.checks.outcomes = genedu.checks.judge = lambda *question, **more: 10
for name in ("genedu.checks.ch02", "genedu.grading.judging", "genedu.grading.results"):
    sys.modules[name] = genedu.checks

def responsibilities(log_joint):
    real = [n for n in ("ch02", "diagnose", "Outcome") if hasattr(genedu.checks, n)]
    raise RuntimeError(f"patched, of the real one there is {real}")
"""
SEEN = r"patched, of the real one there is \[\]"
