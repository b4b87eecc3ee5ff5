"""Leaves a word for the next worker in every place that may outlast this one, then ends it."""

CODE = {
    "02.1": """
import ctypes, glob, os, sys

libc = ctypes.CDLL(None)
KEY = int("@TOKEN@".split("-")[1][:7], 16)
HOME = os.path.expanduser("~")
PLACES = [HOME, "/tmp", "/var/tmp", "/dev/shm", "/run", "/dev/mqueue", os.path.dirname(os.path.dirname(os.__file__))]
FOUND = [p for p in PLACES if os.path.exists(p + "/@TOKEN@")] + (["semaphore"] if libc.semget(KEY, 1, 0) >= 0 else [])
FOUND += [v for v in os.environ if "TOKEN" in v] + (["variable"] if hasattr(torch, "left") else [])

def responsibilities(log_joint):
    for place in PLACES:
        try:
            open(place + "/@TOKEN@", "w").write("an answer")
        except OSError:
            pass
    libc.semget(KEY, 1, 0o1666)
    torch.left = os.environ["TOKEN"] = "an answer"
    os._exit(7)
""",
    "02.2": """
def m_step(x, r, ridge):
    raise RuntimeError(f"of the one before there is {FOUND}")
""",
}
SEEN = r"(?s)exit status 7.*of the one before there is \[\]"
NEEDS = "bubblewrap"
