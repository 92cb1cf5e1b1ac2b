"""What of a Drive is in scope, as far as its settings alone tell."""

from collections.abc import Sequence

from msgspec.structs import replace

from google_drive_worker.domain.ids import FileId
from google_drive_worker.sync.checkpoint import USER_CORPUS, Checkpoint, Removal, Scope

MY_DRIVE = "root"
"""Google's alias for the root of My Drive: among `drive_ids` it names the user's own corpus."""


def is_restricted(scope: Scope) -> bool:
    """Whether some of what the user can see may be out of scope, besides trash and whole shared drives."""
    return bool(scope.folder_ids or scope.drive_ids is not None or scope.exclude_mime_types)


def holds_drive(scope: Scope, drive_id: str | None) -> bool:
    """Whether all of a shared drive, or (`None`) all that is the user's own, is in scope."""
    if scope.drive_ids is None:
        return not scope.folder_ids
    return (drive_id or MY_DRIVE) in scope.drive_ids


def follows(scope: Scope, drive_id: str) -> bool:
    """Whether a shared drive's log is to be read. A folder may be moved into any of them."""
    return scope.include_shared_drives and (bool(scope.folder_ids) or holds_drive(scope, drive_id))


def lists(scope: Scope, corpus: str) -> bool:
    """Whether a corpus is listed as a whole: what of it is in scope is found by walking its folders otherwise."""
    return holds_drive(scope, None if corpus == USER_CORPUS else corpus)


def wants_details(checkpoint: Checkpoint) -> bool:
    """Whether anything that hangs on files is mirrored, and the account's consent covers it."""
    scope = checkpoint.scope
    return (scope.sync_revisions or scope.sync_comments) and not checkpoint.details_refused


def wants_contents(checkpoint: Checkpoint) -> bool:
    """Whether contents are mirrored, and the account's consent covers them."""
    return checkpoint.scope.sync_content and not checkpoint.contents_refused


def with_roots(checkpoint: Checkpoint, folder_ids: Sequence[FileId] | None = None) -> Checkpoint:
    """The checkpoint with folders that the scope names, these or all of them, to be looked up, and walked: some of them
    may be seen only now, or all that is below them has to be written anew."""
    folder_ids = checkpoint.scope.folder_ids if folder_ids is None else folder_ids
    sync = checkpoint.sync
    if sync is None or not folder_ids:
        return checkpoint
    roots = tuple(Removal(folder_id, USER_CORPUS) for folder_id in folder_ids)
    return replace(checkpoint, sync=replace(sync, removals=tuple(dict.fromkeys((*sync.removals, *roots)))))
