"""Sends truth values whose bytes are 2, neither true nor false: they equal both where bytes are compared badly."""

from tests.grading.attacks import PIPE

CODE = {
    "02.4": PIPE
    + """
def collapsed(x, pi, mean, covariance):
    answer_always(message({"dict": {"value": {"tensor": "torch.bool", "shape": [len(pi)]}}}, b"\\2" * len(pi)))
    return pi > 1
"""
}
SEEN = "."
