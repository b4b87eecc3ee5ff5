"""The folder of grades: one run at a time, and the course's secret."""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """One run at a time in a folder; the lock goes with the process, however it ends."""
    try:
        lock = sqlite3.connect(out / ".lock", timeout=0, isolation_level=None)
    except sqlite3.Error as error:
        raise ValueError(f"{out} must be a folder that you can write to ({error})") from None
    with closing(lock):
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if "locked" in str(error):
                raise ValueError(f"another run is at work in {out}: wait for it, or stop it") from None
            raise ValueError(f"{out / '.lock'} cannot be used as a lock ({error}): delete it") from None
        yield


def secret_of(file: Path, *, make: bool = False) -> bytes:
    """The course's secret, from which the graded cases are drawn; `make` one if there is none, for the owner's eyes only."""
    if make and not file.exists():
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
            made.write(secrets.token_hex(32))
    if not file.is_file():
        raise ValueError(f"there must be a secret in {file}, there is no such file: leave --secret out to have one made")
    found = file.read_text(encoding="utf-8").strip().encode()
    if len(found) < 16:
        raise ValueError(f"the secret in {file} must have at least 16 characters, it has {len(found)}: delete it for a new one")
    return found
