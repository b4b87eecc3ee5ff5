"""Writes one file without end, and one with a hole of a terabyte."""

CODE = """
import os, tempfile

def responsibilities(log_joint):
    said = []
    with tempfile.TemporaryFile() as file:
        for act in (lambda: [file.write(bytes(2**20)) for _ in range(64)], lambda: os.truncate(file.fileno(), 2**40)):
            try:
                act()
            except OSError as error:
                said.append(error.strerror)
        raise RuntimeError(f"{said}")
"""
SEEN = r"\['File too large', 'File too large'\]"
