"""Error records of a connection's syncs: each names the connection, the sync, the resource, and what happens next."""

from google_drive_worker.domain.record import ErrorReport, Source
from google_drive_worker.sync.checkpoint import Checkpoint
from google_drive_worker.utils.errors import (
    Category,
    ItemUnavailable,
    NextStep,
    Retryable,
    SkipItem,
    WorkerError,
    category_of,
    next_step_of,
)


def report_of(
    checkpoint: Checkpoint,
    error: WorkerError,
    *,
    message: str | None = None,
    action: NextStep | None = None,
    resource_type: str | None = None,
    resource_id: str | None = None,
) -> ErrorReport:
    """Return the error record of an error, going back to the trigger that asked for the sync.

    `message` replaces the error's own text, `action` what happens next after such an error as a rule. Without a
    resource, the record is about the connection itself.
    """
    return ErrorReport(
        code=error.code,
        category=category_of(error),
        message=error.message if message is None else message,
        action=action or next_step_of(error),
        http_status=error.http_status,
        reason=error.reason,
        retry_after_s=error.retry_after_s if isinstance(error, Retryable) else None,
        attempts=error.attempts,
        customer_id=checkpoint.customer_id,
        connection_id=checkpoint.connection_id,
        resource_type=resource_type or "connection",
        resource_id=resource_id if resource_type is not None else checkpoint.connection_id,
        source=_source_of(checkpoint),
        sync_id=None if checkpoint.sync is None else checkpoint.sync.sync_id,
    )


def notice_of(
    checkpoint: Checkpoint,
    code: str,
    message: str,
    *,
    category: Category = "skipped_item",
    action: NextStep = "none",
    resource_type: str,
    resource_id: str | None,
) -> ErrorReport:
    """Return the error record of something that no call failed for."""
    return ErrorReport(
        code=code,
        category=category,
        message=message,
        action=action,
        customer_id=checkpoint.customer_id,
        connection_id=checkpoint.connection_id,
        resource_type=resource_type,
        resource_id=resource_id,
        source=_source_of(checkpoint),
        sync_id=None if checkpoint.sync is None else checkpoint.sync.sync_id,
    )


def unread(checkpoint: Checkpoint, item_type: str, item_id: str, what: str, problem: SkipItem) -> ErrorReport:
    """Return the error record of an item of which `what` (its permissions, its contents …) can't be had."""
    then = "asked for again by itself" if isinstance(problem, ItemUnavailable) else "not asked for before it changes"
    message = f"its {what} can't be had and stay as they were, {then}: {problem.message}"
    return report_of(checkpoint, problem, message=message, resource_type=item_type, resource_id=item_id)


def skipped(checkpoint: Checkpoint, item_id: str | None, item_type: str, problem: str) -> ErrorReport:
    """Return the error record of an element that can't be read and is left out."""
    message = f"Google sent an item that does not fit its type; it is left out and asked for again: {problem}"
    return notice_of(
        checkpoint, "unreadable_item", message, action="retried", resource_type=item_type, resource_id=item_id
    )


def _source_of(checkpoint: Checkpoint) -> Source | None:
    if checkpoint.sync is not None:
        return checkpoint.sync.source
    return None if checkpoint.owed is None else checkpoint.owed.source
