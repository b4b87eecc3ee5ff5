"""Starts and buries processes without pause, so that whoever looks at them finds some gone, and then waits for ever."""

CODE = """
import os, time

def responsibilities(log_joint):
    for _ in range(2):
        if os.fork() == 0:
            while True:
                child = os.fork()
                if child == 0:
                    os._exit(0)
                os.waitpid(child, 0)
    time.sleep(600)
"""
SEEN = "did not end within 6 s"
