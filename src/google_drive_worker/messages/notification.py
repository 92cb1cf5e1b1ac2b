"""Google's notifications, as `webhook.raw` carries them (platform contract, "In: notification")."""

from typing import Annotated

import msgspec

from google_drive_worker.domain.channel import Notice
from google_drive_worker.domain.ids import ConnectionId, CustomerId
from google_drive_worker.messages.nesting import TOO_DEEP, is_too_deep
from google_drive_worker.messages.problems import explain
from google_drive_worker.messages.trigger import MAX_ID_CHARS
from google_drive_worker.utils.errors import InvalidMessage

MAX_NOTIFICATION_BYTES = 256 << 10
"""A notification has about one kilobyte; servers take a few of headers at the most."""

MAX_HEADERS = 200
"""Google sends some twenty, and proxies add their own."""

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_CHARS)]


class Notification(msgspec.Struct, frozen=True):
    """One notification: `token` is what was set on the channel, ids are `None` where the proxy did not know them."""

    notice: Notice
    token: str
    message_id: str
    customer_id: CustomerId | None = None
    connection_id: ConnectionId | None = None


class _Message(msgspec.Struct, frozen=True):
    """`body` is null, text or an object, and says nothing that the headers don't."""

    message_id: _Id
    integration_id: str
    headers: dict[str, object]
    customer_id: _Id | None = None
    integration_connection_id: _Id | None = None
    body: object = None


class _Addressee(msgspec.Struct, gc=False):
    integration_id: str


_ADDRESSEE = msgspec.json.Decoder(_Addressee)
_MESSAGE = msgspec.json.Decoder(_Message)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def decode_notification(value: bytes | None, *, integration_id: str) -> Notification | None:
    """Read a message of the webhook topic; `None` says that it is another integration's.

    Raises `InvalidMessage`, whose text names the field and the problem and repeats nothing of the message.
    """
    if value is None:
        raise InvalidMessage("the notification has no value (a tombstone); notifications are JSON objects")
    try:
        addressee = _ADDRESSEE.decode(value)
    except _UNREADABLE as problem:
        raise InvalidMessage(f"the notification can't be read: {explain(problem)}") from None
    if addressee.integration_id != integration_id:
        return None
    if len(value) > MAX_NOTIFICATION_BYTES:
        raise InvalidMessage(f"the notification has {len(value)} bytes, over the limit of {MAX_NOTIFICATION_BYTES}")
    if is_too_deep(value):
        raise InvalidMessage(f"the notification can't be read: {TOO_DEEP}")
    try:
        value.decode()  # msgspec checks no string that it skips
        message = _MESSAGE.decode(value)
    except _UNREADABLE as problem:
        raise InvalidMessage(f"the notification can't be read: {explain(problem)}") from None
    return _notification(message)


def _notification(message: _Message) -> Notification:
    if len(message.headers) > MAX_HEADERS:
        raise InvalidMessage(f"the notification has more than {MAX_HEADERS} headers")
    headers = {name.lower(): value for name, value in message.headers.items()}
    number = _header(headers, "X-Goog-Message-Number")
    if not (number.isascii() and number.isdigit() and len(number) <= 18):  # noqa: PLR2004 - fits into 64 bits
        raise InvalidMessage("the header `X-Goog-Message-Number` of the notification is no number")
    notice = Notice(
        channel_id=_header(headers, "X-Goog-Channel-ID"),
        resource_id=_header(headers, "X-Goog-Resource-ID"),
        message_number=int(number),
        is_sync=_header(headers, "X-Goog-Resource-State") == "sync",
    )
    customer_id, connection_id = message.customer_id, message.integration_connection_id
    return Notification(
        notice,
        _header(headers, "X-Goog-Channel-Token", needed=False),
        message.message_id,
        None if customer_id is None else CustomerId(customer_id),
        None if connection_id is None else ConnectionId(connection_id),
    )


def _header(headers: dict[str, object], name: str, *, needed: bool = True) -> str:
    value = headers.get(name.lower())
    if value is None and not needed:
        return ""
    if isinstance(value, list) and len(value) == 1:  # some proxies give each header as a list
        value = value[0]
    if not isinstance(value, str) or not value or len(value) > 4 * MAX_ID_CHARS:
        raise InvalidMessage(f"the header `{name}` of the notification is missing, empty, too long or no text")
    return value
