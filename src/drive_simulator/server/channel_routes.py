"""The admin endpoints of push notifications, beside those of `admin`.

`GET /_simulator/channels` answers `{"accounts": …, "channels": […], "notifications": {…}}`: by email how many channels
are `living`, and were ever `made`, `stopped`, `expired` and `dropped`; those that live; what became of the messages
(see `Notifier`). `POST /_simulator/channels/drop` takes `{"user": …, "channel": …}`, or nothing for all, ends them
without a word and answers `{"dropped": n}`.

`POST /_simulator/notifications/faults` takes a rule or a list of rules (see `notification_faults`) and answers
`{"ids": [1, 2]}`; `GET` shows them as `{"rules": [{"id", "rule", "seen", "struck"}]}`; `DELETE` takes all away.
"""

import msgspec
from aiohttp import web

from drive_simulator.faults.notifications import NotificationFaults, parse_rules
from drive_simulator.push.channels import Channel, ChannelBook
from drive_simulator.push.notifications import Notifier
from drive_simulator.server.admin import PREFIX, answer_json, read_body, refusal


class Which(msgspec.Struct, forbid_unknown_fields=True):
    """The channels that a call is about; None is any."""

    user: str | None = None
    channel: str | None = None


def add_channel_routes(app: web.Application, book: ChannelBook, notifier: Notifier, faults: NotificationFaults) -> None:
    """Serve them."""

    async def get_channels(_: web.Request) -> web.Response:
        living = [_shown(channel) for channel in book.living()]
        counts = dict(notifier.counts)
        return answer_json({"accounts": book.counts(), "channels": living, "notifications": counts})

    async def drop(request: web.Request) -> web.Response:
        which = await read_body(request, Which)
        return answer_json({"dropped": book.drop(which.user, which.channel)})

    async def post_faults(request: web.Request) -> web.Response:
        try:
            return answer_json({"ids": [faults.add(rule) for rule in parse_rules(await request.read())]})
        except ValueError as error:
            raise refusal(str(error)) from None

    async def get_faults(_: web.Request) -> web.Response:
        return answer_json({"rules": msgspec.to_builtins(faults.states())})

    async def delete_faults(_: web.Request) -> web.Response:
        faults.clear()
        return web.Response(status=204)

    app.router.add_get(f"{PREFIX}/channels", get_channels)
    app.router.add_post(f"{PREFIX}/channels/drop", drop)
    app.router.add_post(f"{PREFIX}/notifications/faults", post_faults)
    app.router.add_get(f"{PREFIX}/notifications/faults", get_faults)
    app.router.add_delete(f"{PREFIX}/notifications/faults", delete_faults)


def _shown(channel: Channel) -> dict[str, object]:
    """A channel as it is shown: without its token."""
    watched = channel.watched
    return {
        "id": channel.order.id,
        "user": channel.user.email,
        "address": channel.order.address,
        "resource_id": watched.resource_id,
        "file_id": None if watched.file is None else watched.file.id,
        "drive_id": None if watched.drive is None else watched.drive.id,
        "expiration_ms": channel.expiration_ms,
        "number": channel.number,
    }
