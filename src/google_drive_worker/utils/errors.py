"""Every error that the worker raises on purpose, grouped by what to do about it.

    WorkerError
    ├── Retryable            try again, not before `retry_after_s`
    │   ├── ChecksumMismatch other bytes came than were announced
    │   └── StoreUnavailable the object store can't be used
    ├── NeedsReauth          the customer has to authorize anew
    ├── SkipItem             Google documents that this item can't be had by this call: record it, and go on
    │   ├── NotFound         Google's own JSON `notFound` for this id: evidence once it is said twice
    │   └── ItemUnavailable  this item alone can't be had now: a gap, asked for again later
    ├── PageTokenRejected    start that listing over; for a change log: a full sync
    ├── NoProgress           a page token that leads nowhere new: end that listing, try again later
    ├── Terminal             nothing to be gained by trying again; a person has to look
    │   ├── UnknownConnection
    │   └── Misconfigured    found at the start; its text names the variable and the mend
    ├── InvalidMessage       a message that can't be read: an error record, then done
    └── Fenced               another worker owns this partition now: drop everything, write nothing
        └── InstanceFenced   another worker has this one's identity in the group: end

A text is for a person and never holds a secret.
"""

from typing import Literal


class WorkerError(Exception):
    """Base of them all. `code` is stable and for machines; `reason` and `http_status` are Google's, where it spoke."""

    code = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        http_status: int | None = None,
        reason: str | None = None,
        attempts: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.http_status = http_status
        self.reason = reason
        self.attempts = attempts


class Retryable(WorkerError):
    """Trouble that passes; the client has already retried as far as its bounds allow."""

    code = "unavailable"

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        code: str | None = None,
        http_status: int | None = None,
        reason: str | None = None,
        attempts: int | None = None,
    ) -> None:
        super().__init__(message, code=code, http_status=http_status, reason=reason, attempts=attempts)
        self.retry_after_s = retry_after_s


class ChecksumMismatch(Retryable):
    """Other bytes came than were announced: cut short, damaged, or changed meanwhile."""

    code = "checksum_mismatch"


class StoreUnavailable(Retryable):
    """The object store did not take or give an object; its text says what a person can do about it."""

    code = "object_store_unavailable"


class NeedsReauth(WorkerError):
    """Google no longer accepts the connection's credentials."""

    code = "reauth_required"


class SkipItem(WorkerError):
    """One item can't be read by this call, for a reason that Drive documents for it; the others can.

    This is final: it makes an error record and a status, and is no gap.
    """

    code = "skipped_item"


class NotFound(SkipItem):
    """Google answered 404 in JSON, with the reason `notFound`, for the id that was asked for.

    A 404 of any other form (HTML, a proxy's, that of a whole batch) says nothing of the item and is `Retryable`.
    """

    code = "not_found"


class ItemUnavailable(SkipItem):
    """One item can't be had now, though calls for other items succeed: a gap, which is asked for again later.

    Nothing is deleted because of it.
    """

    code = "item_unavailable"


class PageTokenRejected(WorkerError):
    """Google rejects a page token: expired, or not one of its own."""

    code = "page_token_rejected"


class NoProgress(WorkerError):
    """A page token that makes no progress: the one that was asked with, or one already seen in this listing."""

    code = "page_token_stuck"


class Terminal(WorkerError):
    """A connection's sync can't go on until a person acts."""

    code = "terminal"


class UnknownConnection(Terminal):
    """No connection of that id."""

    code = "unknown_connection"


class Misconfigured(Terminal):
    """The worker can't start as it is configured."""

    code = "misconfigured"


class InvalidMessage(WorkerError):
    """A message that does not fit the contract."""

    code = "invalid_message"


class Fenced(WorkerError):
    """This worker no longer owns the partition."""

    code = "fenced"


class InstanceFenced(Fenced):
    """Another worker joined the consumer group under this worker's identity: this one can do nothing any more."""

    code = "instance_fenced"


Category = Literal["retriable", "terminal", "reauth", "skipped_item", "invalid_message"]
"""What a reader of an error record, a log line or a report has to do about it (platform contract, "Out: error")."""


def category_of(error: BaseException) -> Category:
    """Return the category of an error: the same in logs, error records and reports. One of no kind of ours is a bug."""
    match error:
        case Retryable() | PageTokenRejected() | NoProgress() | Fenced():
            return "retriable"
        case NeedsReauth():
            return "reauth"
        case SkipItem():
            return "skipped_item"
        case InvalidMessage():
            return "invalid_message"
        case _:
            return "terminal"


NextStep = Literal["retried", "waits_for_trigger", "waits_for_credentials", "none"]
"""What happens after an error: tried again by itself, when a trigger comes, or when there are other credentials; or
nothing more is done about it."""


def next_step_of(error: WorkerError) -> NextStep:
    """Return what happens after an error as a rule; who decides otherwise in a case says so in the error's report."""
    match error:
        case NeedsReauth():
            return "waits_for_credentials"
        case ItemUnavailable():
            return "retried"
        case SkipItem() | InvalidMessage():
            return "none"
        case _:
            return "retried" if category_of(error) == "retriable" else "waits_for_trigger"


def first_of(problem: BaseException) -> BaseException:
    """The first exception in a group, however deep; the exception itself where it is none."""
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return problem


def origin(bug: BaseException) -> str:
    """Where an unforeseen exception came from, without its text, which may hold anything."""
    bug = first_of(bug)
    frame = bug.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return type(bug).__name__
    return f"{type(bug).__name__} at {frame.tb_frame.f_code.co_name}:{frame.tb_lineno}"
