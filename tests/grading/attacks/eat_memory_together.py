"""Takes memory in five processes at once, each within the limit of one."""

CODE = """
import os, time

def responsibilities(log_joint):
    for _ in range(5):
        if os.fork() == 0:
            held = bytearray(b"x") * (600 * 2**20)
            time.sleep(60)
    time.sleep(60)
"""
SEEN = "more than 2048 MiB of memory"
