"""Makes the handle give back what the judge sent, in the hope that the right answer is among it."""

CODE = """
from genedu.handle import LocalHandle

LocalHandle.call = lambda self, arguments, **options: next(iter(arguments.values()))

def responsibilities(log_joint):
    raise RuntimeError("this is never called")
"""
SEEN = "take one row|logarithms"
POINTS: dict[str, int] = {}
