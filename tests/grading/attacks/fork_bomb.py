"""Starts processes that start processes."""

CODE = """
import os, time

def responsibilities(log_joint):
    stopped, first = False, os.getpid()
    for level in range(7):  # 128 of them, where nothing stops it
        try:
            os.fork()
        except BlockingIOError:
            stopped = True
    if os.getpid() != first:
        time.sleep(600)
    time.sleep(0 if stopped else 5)
    raise RuntimeError("no more processes than allowed" if stopped else "as many as it liked")
"""
SEEN = "no more processes than allowed|more than 16 processes|more than 2048 MiB"
