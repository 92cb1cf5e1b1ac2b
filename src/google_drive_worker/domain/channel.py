"""Push channels as Google and its notifications speak of them."""

import msgspec


class Watched(msgspec.Struct, frozen=True):
    """Google's answer to changes.watch; `expires_at` is RFC 3339, `None` where Google names no time."""

    resource_id: str
    expires_at: str | None = None


class Notice(msgspec.Struct, frozen=True):
    """What a notification says that came with a genuine token: which channel sent it, and its number there."""

    channel_id: str
    resource_id: str
    message_number: int
    is_sync: bool = False
