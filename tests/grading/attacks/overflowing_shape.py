"""Answers a cell with an empty tensor whose strides no computer can hold: torch raises what a reader may not expect."""

from tests.grading.attacks import PIPE

CODE = (
    PIPE
    + """
answer_always(message({"dict": {"value": {"tensor": "torch.float32", "shape": [2**39, 2**39, 0]}}}))
"""
)
SEEN = "its answer could not be read"
