"""Fails with words that would run in a page, colour a terminal, turn text round or fill it."""

from tests.grading.attacks import PIPE

CODE = (
    PIPE
    + """
words = "<script>alert(1)</script>\\x1b[2J\\u202e\\ud800\\0\\n=cmd|'/c calc'!A1" + "x" * 500_000

def responsibilities(log_joint):
    answer_always(message({"dict": {"failed": [words, "</td><script>"]}}))
"""
)
SEEN = r"(?m)^<script>alert"
POINTS: dict[str, int] = {}
