"""A partition's local store: LMDB, a view of the committed changelog that is never ahead of it.

It is a cache: whatever is wrong with it, it is deleted and built again from the changelog. It is used without syncing,
so that it survives the process and not the machine; `open_store` keeps one that was closed in good order, of the same
topic and since the same boot, and nothing else.

LMDB writes into the mapped file, where a full disk would be a signal and no error: so the file is made as large as the
map before the map is.
"""

import errno
import os
import shutil
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import lmdb
import msgspec

from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.index.codec import (
    ENTRY,
    FORMAT,
    SEEN,
    IndexProblem,
    decode_seen,
    number_key,
    parent_in,
    split_key,
)
from google_drive_worker.utils.errors import Retryable

Message = tuple[bytes, bytes | None]
"""A message of the changelog: a key, and its value or (`None`) a tombstone."""

SMALLEST_MAP_BYTES = 8 << 20
"""How large an empty store is on the disk."""

AT_ONCE = 5_000
"""How many messages are applied in one transaction: what it changes stays in memory until its end."""

FREE_SHARE = 0.4
"""How much of the map has to be free before a transaction."""

TRUSTED_S = 3 * 24 * 3600.0
"""How long a store that was left in good order is gone on with: after that, tombstones may be gone from the changelog
that it has not seen."""

LONGEST_ID_BYTES = 400
"""LMDB's keys end at 511 bytes. Google's ids have 44 at most; an item of a longer one is not held here."""

_HEADER = b"\0header"
_NUMBERS = b"\1"
_SEEN_ITEM = b"h"
_CRC_BYTES = 4


class Identity(NamedTuple):
    """Which changelog a store is of, and since which boot of the machine it has been written."""

    cluster_id: str
    topic_id: str
    partition: int
    boot_id: str


class _Header(msgspec.Struct):
    format: bytes
    identity: Identity
    offset: int | None = None
    marked_at_s: float = 0.0


class StateDiskFull(Retryable):
    """The disk under WORKER_STATE_DIR is full: this partition can't go on, others can."""

    code = "state_disk_full"


class LocalStore:
    """Holds the changelog's last messages by key. One thread applies; any thread reads."""

    def __init__(self, directory: Path, identity: Identity) -> None:
        self._directory = directory
        self._identity = identity
        self._lock = threading.Lock()
        self._closed = False
        directory.mkdir(parents=True, exist_ok=True)
        self._map_bytes = max(SMALLEST_MAP_BYTES, _size_of(directory / "data.mdb"))
        self._env = lmdb.open(
            str(directory),
            map_size=self._map_bytes,
            max_dbs=3,
            writemap=True,
            sync=False,
            metasync=False,
            lock=False,  # the directory is this process' own, by a lock of ours
            max_readers=64,
        )
        try:
            _allocate(directory / "data.mdb", self._map_bytes)
        except BaseException:
            self._env.close()
            raise
        self._items = self._env.open_db(b"items")
        self._children = self._env.open_db(b"children")
        self._meta = self._env.open_db(b"meta")
        self._numbers = self._read_numbers()

    def offset(self) -> int | None:
        """Up to where the changelog is held, where that is known: after it was closed in good order."""
        with self._env.begin(db=self._meta) as txn:
            value = txn.get(_HEADER)
        if value is None:
            return None
        try:
            header = msgspec.msgpack.decode(value, type=_Header)
        except msgspec.MsgspecError:
            return None
        is_ours = (header.format, header.identity) == (FORMAT, self._identity)
        return header.offset if is_ours and 0 <= time.time() - header.marked_at_s < TRUSTED_S else None

    def mark(self, offset: int | None) -> None:
        """Note up to where the changelog is held, or (`None`) that this can't be told from now on."""
        header = _Header(FORMAT, self._identity, offset, time.time())
        with self._env.begin(db=self._meta, write=True) as txn:
            txn.put(_HEADER, msgspec.msgpack.encode(header))
        if offset is not None:
            self._env.sync(True)

    def close(self, offset: int | None = None) -> None:
        """Let go of the files; nothing that is applied later changes them. `offset` is as `mark`'s."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if offset is not None:
                self.mark(offset)
            self._env.close()

    def apply(self, messages: Sequence[Message]) -> None:
        """Take committed messages in their order. Raises `StateDiskFull`; what is none of the index's is left out."""
        last = dict(messages)
        # Tombstones first: a hash of a run that is over may be in another one as well.
        ordered = sorted(last.items(), key=lambda each: (each[1] is not None, each[0]))
        for begin in range(0, len(ordered), AT_ONCE):
            self._grow()
            with self._lock:
                if self._closed:
                    return
                self._apply(ordered[begin : begin + AT_ONCE])

    def _apply(self, messages: Sequence[Message]) -> None:
        puts: list[tuple[bytes, bytes]] = []
        hints: list[tuple[bytes, bytes]] = []
        with self._env.begin(write=True, db=self._items) as txn:
            for key, value in messages:
                try:
                    connection_id, kind, own_id = split_key(key)
                    if len(own_id) > LONGEST_ID_BYTES:
                        continue
                    number = self._number_of(connection_id, txn)
                    local = number + kind + own_id
                    if kind == SEEN:
                        self._apply_seen(txn, number, local, value)
                    elif value is not None and kind == ENTRY and (parent_id := parent_in(value)) is not None:
                        hints.append((number + parent_id.encode() + b"\0" + own_id, b""))
                except IndexProblem:
                    continue
                if value is None:
                    txn.delete(local)
                else:
                    puts.append((local, zlib.crc32(value).to_bytes(_CRC_BYTES, "big") + value))
            with txn.cursor(db=self._items) as cursor:
                cursor.putmulti(puts)
            with txn.cursor(db=self._children) as cursor:
                cursor.putmulti(hint for hint in hints if len(hint[0]) <= 511)  # noqa: PLR2004 - LMDB's limit

    def _apply_seen(self, txn: lmdb.Transaction, number: bytes, local: bytes, value: bytes | None) -> None:
        """A run of hashes stands item by item as well; with the run they go."""
        if value is not None:
            for each in decode_seen(value):
                txn.put(number + _SEEN_ITEM + each, b"")
            return
        before = txn.get(local)
        for each in decode_seen(_checked(bytes(before))) if before is not None else ():
            txn.delete(number + _SEEN_ITEM + each)

    def get(self, connection_id: ConnectionId, kind: bytes, own_id: bytes) -> bytes | None:
        """The value under a key; one that is damaged is missing, and the store is not to be trusted any more."""
        number = self._numbers.get(connection_id)
        if number is None or len(own_id) > LONGEST_ID_BYTES:
            return None
        with self._lock, self._env.begin(db=self._items) as txn:
            value = txn.get(number + kind + own_id)
        return None if value is None else _checked(bytes(value))

    def is_seen(self, connection_id: ConnectionId, seen_hash: bytes) -> bool:
        """Whether an item is in a run of those that were seen."""
        number = self._numbers.get(connection_id)
        if number is None:
            return False
        with self._lock, self._env.begin(db=self._items) as txn:
            return txn.get(number + _SEEN_ITEM + seen_hash) is not None

    def children(self, connection_id: ConnectionId, folder_id: bytes, after: bytes | None) -> Iterator[bytes]:
        """The ids of items that may be in a folder, sorted: hints, to be held against their entries."""
        number = self._numbers.get(connection_id)
        if number is None:
            return
        prefix = number + folder_id + b"\0"
        yield from (key[len(prefix) :] for key, _ in self._range(self._children, prefix, after))

    def scan(self, connection_id: ConnectionId, kind: bytes, after: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        """Ids and values of one kind, sorted by id."""
        number = self._numbers.get(connection_id)
        if number is None:
            return
        prefix = number + kind
        for key, value in self._range(self._items, prefix, after):
            yield key[len(prefix) :], _checked(value)

    def _range(self, table: lmdb._Database, prefix: bytes, after: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        """What begins with a prefix, read some at a time, so that no transaction is open while the caller works."""
        at = prefix if after is None else prefix + after + b"\0"
        while True:
            with self._lock, self._env.begin(db=table) as txn, txn.cursor(db=table) as cursor:
                found: list[tuple[bytes, bytes]] = []
                if cursor.set_range(at):
                    for key, value in cursor:
                        if not key.startswith(prefix) or len(found) == _READ_AT_ONCE:
                            break
                        found.append((bytes(key), bytes(value)))
            yield from found
            if len(found) < _READ_AT_ONCE:
                return
            at = found[-1][0] + b"\0"

    def _number_of(self, connection_id: ConnectionId, txn: lmdb.Transaction) -> bytes:
        number = self._numbers.get(connection_id)
        if number is None:
            number = self._numbers[connection_id] = number_key(len(self._numbers))
            txn.put(_NUMBERS + connection_id.encode()[:LONGEST_ID_BYTES], number, db=self._meta)
        return number

    def _read_numbers(self) -> dict[ConnectionId, bytes]:
        numbers: dict[ConnectionId, bytes] = {}
        with self._env.begin(db=self._meta) as txn, txn.cursor() as cursor:
            if cursor.set_range(_NUMBERS):
                for key, value in cursor:
                    if key.startswith(_NUMBERS):
                        numbers[ConnectionId(key[1:].decode())] = bytes(value)
        return numbers

    def _grow(self) -> None:
        """Make room for the next transaction."""
        with self._lock:
            if self._closed:
                return
            used = self._env.info()["last_pgno"] * self._env.stat()["psize"]
            if used <= self._map_bytes * (1 - FREE_SHARE):
                return
            larger = 2 * self._map_bytes
            _allocate(self._directory / "data.mdb", larger)
            self._env.set_mapsize(larger)
            self._map_bytes = larger


_READ_AT_ONCE = 500


def open_store(directory: Path, identity: Identity) -> LocalStore:
    """Open a partition's store: as it was left, where that can be trusted, else an empty one."""
    if _is_sound(directory):
        store = LocalStore(directory, identity)
        if store.offset() is not None:
            return store
        store.close()
    shutil.rmtree(directory, ignore_errors=True)
    return LocalStore(directory, identity)


CLEAN = "clean"
"""A file beside the store's that is there only between a close in good order and the next opening: without it nothing
is read of the store, since damaged files of LMDB's kill the process."""


def leave_clean(directory: Path) -> None:
    """Note that the store was closed in good order."""
    (directory / CLEAN).touch()


def _is_sound(directory: Path) -> bool:
    """Whether the store was closed in good order; it is not so any more from now on."""
    try:
        (directory / CLEAN).unlink()
    except OSError:
        return False
    return True


def _checked(value: bytes) -> bytes:
    crc, body = value[:_CRC_BYTES], bytes(value[_CRC_BYTES:])
    if int.from_bytes(crc, "big") != zlib.crc32(body):
        raise Retryable("the local store is damaged; it is built again", code="state_damaged")
    return body


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _allocate(path: Path, size_bytes: int) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size_bytes)
        finally:
            os.close(descriptor)
    except OSError as problem:
        if problem.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise StateDiskFull(f"no room for {size_bytes >> 20} MB under WORKER_STATE_DIR") from problem
        raise Retryable(
            f"WORKER_STATE_DIR can't be written: {problem.strerror}", code="state_directory_unusable"
        ) from problem
