"""Error records, as `integration.errors` carries them (platform contract, "Out: error")."""

import base64

import msgspec

from google_drive_worker.domain.message import Headers
from google_drive_worker.domain.record import ErrorReport, Source
from google_drive_worker.messages.record import INTEGRATION_ID, output_headers
from google_drive_worker.messages.redaction import redact

MAX_ORIGINAL_BYTES = 16 << 10
"""How much of an unreadable message an error record repeats: enough to know it by, far below any broker's limit."""

MAX_TEXT_CHARS = 2000
"""For each text that may come from elsewhere, such as Google's own words on an error."""


class _Error(msgspec.Struct, frozen=True):
    code: str
    category: str
    message: str
    action: str
    http_status: int | None
    reason: str | None
    retry_after_s: float | None
    attempts: int | None


class _Resource(msgspec.Struct, frozen=True):
    type: str | None
    id: str | None


class _Source(msgspec.Struct, frozen=True):
    topic: str
    partition: int
    offset: int
    message_id: str | None


class _ErrorEnvelope(msgspec.Struct, frozen=True):
    message_id: str
    customer_id: str | None
    integration_id: str
    integration_connection_id: str | None
    occurred_at: str
    error: _Error
    resource: _Resource | None
    source: _Source | None
    sync_id: str | None
    original: str | None


def encode_error(
    report: ErrorReport, *, message_id: str, occurred_at: str, integration_id: str = INTEGRATION_ID
) -> bytes:
    """Write one error report as JSON; what is unknown is null. Far below 1 MB, whatever the report holds.

    `message_id` is a UUIDv4 of its own, `occurred_at` RFC 3339 in UTC.
    """
    has_resource = report.resource_type is not None or report.resource_id is not None
    return msgspec.json.encode(
        _ErrorEnvelope(
            message_id=message_id,
            customer_id=_bounded(report.customer_id),
            integration_id=integration_id,
            integration_connection_id=_bounded(report.connection_id),
            occurred_at=occurred_at,
            error=_Error(
                code=report.code,
                category=report.category,
                message=redact(_bounded(report.message) or ""),
                action=report.action,
                http_status=report.http_status,
                reason=_bounded(report.reason),
                retry_after_s=report.retry_after_s,
                attempts=report.attempts,
            ),
            resource=_Resource(report.resource_type, _bounded(report.resource_id)) if has_resource else None,
            source=_source(report.source),
            sync_id=report.sync_id,
            original=_bounded(report.original, 2 * MAX_ORIGINAL_BYTES),
        )
    )


def error_headers(report: ErrorReport, message_id: str) -> Headers:
    """The Kafka headers of an error record. Errors don't replace one another: each has a key of its own."""
    key = f"{INTEGRATION_ID}:{_bounded(report.connection_id) or ''}:error:{message_id}"
    return output_headers(key.encode())


def original_of(value: bytes, *, max_bytes: int = MAX_ORIGINAL_BYTES) -> str:
    """Show an unreadable message: as text without its secrets, or base64 where it is not UTF-8.

    Of a message over `max_bytes` this is the beginning, and says the size of the whole.
    """
    kept = value[:max_bytes]
    more = f"… [cut off; {len(value)} bytes in all]" if len(value) > max_bytes else ""
    try:
        text = kept.decode()
    except UnicodeDecodeError as problem:
        if not (more and problem.reason == "unexpected end of data"):
            return _as_base64(kept) + more
        text = kept[: problem.start].decode()
    return redact(text) + more


def _as_base64(value: bytes) -> str:
    # A message in some other encoding can hold a secret as well. Latin-1 gives every byte back as it was.
    return base64.b64encode(redact(value.decode("latin-1")).encode("latin-1", "replace")).decode()


def _source(source: Source | None) -> _Source | None:
    if source is None:
        return None
    return _Source(source.topic, source.partition, source.offset, _bounded(source.message_id))


def _bounded(text: str | None, max_chars: int = MAX_TEXT_CHARS) -> str | None:
    if text is None:
        return None
    if len(text) > max_chars:
        text = text[: max_chars - 1] + "…"
    return text.encode("utf-8", "replace").decode()  # a lone surrogate has no encoding
