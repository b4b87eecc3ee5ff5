"""Opens sockets of kinds that a network namespace does not hold back: to the hypervisor, into the kernel's ciphers."""

CODE = """
import socket

def responsibilities(log_joint):
    opened = []
    kinds = (("vsock", 40, socket.SOCK_STREAM), ("alg", 38, socket.SOCK_SEQPACKET), ("packet", 17, socket.SOCK_RAW))
    for name, number, kind in kinds:
        try:
            socket.socket(number, kind).close()
            opened.append(name)
        except OSError:
            pass
    raise RuntimeError(f"opened {opened}")
"""
SEEN = r"opened \[\]"
NEEDS = "bubblewrap"
