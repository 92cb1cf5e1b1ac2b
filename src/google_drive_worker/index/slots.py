"""Slots: a directory of the worker's own under WORKER_STATE_DIR, held as long as the process lives.

Several workers may share a directory, on one machine or one volume. LMDB's own lock would let two of them write one
store; so each takes the first slot that no other process holds.
"""

import fcntl
import os
from pathlib import Path

from google_drive_worker.utils.errors import Misconfigured

SLOTS = 1_024
"""How many workers may share one directory."""


class Slot:
    """A slot that is held until `release`, or the end of the process."""

    def __init__(self, directory: Path, descriptor: int) -> None:
        self.directory = directory
        self._descriptor = descriptor

    def partition_directory(self, name: str) -> Path:
        """Where a partition's store is."""
        return self.directory / name

    def release(self) -> None:
        """Let another process have it."""
        os.close(self._descriptor)


def take_slot(state_directory: Path) -> Slot:
    """Take the first free slot. Raises `Misconfigured` where the directory can't be used."""
    for number in range(SLOTS):
        directory = state_directory / f"slot-{number}"
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            raise Misconfigured(
                f"WORKER_STATE_DIR={state_directory} can't be used: {problem.strerror}; set it to a directory that "
                "the worker may write"
            ) from problem
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
        else:
            return Slot(directory, descriptor)
    raise Misconfigured(f"WORKER_STATE_DIR={state_directory}: all {SLOTS} slots are taken")


def boot_id() -> str:
    """What tells one boot of the machine from the next; where that can't be told, no store outlives its process."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"process {os.getpid()}"
