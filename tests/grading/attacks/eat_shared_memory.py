"""Takes shared memory in five processes at once, which a count of private pages leaves out."""

CODE = """
import mmap, os, time

def responsibilities(log_joint):
    for _ in range(5):
        if os.fork() == 0:
            held = mmap.mmap(-1, 600 * 2**20)
            for at in range(0, len(held), 4096):
                held[at] = 1
            time.sleep(60)
    time.sleep(60)
"""
SEEN = "more than 2048 MiB of memory"
