"""Closes its connections and goes on."""

CODE = """
import os, time

def responsibilities(log_joint):
    os.closerange(3, 256)
    time.sleep(600)
"""
SEEN = "it closed its connection to the judge|did not end within 6 s"  # bubblewrap itself holds the pipe too
