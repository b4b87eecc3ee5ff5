"""Runs code of its own in the jail's first process, which has no limits unless somebody sets them, to take memory there."""

CODE = """
import resource

def responsibilities(log_joint):
    names = ("RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_CORE", "RLIMIT_NOFILE")
    mine = [resource.getrlimit(getattr(resource, n)) for n in names]
    held = {}
    for line in open("/proc/1/limits"):
        for words, name in (("Max address space", 0), ("Max file size", 1), ("Max core file size", 2), ("Max open files", 3)):
            if line.startswith(words):
                held[name] = tuple(int(n) for n in line[26:].split()[:2])
    assert all(held[i] == mine[i] for i in held) and len(held) == 4, (held, mine)
    raise RuntimeError("the first process has the same limits")
"""
SEEN = "the first process has the same limits"
NEEDS = "bubblewrap"
