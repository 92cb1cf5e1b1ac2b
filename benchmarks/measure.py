"""What a process used: processor time and memory, from the kernel's own account (Linux)."""

import os
import resource
import time
from pathlib import Path
from typing import NamedTuple

import msgspec

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """A moment of a process: wall clock and processor seconds, user and system, of all its threads."""

    wall_s: float
    cpu_s: float


class Result(msgspec.Struct, frozen=True):
    """One run of one variant. Processor seconds are of the measured process alone, its start-up left out."""

    variant: str
    records: int
    wall_s: float
    cpu_s: float
    peak_mb: float

    @property
    def per_second(self) -> float:
        """Records a second of wall time."""
        return self.records / self.wall_s

    @property
    def per_cpu_second(self) -> float:
        """Records a second of processor time."""
        return self.records / self.cpu_s

    @property
    def cpu_us(self) -> float:
        """Microseconds of processor time a record."""
        return self.cpu_s / self.records * 1e6


def usage_of(pid: int) -> Usage:
    """The usage of another process; ticks of 10 ms, which is why a run takes seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Usage(time.monotonic(), (int(fields[11]) + int(fields[12])) / _TICKS_PER_S)


def peak_mb_of(pid: int) -> float:
    """The most memory that a process has ever held, in MB (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def resident_mb_of(pid: int) -> float:
    """The memory that a process holds now, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def usage_here() -> Usage:
    """The usage of this process."""
    return Usage(time.monotonic(), time.process_time())


def peak_mb_here() -> float:
    """The most memory that this process has ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def result(variant: str, records: int, begin: Usage, end: Usage, peak_mb: float) -> Result:
    """What was used between two moments."""
    return Result(variant, records, end.wall_s - begin.wall_s, end.cpu_s - begin.cpu_s, peak_mb)
