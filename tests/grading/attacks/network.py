"""Connects to servers of the grader's machine, by address and by name, to send out what it was asked."""

CODE = """
import socket

def responsibilities(log_joint):
    said = []
    for kind, place in ((socket.AF_INET, ("127.0.0.1", @PORT@)), (socket.AF_UNIX, "\\0@SOCKET@")):
        with socket.socket(kind) as made:
            made.settimeout(1)
            try:
                made.connect(place)
                made.sendall(bytes(log_joint.numpy()))
                said.append("connected")
            except OSError as error:
                said.append(error.strerror)
    raise RuntimeError(f"{said}")
"""
SEEN = r"\['Connection refused', 'Connection refused'\]"
NEEDS = "bubblewrap"
