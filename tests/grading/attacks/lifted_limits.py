"""Raises its limits, ignores the signal that tells of them, and sleeps and loops past them."""

CODE = """
import resource, signal, time

def responsibilities(log_joint):
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    raised = []
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
        try:
            resource.setrlimit(kind, (resource.getrlimit(kind)[1] + 1,) * 2)
            raised.append(kind)
        except (ValueError, OSError):
            pass
    if raised:
        raise RuntimeError(f"raised {raised}")
    resource.setrlimit(resource.RLIMIT_CPU, (resource.getrlimit(resource.RLIMIT_CPU)[1],) * 2)
    while True:
        time.sleep(0.1)
"""
SEEN = "did not end within 6 s"
