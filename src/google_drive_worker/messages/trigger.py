"""Triggers, as `integration.trigger` carries them (specification, "Trigger Message"; contract, "In: trigger")."""

from typing import Annotated, Literal, get_args

import msgspec

from google_drive_worker.domain.channel import Notice
from google_drive_worker.domain.ids import ConnectionId, CustomerId, PageToken
from google_drive_worker.messages.nesting import TOO_DEEP, is_too_deep
from google_drive_worker.messages.problems import explain
from google_drive_worker.utils.errors import InvalidMessage

TriggerType = Literal["full_sync", "incremental", "poll"]
TRIGGER_TYPES: tuple[TriggerType, ...] = get_args(TriggerType)

MAX_TRIGGER_BYTES = 1 << 20
"""A trigger has a few hundred bytes; Kafka's own default limit of a message is about this."""

MAX_ID_CHARS = 256
"""Longer than any id of the platform; ids become keys, names of objects and parts of an idempotency key."""

MAX_TOKEN_CHARS = 8192
"""Google documents no length of page tokens; those seen have a few hundred characters."""

_Length = msgspec.Meta(min_length=1, max_length=MAX_ID_CHARS)


class LastCursor(msgspec.Struct, frozen=True):
    """Where the Control Plane believes the connection's changes to start; either part may be unknown."""

    page_token: Annotated[PageToken, msgspec.Meta(max_length=MAX_TOKEN_CHARS)] | None = None
    timestamp: Annotated[str, msgspec.Meta(max_length=MAX_ID_CHARS)] | None = None


class Trigger(msgspec.Struct, frozen=True):
    """A wish that a connection be synced. Ids are 1 to 256 printable characters; an empty cursor is none.

    `notice` is ours alone: the trigger stands for a push notification that another worker got, whose token is genuine.
    """

    message_id: Annotated[str, _Length]
    customer_id: Annotated[CustomerId, _Length]
    integration_id: Annotated[str, _Length]
    integration_connection_id: Annotated[ConnectionId, _Length]
    trigger_type: TriggerType
    last_cursor: LastCursor | None = None
    notice: Notice | None = None

    @property
    def page_token(self) -> PageToken | None:
        """The change-log token that the trigger brings, if any."""
        return (self.last_cursor.page_token or None) if self.last_cursor is not None else None


class _Addressee(msgspec.Struct, gc=False):
    integration_id: str


class Identity(msgspec.Struct, frozen=True):
    """As much of a message's ids as can be read of one that is otherwise unreadable."""

    message_id: str | None = None
    customer_id: CustomerId | None = None
    integration_connection_id: ConnectionId | None = None


class _Anything(msgspec.Struct):
    message_id: object = None
    customer_id: object = None
    integration_connection_id: object = None


_ANYTHING = msgspec.json.Decoder(_Anything)
_ADDRESSEE = msgspec.json.Decoder(_Addressee)
_TRIGGER = msgspec.json.Decoder(Trigger)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def decode_trigger(value: bytes | None, *, integration_id: str, max_bytes: int = MAX_TRIGGER_BYTES) -> Trigger | None:
    """Read a message of the trigger topic; `None` says that it is another integration's.

    Whose it is, is decided first and by `integration_id` alone: another integration's message may have any shape, depth
    and size besides. Unknown fields are ignored.
    Raises `InvalidMessage`, whose text names the field and the problem and repeats nothing of the message.
    """
    if value is None:
        raise InvalidMessage("the trigger has no value (a tombstone); triggers are JSON objects")
    try:
        addressee = _ADDRESSEE.decode(value)
    except _UNREADABLE as problem:
        _refuse_oversize(value, max_bytes)
        raise _unreadable(problem) from None
    if addressee.integration_id != integration_id:
        return None
    _refuse_oversize(value, max_bytes)
    if is_too_deep(value):
        raise InvalidMessage(f"the trigger can't be read: {TOO_DEEP}")
    try:
        value.decode()  # msgspec checks no string that it skips
        trigger = _TRIGGER.decode(value)
    except _UNREADABLE as problem:
        raise _unreadable(problem) from None
    _refuse_unprintable(trigger)
    return trigger


def encode_trigger(trigger: Trigger) -> bytes:
    """Write a trigger as the platform does."""
    return msgspec.json.encode(trigger)


def identify(value: bytes | None, *, max_bytes: int = MAX_TRIGGER_BYTES) -> Identity:
    """Read whose an unreadable message is, as far as it says so; never raises."""
    if value is None or len(value) > max_bytes:
        return Identity()
    try:
        found = _ANYTHING.decode(value)
    except _UNREADABLE:
        return Identity()
    customer_id, connection_id = _id(found.customer_id), _id(found.integration_connection_id)
    return Identity(
        _id(found.message_id),
        None if customer_id is None else CustomerId(customer_id),
        None if connection_id is None else ConnectionId(connection_id),
    )


def _id(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= MAX_ID_CHARS and value.isprintable() else None


def _refuse_oversize(value: bytes, max_bytes: int) -> None:
    if len(value) > max_bytes:
        raise InvalidMessage(f"the trigger has {len(value)} bytes, over the limit of {max_bytes}")


def _refuse_unprintable(trigger: Trigger) -> None:
    for field in ("message_id", "customer_id", "integration_connection_id"):
        text: str = getattr(trigger, field)
        if text.isspace() or not text.isprintable():
            raise InvalidMessage(f"the trigger can't be read: the field `{field}` is blank or not printable")


def _unreadable(problem: Exception) -> InvalidMessage:
    sentence = explain(problem)
    if sentence == "the field `trigger_type` has an unknown value":
        sentence = f"{sentence}; it is one of {', '.join(TRIGGER_TYPES)}"
    return InvalidMessage(f"the trigger can't be read: {sentence}")
