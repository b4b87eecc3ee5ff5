"""Hostile submissions, a file each, named for what it tries; `tests.grading.test_attacks` says what must hold for all.

A file tells in its docstring what is tried. The rest is names:

    CODE      what stands in the cell of 02.1, or a dict: question -> what stands in its cell
    SEEN      a pattern in what the result says: without it, the attack did not get to the line that matters
    POINTS    what honest parts of the submission earn; by default 02.3 is answered rightly, for 2 points
    NEEDS     "bubblewrap" where limits alone do not protect
    notebook  instead of CODE: a function of the exercise as handed out (02.3 answered) that gives the file's bytes

In CODE, @CANARY@ is a folder that must not change, @ROOT@ the course's, @HOME@ the grader's home, @SITE@ the folder of
installed packages, @VIEW@ the original of what /course shows, @JUDGE@ the grader's process, @PORT@ and @SOCKET@ where a
server of the grader listens, @TOKEN@ a word that marks files and processes. Nothing here is run by importing it.
"""

# What several attacks begin with: the pipe to the judge, and messages as `genedu.grading.wire` writes them.
PIPE = """
import fcntl, json, os, stat, struct, sys, threading, time

def is_pipe(fd):
    try:
        return stat.S_ISFIFO(os.fstat(fd).st_mode) and fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
    except OSError:
        return False

PIPES = [fd for fd in range(3, 256) if is_pipe(fd)]
assert PIPES, "no pipe to the judge"

def send(data):
    for fd in PIPES:
        os.write(fd, data)

def message(text, tensors=b""):
    text = text if isinstance(text, bytes) else json.dumps(text).encode()
    return struct.pack("<II", len(text), len(tensors)) + text + tensors

def answer_always(forged):
    "From now on every answer of the worker is this message, at the time when one is due."
    from genedu.grading import wire

    wire.encode = lambda answer: forged
"""

# A list of things to try, of which each must fail; what it raises says how many did.
REFUSED = """
def refused(*attempts):
    done = []
    for attempt in attempts:
        try:
            done.append(repr(attempt())[:60])
        except BaseException:
            pass
    raise RuntimeError(f"refused {len(attempts) - len(done)} of {len(attempts)} {done}")
"""
