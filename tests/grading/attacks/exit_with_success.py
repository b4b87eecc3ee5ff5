"""Ends the process with status 0 before a verdict can be given."""

CODE = """
import os

def responsibilities(log_joint):
    os._exit(0)
"""
SEEN = r"ended the whole process \(exit status 0\)"
