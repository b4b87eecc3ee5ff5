"""Writes when the worker ends: atexit, a thread that outlives all others, an object that is deleted."""

CODE = """
import atexit, threading, time

def write():
    for name in ("@CANARY@/@TOKEN@", "@CANARY@/gradebook.db", "/tmp/@TOKEN@"):
        try:
            open(name, "w").write("99")
        except OSError:
            pass

class Last:
    def __del__(self):
        write()

atexit.register(write)
last = Last()
waiting = [threading.Thread(target=lambda: (threading.main_thread().join(), write())) for _ in range(5)]
for thread in waiting:
    thread.start()

def responsibilities(log_joint):
    raise RuntimeError(f"{sum(t.is_alive() for t in waiting)} threads wait")
"""
SEEN = "5 threads wait"
NEEDS = "bubblewrap"
