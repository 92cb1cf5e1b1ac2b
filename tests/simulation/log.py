"""The log: what is committed, in order, and the mirror that reads it."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from drive_simulator.truth.items import VisiblePermission
from google_drive_worker.demo.mirror import Difference, Mirror, Truth, compare
from google_drive_worker.domain.drive import SharedDrive, read_file
from google_drive_worker.entry import Entry
from google_drive_worker.sync.checkpoint import Checkpoint, decode_checkpoint, encode_checkpoint
from simulation.events import Events
from simulation.google import CONNECTION
from support.dict_index import DictIndex
from support.sharing import true_permissions

DATA_TOPIC = "ingestion.data"
ERRORS_TOPIC = "integration.errors"


class ErrorResource(msgspec.Struct, frozen=True):
    """What an error record is about."""

    type: str | None = None
    id: str | None = None


class ErrorCause(msgspec.Struct, frozen=True):
    """What it was, and what happens next."""

    code: str
    action: str


class ErrorRecord(msgspec.Struct, frozen=True):
    """An error record as on-call reads it."""

    error: ErrorCause
    resource: ErrorResource = ErrorResource()
    sync_id: str | None = None


_DECODE_ERROR = msgspec.json.Decoder(ErrorRecord).decode


@dataclass(slots=True)
class Log:
    """An append-only list of committed entries: their records go to two mirrors at once, one of which never sweeps;
    their state stays."""

    mirror: Mirror = field(default_factory=Mirror)
    unswept: Mirror = field(default_factory=lambda: Mirror(sweeps=False))
    state: bytes | None = None
    position: int = 0
    commits: int = 0
    errors: list[bytes] = field(default_factory=list)
    index: DictIndex = field(default_factory=DictIndex)
    events: Events = field(default_factory=Events)
    _offsets: "itertools.count[int]" = field(default_factory=itertools.count)

    def commit(self, entries: Sequence[Entry]) -> None:
        """All of it, in one transaction."""
        self.commits += 1
        for entry in entries:
            for outgoing in entry.messages():
                if outgoing.topic == DATA_TOPIC:
                    offset = next(self._offsets)
                    record = self.mirror.apply(outgoing.value, partition=0, offset=offset)
                    self.unswept.apply(outgoing.value, partition=0, offset=offset)
                    self.events.on_record(record)
                else:
                    self.errors.append(outgoing.value)
            if entry.connection_id is not None:
                self.events.on_checkpoint(entry.checkpoint)
                self.state = None if entry.checkpoint is None else encode_checkpoint(entry.checkpoint)
            self.index.apply(entry.changes)
            if entry.position is not None:
                self.position = entry.position

    def error_records(self) -> list["ErrorRecord"]:
        """All error records so far."""
        return [_DECODE_ERROR(each) for each in self.errors]

    def restore(self) -> Checkpoint | None:
        """The checkpoint as a worker reads it that starts now."""
        return None if self.state is None else decode_checkpoint(self.state)

    def differences(
        self,
        mirror: Mirror,
        files: dict[str, dict[str, object]],
        drives: dict[str, dict[str, object]],
        permissions: Mapping[tuple[str, str], VisiblePermission],
        *,
        untold: frozenset[str],
        include_trashed: bool,
    ) -> list[Difference]:
        """Where a mirror is not what Drive says."""
        truth = Truth(
            {file_id: read_file(msgspec.json.encode(file)) for file_id, file in files.items()},
            msgspec.convert(drives, dict[str, SharedDrive]),
            true_permissions(permissions),
            untold,
        )
        return compare(mirror, truth, CONNECTION, include_trashed=include_trashed)
