"""What one submission may use of the machine."""

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """What one submission may use. `seconds` bounds one cell or one question in CPU time, `wall` in time on the clock."""

    seconds: int = 30
    wall: float = 90.0
    total: float = 300.0  # on the clock, for the whole submission
    memory: int = 4096 * MIB  # address space of a process, and what all of them hold together
    processes: int = 32
    file: int = 16 * MIB  # a file
    folder: int = 64 * MIB  # all files, with bubblewrap

    def bounds(self, *, processes: bool) -> dict[str, int]:
        """The kernel's limits by name. That of processes would count all that an ordinary user runs, outside of a jail."""
        known = {"AS": self.memory, "FSIZE": self.file, "NOFILE": 256, "CORE": 0, "CPU": int(self.total)}
        return known | {"NPROC": self.processes} if processes else known


def limits_of(seconds: int | None) -> Limits:
    """The usual limits, with another computing time; clocks grow with it.

    Raises:
        ValueError: it is not at least a second.
    """
    if seconds is None:
        return Limits()
    if seconds < 1:
        raise ValueError(f"seconds must be at least 1, got {seconds}")
    return Limits(seconds=seconds, wall=3.0 * seconds, total=10.0 * seconds)
