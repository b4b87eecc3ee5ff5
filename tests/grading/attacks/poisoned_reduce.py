"""Sends a pickle that writes a file when a grader loads it; a dishonest worker sends what it likes."""

from tests.grading.attacks import PIPE

CODE = (
    PIPE
    + """
import pickle

class Poison:
    def __reduce__(self):
        return os.system, ("touch @CANARY@/@TOKEN@ /tmp/@TOKEN@",)

answer_always(message(pickle.dumps(Poison())))

def responsibilities(log_joint):
    return Poison()
"""
)
SEEN = r"could not be read \(no message: UnicodeDecodeError"
