"""The broker's own files: who wrote which batch, in which transaction, and how that ended.

No client is told so. A committed reader sees neither aborted records nor producers, and nobody is told when a
transaction's marker was written; the log on the broker's disk says it all. Only headers are read, never records, but
for the markers. Source: Kafka's protocol guide, "Record Batch" (version 2) and "Control Batches".
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_HEADER = struct.Struct(">qiibIhiqqqhii")
_LENGTH_FROM = 12
"""What the length leaves out: the base offset and itself."""

_TRANSACTIONAL, _CONTROL = 0x10, 0x20
_MARKER = struct.Struct(">hh")
_COMMIT = 1


class Session(NamedTuple):
    """One opening of a partition by one worker: each `init_transactions` begins another epoch."""

    producer_id: int
    epoch: int


class Batch(NamedTuple):
    """The header of a batch. `commits` says of a transaction's marker how it ended it, and is `None` of any other."""

    first_offset: int
    last_offset: int
    session: Session
    records: int
    time_ms: int
    transactional: bool
    commits: bool | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """What one transaction wrote to one partition.

    `spans` are the first and last offsets of its batches. `ended_offset` and `ended_ms` are its marker's, by the
    broker's clock. A transaction without a marker is still open: `committed` is `None`.
    """

    session: Session
    spans: tuple[tuple[int, int], ...]
    records: int
    began_ms: int
    committed: bool | None = None
    ended_offset: int = -1
    ended_ms: int = -1

    @property
    def first_offset(self) -> int:
        """Where it begins in the partition."""
        return self.spans[0][0]


def read_batches(data: Path, topic: str, partition: int) -> Iterator[Batch]:
    """The batches of a partition as they stand in the broker's directory now, in order."""
    for segment in sorted((data / f"{topic}-{partition}").glob("*.log")):
        yield from _batches(segment.read_bytes())


def _batches(log: bytes) -> Iterator[Batch]:
    at = 0
    while at + _HEADER.size <= len(log):
        first, length, _, _, _, attributes, last_delta, began, newest, producer, epoch, _, count = _HEADER.unpack_from(
            log, at
        )
        end = at + _LENGTH_FROM + length
        if length <= 0 or end > len(log):
            return  # half written: the broker is at it
        transactional, control = bool(attributes & _TRANSACTIONAL), bool(attributes & _CONTROL)
        commits = _marker(log[at + _HEADER.size : end]) == _COMMIT if control else None
        moment = newest if control else began
        session = Session(producer, epoch)
        yield Batch(first, first + last_delta, session, count, moment, transactional, commits)
        at = end


def _marker(record: bytes) -> int:
    """The type in the key of a control record: length, attributes, two deltas and the key's length come before it."""
    at = _after_varint(record, 0) + 1
    for _ in range(3):
        at = _after_varint(record, at)
    kind: int = _MARKER.unpack_from(record, at)[1]
    return kind


def _after_varint(data: bytes, at: int) -> int:
    while data[at] & 0x80:
        at += 1
    return at + 1


def transactions_of(batches: Iterator[Batch]) -> list[Transaction]:
    """The transactions of a partition, in the order in which they ended; open ones come last."""
    open_now: dict[int, list[Batch]] = {}
    ended: list[Transaction] = []
    for batch in batches:
        producer = batch.session.producer_id
        if batch.commits is not None:
            if producer in open_now:
                ended.append(_transaction(open_now.pop(producer), batch))
        elif batch.transactional:
            open_now.setdefault(producer, []).append(batch)
    return ended + [_transaction(left, None) for left in open_now.values()]


def _transaction(batches: list[Batch], marker: Batch | None) -> Transaction:
    return Transaction(
        session=batches[0].session,
        spans=tuple((batch.first_offset, batch.last_offset) for batch in batches),
        records=sum(batch.records for batch in batches),
        began_ms=batches[0].time_ms,
        committed=None if marker is None else marker.commits,
        ended_offset=-1 if marker is None else marker.first_offset,
        ended_ms=-1 if marker is None else marker.time_ms,
    )
