"""Labels that Google refuses: they are left out until the next full sync, and nothing else is.

Google shows the labels of a file with the file, where a call names them; what it answers where the account may not see
one of them, or there is no such label, is documented nowhere. So whatever a call that names labels is refused for, it
is asked once more without them: should it be refused again, they were not the cause.
"""

from msgspec.structs import replace

from google_drive_worker.sync.checkpoint import Checkpoint
from google_drive_worker.sync.error_reports import report_of
from google_drive_worker.sync.plan import (
    Action,
    ListFiles,
    LookUpRemoved,
    ReadChanges,
    ReadContent,
    WalkFolder,
)
from google_drive_worker.sync.step import Step
from google_drive_worker.utils.errors import Retryable, SkipItem, Terminal, WorkerError

_BAD_REQUEST = 400

_REFUSALS = frozenset({_BAD_REQUEST, 403, 404})

_UNEXPLAINED = frozenset({"bad_request", "forbidden", "not_found"})
"""The client's codes for these statuses, where the reason is none that is documented for the call."""


def asks_for_labels(checkpoint: Checkpoint) -> bool:
    """Whether files are asked for with their labels."""
    return bool(checkpoint.scope.label_ids) and not checkpoint.labels_refused


def on_refused_labels(checkpoint: Checkpoint, action: Action, error: WorkerError) -> Step | None:
    """The step that leaves labels out from now on, with its one report; `None` where they can't be the cause.

    The call asked for them. Of others that were under way with it and are refused as well, nothing more is reported.
    What is asked of an item is refused every day, since it is gone: of that only a call that is called bad counts.
    """
    if not isinstance(action, ListFiles | ReadChanges | WalkFolder | LookUpRemoved | ReadContent):
        return None
    if not isinstance(error, Terminal | SkipItem) and not _is_unexplained(error):
        return None
    if error.http_status not in _REFUSALS:
        return None
    if isinstance(action, WalkFolder | LookUpRemoved | ReadContent) and error.http_status != _BAD_REQUEST:
        return None
    if checkpoint.labels_refused:
        return Step(checkpoint)
    message = (
        "a call that asks for labels was refused, and is made without; "
        f"until the next full sync none are asked for: {error.message}"
    )
    report = replace(
        report_of(checkpoint, error, message=message, action="waits_for_trigger"),
        code="labels_refused",
        category="skipped_item",
    )
    return Step(replace(checkpoint, labels_refused=True), errors=(report,))


def _is_unexplained(error: WorkerError) -> bool:
    """Whether Google refused a call, in its own JSON, for a reason that it documents nowhere, again and again."""
    return isinstance(error, Retryable) and error.reason is not None and error.code in _UNEXPLAINED
