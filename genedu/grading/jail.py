"""Bubblewrap's command line: what of the machine a jailed process sees.

It has no network and sees no other process. The system, Python and one folder of ours are there to read; /tmp is its own,
of a bounded size, in memory, and gone with it. All else, the course's folder and homes included, is not there.
"""

import os
import sys
from pathlib import Path

OURS = "/course"  # where the folder of ours appears
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc/ld.so.cache", "/etc/alternatives", "/nix/store")
PARTS = ("bin", "lib", "lib64", "share", "pyvenv.cfg")  # of Python's folders: a project may have its .venv's prefix as root


def command(bubblewrap: str, ours: Path, *, concealed: list[Path], folder: int, environment: dict[str, str]) -> list[str]:
    """Everything up to the program's own words. Root keeps just the right to become another user.

    Args:
        ours: a folder that appears as /course.
        concealed: folders that appear empty where they lie inside of what is shown.
        folder: bytes that fit into /tmp.
    """
    root = os.geteuid() == 0
    words = [bubblewrap, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    words += ["--cap-drop", "ALL"]
    words += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"] if root else ["--unshare-user"]
    words += ["--die-with-parent", "--new-session", "--clearenv"]
    words += [word for pair in environment.items() for word in ("--setenv", *pair)]
    words += ["--perms", "1777", "--size", str(folder), "--tmpfs", "/tmp"]  # first: Python itself may lie below /tmp
    words += mounts(concealed)
    words += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev", "--ro-bind", str(ours), OURS]
    return [*words, "--remount-ro", "/", "--chdir", "/tmp"]


def mounts(concealed: list[Path]) -> list[str]:
    """The system and Python, read-only, without the folders to conceal."""
    words, shown = [], []
    for path in map(Path, SYSTEM):
        if path.is_symlink() and path.parent == Path("/"):
            words += ["--symlink", os.readlink(path), str(path)]
        elif path.exists():
            shown.append(path)
    base = Path(sys.base_prefix)
    for prefix in dict.fromkeys((base.resolve(), base.absolute(), Path(sys.prefix).absolute())):  # a link may lead to it
        if not any(prefix.is_relative_to(s) for s in shown):
            shown += [prefix / part for part in PARTS if (prefix / part).exists()]
    above = {parent for path in shown for parent in path.parents if parent not in (Path("/"), Path("/tmp"))}
    words += [word for path in sorted(above) for word in ("--perms", "0755", "--dir", str(path))]  # else for root alone
    words += [word for path in shown for word in ("--ro-bind", str(path), str(path))]
    for secret in sorted({p.resolve() for p in concealed}):
        covered = any(secret.is_relative_to(p.resolve()) and secret != p.resolve() for p in concealed)
        if covered and not any(secret.is_relative_to(p) for p in python_inside(secret)):
            continue  # by one above it
        if secret.is_file() and any(secret.is_relative_to(s) for s in shown):
            words += ["--ro-bind", "/dev/null", str(secret)]
        elif any(secret.is_relative_to(s) for s in shown):
            words += ["--tmpfs", str(secret)]
            again = [s for s in dict.fromkeys((*shown, *python_inside(secret))) if s.is_relative_to(secret) and s != secret]
            words += [word for path in again for word in ("--ro-bind", str(path), str(path))]
            words += ["--remount-ro", str(secret)]
    return words


def python_inside(folder: Path) -> list[Path]:
    """The parts of the virtual environment, if it lies in the folder."""
    prefix = Path(sys.prefix).absolute()
    return [prefix / part for part in PARTS if (prefix / part).exists()] if prefix.is_relative_to(folder) else []
