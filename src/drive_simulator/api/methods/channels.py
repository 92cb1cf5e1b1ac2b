"""changes.watch, files.watch and channels.stop."""

import base64
import hashlib
import ipaddress
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from drive_simulator.api import errors
from drive_simulator.api.call import Call, Handler, answer
from drive_simulator.api.methods.changes import drive_of_list
from drive_simulator.api.visible_changes import ChangesRequest, read_changes
from drive_simulator.api.wire import Response
from drive_simulator.push.channels import Channel, ChannelIdTaken, ChannelIsOver, NoSuchChannel, Order, Watched

MAX_ID_CHARS = 64
MAX_TOKEN_CHARS = 256
MAX_ADDRESS_CHARS = 2048
_MAX_DIGITS = 18


def watch_changes(call: Call) -> Response:
    """changes.watch: of the user's log, or with driveId of a shared drive's."""
    drive = drive_of_list(call)
    # A token that the log never gave out is refused here as in changes.list.
    read_changes(call.world, call.user, ChangesRequest(drive, page_size=1), call.text("pageToken") or "")
    watched = Watched(
        _resource_id("changes", call.user.email, "" if drive is None else drive.id),
        _resource_uri(call, "changes"),
        drive=drive,
        include_all=call.include_all,
        restrict_to_my_drive=call.flag("restrictToMyDrive"),
    )
    return _open(call, watched)


def watch_file(call: Call) -> Response:
    """files.watch."""
    item = call.item(call.path["fileId"])
    watched = Watched(_resource_id("file", item.id), _resource_uri(call, f"files/{item.id}"), file=item)
    return _open(call, watched)


def stop(call: Call) -> Response:
    """channels.stop: by the account that opened it."""
    body = call.body()
    channel_id, resource_id = (_required(body, name) for name in ("id", "resourceId"))
    try:
        call.services.channels.stop(call.user, channel_id, resource_id)
    except NoSuchChannel:
        raise errors.channel_not_found(channel_id) from None
    return Response(204)


def _open(call: Call, watched: Watched) -> Response:
    order = _order(call.body())
    try:
        channel = call.services.channels.open(call.user, watched, order)
    except ChannelIdTaken:
        raise errors.channel_id_not_unique(order.id) from None
    except ChannelIsOver:
        raise errors.invalid("expiration", "The channel expiration has to be in the future.") from None
    return answer(call, "Channel", _resource(channel))


def _resource(channel: Channel) -> dict[str, object]:
    resource: dict[str, object] = {
        "kind": "api#channel",
        "id": channel.order.id,
        "resourceId": channel.watched.resource_id,
        "resourceUri": channel.watched.resource_uri,
        "expiration": str(channel.expiration_ms),
    }
    if channel.order.token is not None:
        resource["token"] = channel.order.token
    if channel.order.payload:
        resource["payload"] = True
    return resource


def _order(body: Mapping[str, object]) -> Order:
    channel_id, kind, address = (_required(body, name) for name in ("id", "type", "address"))
    if kind not in {"web_hook", "webhook"}:
        raise errors.invalid("type", f"Unknown channel type: {kind}")
    if len(channel_id) > MAX_ID_CHARS:
        raise errors.invalid("id", f"The channel id has more than {MAX_ID_CHARS} characters.")
    token, payload = body.get("token"), body.get("payload", False)
    if token is not None and (not isinstance(token, str) or len(token) > MAX_TOKEN_CHARS or not token.isprintable()):
        raise errors.invalid("token", f"The channel token is no text of at most {MAX_TOKEN_CHARS} characters.")
    if not channel_id.isascii() or not channel_id.isprintable() or not isinstance(payload, bool):
        raise errors.invalid("payload" if not isinstance(payload, bool) else "id")
    _check_address(address)
    return Order(channel_id, address, token, _expiration_ms(body.get("expiration")), payload)


def _required(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    if value is None or value == "":
        raise errors.required_parameter(name)
    if not isinstance(value, str):
        raise errors.invalid(name)
    return value


def _expiration_ms(value: object) -> int | None:
    if value is None:
        return None
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or len(text) > _MAX_DIGITS:
        raise errors.invalid("expiration")
    return int(text)


def _check_address(address: str) -> None:
    """HTTPS, or HTTP on this machine, which Google does not allow. Raises ApiError 400."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise errors.invalid("address") from None
    if not host or len(address) > MAX_ADDRESS_CHARS or parts.scheme not in {"http", "https"}:
        raise errors.invalid("address")
    if parts.scheme != "https" and not _is_loopback(host):
        raise errors.webhook_not_https(address)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _resource_id(*parts: str) -> str:
    """Opaque, and the same for each channel of a resource."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return base64.urlsafe_b64encode(digest[:20]).decode().rstrip("=")


def _resource_uri(call: Call, path: str) -> str:
    query = [(name, value) for name, value in call.request.query if name not in {"access_token", "oauth_token", "key"}]
    return f"{call.services.base_url}/drive/v3/{path}?{urlencode([*query, ('alt', 'json')])}"


HANDLERS: Mapping[str, Handler] = {
    "changes.watch": watch_changes,
    "channels.stop": stop,
    "files.watch": watch_file,
}
