"""A mirror of Drives rebuilt from `ingestion.data` alone, and its comparison with the truth.

It does what the contract asks of a consumer, and knows nothing else. Pure, but for the objects that records refer to:
bytes in, values out.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import msgspec

from google_drive_worker.domain.drive import DriveFile, SharedDrive
from google_drive_worker.domain.objects import ObjectRef

MAX_NOTES = 20
"""How many misorders are kept in words; all of them are counted."""


class Checksums(msgspec.Struct, frozen=True, gc=False):
    """A blob's checksums as a record carries them."""

    md5: str | None = None
    sha1: str | None = None
    sha256: str | None = None


class MirroredLabelField(msgspec.Struct, frozen=True, gc=False):
    """The values of a label's field; persons are kept as they come."""

    id: str
    values: tuple[object, ...] = ()


class MirroredLabel(msgspec.Struct, frozen=True, gc=False):
    """A label as a record carries it."""

    id: str
    fields: tuple[MirroredLabelField, ...] = ()


class MirroredGap(msgspec.Struct, frozen=True, gc=False):
    """A gap that the closing record of a full sync names."""

    scope: str
    id: str
    code: str | None = None
    message: str | None = None


class MirroredData(msgspec.Struct, frozen=True, gc=False):
    """The part of a record's `data` that the mirror holds; everything may be missing."""

    id: str
    type: str
    name: str | None = None
    mime_type: str | None = None
    size_bytes: int | None = None
    modified_at: str | None = None
    trashed: bool = False
    drive_id: str | None = None
    parents: tuple[str, ...] | None = None
    version: int | None = None
    checksums: Checksums | None = None
    status: str | None = None
    content: str | None = None
    resolved: bool | None = None
    counts: dict[str, int] | None = None
    file_id: str | None = None
    role: str | None = None
    grantee_type: str | None = None
    email_address: str | None = None
    domain: str | None = None
    inherited: bool | None = None
    inherited_from: str | None = None
    expires_at: str | None = None
    allow_file_discovery: bool | None = None
    view: str | None = None
    deleted: bool | None = None
    content_status: str | None = None
    path: tuple[str, ...] | None = None
    labels: tuple[MirroredLabel, ...] | None = None
    gaps: tuple[MirroredGap, ...] | None = None


class ReceivedRecord(msgspec.Struct, frozen=True, gc=False):
    """A record as its consumer reads it (platform contract, "Out: record")."""

    message_id: str
    integration_connection_id: str
    resource_type: str
    resource_id: str
    idempotency_key: str
    operation: Literal["upsert", "delete"]
    sync_id: str
    data: MirroredData
    payload_ref: ObjectRef | None = None
    content_ref: ObjectRef | None = None


_CLOSED = frozenset({"completed", "incomplete"})
"""The `data.status` of records that close a full sync."""

Fetch = Callable[[ObjectRef], bytes]
"""Gives an object's bytes. Raises where there is no such object, or another one in its place."""


def no_objects(ref: ObjectRef) -> bytes:
    """A `Fetch` for records that refer to nothing."""
    raise LookupError(f"there is no object store to have {ref.uri} from")


_decode_data = msgspec.json.Decoder(MirroredData).decode
_decode = msgspec.json.Decoder(ReceivedRecord).decode


@dataclass(slots=True)
class _Connection:
    held: dict[str, ReceivedRecord] = field(default_factory=dict)
    hanging: dict[str, set[str]] = field(default_factory=dict)
    versions: dict[str, int | None] = field(default_factory=dict)
    partition: int | None = None
    last_offset: int = -1
    closed_before: str = ""
    completed: list[str] = field(default_factory=list)
    closing: ReceivedRecord | None = None
    swept: list[ReceivedRecord] = field(default_factory=list)


@dataclass(slots=True)
class Mirror:
    """What a consumer holds after the records so far, and what it noticed on the way.

    `records` counts by (resource type, operation). `repeated_messages` counts records whose message id came before:
    what is committed exactly once never has any. `duplicates` counts, by sync id, records that say the same of the same
    version as one before in that sync: a full sync of a Drive at rest has none, while in an incremental one an item can
    stand in several change logs and be reread with its folder. `regressions` counts those whose version is under the
    held one (a listing that overtook another: the change log mends it); `misorders` what must never be: offsets that
    don't rise, a connection on two partitions, a record of a sync after a newer sync has closed. `fetch` reads the data
    that a record left in the object store, at once: an object must be there before its record. `sweeps` says whether
    the closing record of a completed full sync drops what is older.
    """

    fetch: Fetch = no_objects
    sweeps: bool = True
    records: Counter[tuple[str, str]] = field(default_factory=Counter)
    repeated_messages: int = 0
    duplicates: Counter[str] = field(default_factory=Counter)
    regressions: int = 0
    misorders: int = 0
    notes: list[str] = field(default_factory=list)
    _connections: dict[str, _Connection] = field(default_factory=dict)
    _seen: set[tuple[str, str, str, int | None, str | None, str | None]] = field(default_factory=set)
    _message_ids: set[str] = field(default_factory=set)

    @property
    def total(self) -> int:
        """All records applied so far."""
        return self.records.total()

    def apply(self, value: bytes, *, partition: int, offset: int) -> ReceivedRecord:
        """Apply one record; call it in the order of each partition. Raises `msgspec.MsgspecError` on what is none."""
        record = _decode(value)
        if record.payload_ref is not None:
            record = msgspec.structs.replace(record, data=_decode_data(self.fetch(record.payload_ref)))
        connection = self._connections.setdefault(record.integration_connection_id, _Connection())
        self.records[record.resource_type, record.operation] += 1
        self._check_order(connection, record, partition, offset)
        self._check_repetition(connection, record)
        if record.resource_type == "sync":
            self._close(connection, record)
        elif record.operation == "delete":
            self._drop(connection, record)
        else:
            connection.held[record.idempotency_key] = record
            owner_id, slash, _ = record.resource_id.partition("/")
            if slash:
                connection.hanging.setdefault(owner_id, set()).add(record.idempotency_key)
        return record

    def completed_syncs(self, connection_id: str) -> list[str]:
        """The ids of the connection's full syncs that have closed as completed, in order."""
        connection = self._connections.get(connection_id)
        return [] if connection is None else list(connection.completed)

    def closing(self, connection_id: str) -> ReceivedRecord | None:
        """The connection's last closing record, which names the gaps where the sync is incomplete."""
        connection = self._connections.get(connection_id)
        return None if connection is None else connection.closing

    def swept(self, connection_id: str) -> list[ReceivedRecord]:
        """What the connection's last closing record swept away: nothing where the sync is incomplete."""
        connection = self._connections.get(connection_id)
        return [] if connection is None else list(connection.swept)

    def held(self, connection_id: str, resource_type: str | None = None) -> Iterator[ReceivedRecord]:
        """What the mirror holds of a connection, of one resource type or of all."""
        connection = self._connections.get(connection_id)
        for record in () if connection is None else connection.held.values():
            if resource_type is None or record.resource_type == resource_type:
                yield record

    def _drop(self, connection: _Connection, record: ReceivedRecord) -> None:
        """An item takes along what hangs on it: everything whose id begins with its own and a slash."""
        connection.held.pop(record.idempotency_key, None)
        for key in connection.hanging.pop(record.resource_id, ()):
            connection.held.pop(key, None)

    def _close(self, connection: _Connection, record: ReceivedRecord) -> None:
        """A full sync closes. Only one that is completed sweeps: an incomplete one is closed once more when its gaps
        are filled, and what filled them came under later sync ids."""
        if record.data.status not in _CLOSED:
            return
        connection.closing, connection.swept = record, []
        # Sync ids are UUIDv7: an older sync's sorts before.
        connection.closed_before = max(connection.closed_before, record.sync_id)
        if record.data.status == "completed":
            connection.completed.append(record.sync_id)
        if record.data.status == "completed" and self.sweeps:
            stale = [key for key, held in connection.held.items() if held.sync_id < record.sync_id]
            connection.swept = [connection.held.pop(key) for key in stale]

    def _check_order(self, connection: _Connection, record: ReceivedRecord, partition: int, offset: int) -> None:
        name = record.integration_connection_id
        if connection.partition is None:
            connection.partition = partition
        if partition != connection.partition:
            self._note(f"{name} is on partition {partition} and {connection.partition}")
        elif offset <= connection.last_offset:
            self._note(f"{name}: offset {offset} after {connection.last_offset}")
        connection.last_offset = max(connection.last_offset, offset)
        if record.sync_id < connection.closed_before:
            self._note(
                f"{record.idempotency_key}: of sync {record.sync_id}, after {connection.closed_before} has closed"
            )

    def _check_repetition(self, connection: _Connection, record: ReceivedRecord) -> None:
        data = record.data
        version = data.version
        owner_id, slash, _ = record.resource_id.partition("/")
        if slash:  # it has none of its own, and comes with its item's
            version = connection.versions.get(owner_id)
        elif record.resource_type in {"file", "folder"}:
            connection.versions[record.resource_id] = version
        identity = (record.sync_id, record.idempotency_key, record.operation, version, data.status, data.content_status)
        if identity in self._seen:
            self.duplicates[record.sync_id] += 1
        self._seen.add(identity)
        if record.message_id in self._message_ids:
            self.repeated_messages += 1
        self._message_ids.add(record.message_id)
        before = connection.held.get(record.idempotency_key)
        if before is not None and (data.version or 0) < (before.data.version or 0) and record.operation == "upsert":
            self.regressions += 1

    def _note(self, text: str) -> None:
        self.misorders += 1
        if len(self.notes) < MAX_NOTES:
            self.notes.append(text)


class TruePermission(msgspec.Struct, frozen=True, gc=False):
    """A permission as the simulator knows it (`drive_simulator.truth.sharing`)."""

    role: str
    type: str
    email: str | None = None
    domain: str | None = None
    inherited: bool = False
    inherited_from: str | None = None
    expiration_time: str | None = None
    allow_discovery: bool | None = None
    view: str | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Truth:
    """What a user's Drive really holds: every item and shared drive that the user can see, by id.

    `permissions` are by the item's or drive's id and the permission's; where they are `None` they are not compared.
    `untold` are the items whose permissions are not compared: they lie below a folder that the user does not see, and
    of its sharing no log tells.
    """

    files: Mapping[str, DriveFile]
    drives: Mapping[str, SharedDrive]
    permissions: Mapping[tuple[str, str], TruePermission] | None = None
    untold: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which the mirror is not the Drive; `expected` is the Drive's."""

    kind: Literal["missing", "unexpected", "different"]
    resource_type: str
    resource_id: str
    field: str | None = None
    expected: object = None
    actual: object = None

    def __str__(self) -> str:
        if self.kind != "different":
            return f"{self.kind} {self.resource_type} {self.resource_id}"
        return f"{self.resource_type} {self.resource_id}: {self.field} is {self.actual!r}, not {self.expected!r}"


def compare(mirror: Mirror, truth: Truth, connection_id: str, *, include_trashed: bool = False) -> list[Difference]:
    """Hold what the mirror has of a connection against the truth; an empty list means that they are equal.

    Items in the trash are expected only with `include_trashed`. Compares ids, resource types and the main fields.
    """
    held = {
        (record.resource_type, record.resource_id): record
        for record in mirror.held(connection_id)
        if record.resource_type in _COMPARED or (record.resource_type == "permission" and _is_told(truth, record))
    }
    expected: dict[tuple[str, str], dict[str, object]] = {
        ("folder" if file.is_folder else "file", file_id): _file_fields(file)
        for file_id, file in truth.files.items()
        if include_trashed or not file.trashed
    }
    expected |= {("shared_drive", drive_id): {"name": drive.name} for drive_id, drive in truth.drives.items()}
    for (item_id, own_id), permission in (truth.permissions or {}).items():
        if item_id not in truth.untold:
            expected["permission", f"{item_id}/{own_id}"] = _permission_fields(permission)
    differences = [Difference("unexpected", *key) for key in held if key not in expected]
    for key, fields in expected.items():
        differences.extend(_differences(*key, held.get(key), fields))
    return differences


_COMPARED = frozenset({"file", "folder", "shared_drive"})


def _file_fields(file: DriveFile) -> dict[str, object]:
    return {
        "name": file.name,
        "mime_type": file.mime_type,
        "parents": file.parents or (),
        "drive_id": file.drive_id,
        "trashed": file.trashed,
        "size_bytes": file.size,
        "modified_at": _moment(file.modified_time),
        "checksums": (file.md5_checksum, file.sha1_checksum, file.sha256_checksum),
    }


def _is_told(truth: Truth, record: ReceivedRecord) -> bool:
    return truth.permissions is not None and record.resource_id.partition("/")[0] not in truth.untold


def _permission_fields(permission: TruePermission) -> dict[str, object]:
    return {
        "role": permission.role,
        "grantee_type": permission.type,
        "email_address": permission.email,
        "domain": permission.domain,
        "inherited": permission.inherited,
        "inherited_from": permission.inherited_from,
        "expires_at": _moment(permission.expiration_time),
        "allow_file_discovery": permission.allow_discovery,
        "view": permission.view,
        "deleted": permission.deleted,
    }


def _mirrored_permission(data: MirroredData) -> dict[str, object]:
    return {
        "role": data.role,
        "grantee_type": data.grantee_type,
        "email_address": data.email_address,
        "domain": data.domain,
        "inherited": data.inherited,
        "inherited_from": data.inherited_from,
        "expires_at": _moment(data.expires_at),
        "allow_file_discovery": data.allow_file_discovery,
        "view": data.view,
        "deleted": bool(data.deleted),
    }


def _mirrored_fields(data: MirroredData) -> dict[str, object]:
    checksums = data.checksums or Checksums()
    return {
        "name": data.name,
        "mime_type": data.mime_type,
        "parents": data.parents or (),
        "drive_id": data.drive_id,
        "trashed": data.trashed,
        "size_bytes": data.size_bytes,
        "modified_at": _moment(data.modified_at),
        "checksums": (checksums.md5, checksums.sha1, checksums.sha256),
    }


def _differences(
    kind: str, resource_id: str, record: ReceivedRecord | None, expected: dict[str, object]
) -> Iterator[Difference]:
    if record is None:
        yield Difference("missing", kind, resource_id)
        return
    actual = _mirrored_permission(record.data) if kind == "permission" else _mirrored_fields(record.data)
    for name, value in expected.items():
        if actual[name] != value:
            yield Difference("different", kind, resource_id, name, value, actual[name])


def _moment(text: str | None) -> datetime | None:
    """A time as a moment, so that two spellings of one are equal."""
    return None if text is None else datetime.fromisoformat(text)
