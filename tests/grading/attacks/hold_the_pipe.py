"""Ends the worker, while a process of another session keeps the pipe to the judge open and says nothing."""

CODE = """
import os, time

def responsibilities(log_joint):
    if os.fork() == 0:
        os.setsid()
        time.sleep(600)
    os._exit(0)
"""
SEEN = "ended the whole process|did not end within"
