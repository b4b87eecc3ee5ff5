"""Takes memory in processes that have left their parent, which a count from the worker downwards leaves out."""

CODE = """
import os, time

def responsibilities(log_joint):
    for _ in range(5):
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
            held = bytearray(b"x") * (600 * 2**20)
            time.sleep(60)
    time.sleep(60)
"""
SEEN = "more than 2048 MiB of memory"
