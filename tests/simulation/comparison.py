"""What must hold at rest: what is beside items and permissions in the mirror is what the account may have of it."""

from collections.abc import Container, Iterator
from hashlib import sha256

from drive_simulator.model.items import User
from drive_simulator.model.labels import labels_of
from drive_simulator.model.world import World
from drive_simulator.truth.items import VisibleContent, visible_comments, visible_contents, visible_revisions
from google_drive_worker.demo.mirror import Difference, Mirror, ReceivedRecord
from google_drive_worker.domain.connection import ConnectionSettings
from google_drive_worker.sync.content import EXPORTS, MAX_FILE_SIZE_BYTES
from simulation.google import CONNECTION
from support.memory_store import MemoryStore

_Shown = tuple[object, ...]


def differences_of_details(
    mirror: Mirror, world: World, user: User, settings: ConnectionSettings, blurred: Container[str]
) -> Iterator[Difference]:
    """Where the mirror's revisions and comments are not those of the user's files, or differ from them.

    The `blurred` revisions may lack their size.
    """
    trashed, shared_drives = settings.include_trashed, bool(settings.include_shared_drives)
    expected: dict[tuple[str, str], _Shown] = {}
    if settings.sync_revisions:
        revisions = visible_revisions(
            world,
            user,
            include_trashed=trashed,
            include_shared_drives=shared_drives,
            max_revisions=settings.max_revisions,
        )
        for (file_id, own_id), each in revisions.items():
            expected["revision", f"{file_id}/{own_id}"] = (each.modified_time, each.size, None, None)
    if settings.sync_comments:
        comments = visible_comments(world, user, include_trashed=trashed, include_shared_drives=shared_drives)
        for (file_id, own_id), said in comments.items():
            shown = (said.modified_time, None, said.content, said.resolved)
            expected["comment", f"{file_id}/{own_id}"] = shown
    held = {
        (kind, each.resource_id): (each.data.modified_at, each.data.size_bytes, each.data.content, each.data.resolved)
        for kind in ("revision", "comment")
        for each in mirror.held(CONNECTION, kind)
    }
    for key in held.keys() | expected.keys():
        if key not in expected:
            yield Difference("unexpected", *key)
        elif key not in held:
            yield Difference("missing", *key)
        elif held[key] != expected[key] and not (key[1] in blurred and held[key] == _without_size(expected[key])):
            yield Difference("different", *key, "details", expected[key], held[key])


def _without_size(shown: _Shown) -> _Shown:
    return shown[0], None, *shown[2:]


def differences_of_contents(
    mirror: Mirror, world: World, user: User, settings: ConnectionSettings, store: MemoryStore
) -> Iterator[Difference]:
    """Where the bytes that a file's record leads to are not the file's, by SHA-256, or it says wrongly why it has none.

    A file that the mirror lacks altogether is another comparison's to tell.
    """
    true: dict[str, VisibleContent] = {}
    if settings.sync_content:
        formats = {**EXPORTS, **(settings.export_formats or {})}
        true = visible_contents(world, user, formats, include_trashed=settings.include_trashed)
    limit = settings.max_file_size_bytes
    limit_bytes = MAX_FILE_SIZE_BYTES if limit is None else limit
    for record in mirror.held(CONNECTION, "file"):
        content = true.get(record.resource_id)
        expected = (None, None) if content is None else _content_fields(content, limit_bytes)
        actual = record.data.content_status, _stored_sha256(record, store)
        if actual != expected:
            yield Difference("different", "content", record.resource_id, "status and SHA-256", expected, actual)


def _content_fields(content: VisibleContent, limit_bytes: int) -> tuple[str, str | None]:
    if content.status != "available":
        return content.status, None
    return ("too_large", None) if (content.size or 0) > limit_bytes else ("stored", content.sha256)


def _stored_sha256(record: ReceivedRecord, store: MemoryStore) -> str | None:
    """That of the bytes to which the record leads."""
    ref = record.content_ref
    value = None if ref is None else store.objects.get(ref.sha256)
    if ref is None or value is None:
        return None if ref is None else f"nothing at {ref.uri}"
    return sha256(value).hexdigest() if ref.size_bytes == len(value) else f"{len(value)} bytes, not {ref.size_bytes}"


def differences_of_labels(mirror: Mirror, world: World, settings: ConnectionSettings) -> Iterator[Difference]:
    """Where the labels of the mirror's files and folders are not those of the model that the connection names."""
    for record in (*mirror.held(CONNECTION, "file"), *mirror.held(CONNECTION, "folder")):
        item = world.items.get(record.resource_id)
        if item is None:
            continue  # another comparison's to tell
        labels = {name: values for name, values in labels_of(item).items() if name in settings.label_ids}
        expected = {name: {field: tuple(each) for field, each in values.items()} for name, values in labels.items()}
        shown = record.data.labels or ()
        actual = {label.id: {field.id: field.values for field in label.fields} for label in shown}
        if actual != expected:
            yield Difference("different", record.resource_type, item.id, "labels", expected, actual)
