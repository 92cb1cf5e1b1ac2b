"""What the worker reports of a connection to whoever owns it: the Control Plane, where there is one."""

import msgspec

from google_drive_worker.domain.ids import ConnectionId, CustomerId, PageToken, SyncId


class SyncEnded(msgspec.Struct, frozen=True, kw_only=True):
    """A sync that came to its end and is committed. `counts` are its records by resource type, deletes under `deleted`;
    `page_token` is where the user's change log goes on; times are RFC 3339; `gaps` is how much is yet to be read."""

    connection_id: ConnectionId
    customer_id: CustomerId
    sync_id: SyncId
    kind: str
    started_at: str
    completed_at: str
    page_token: PageToken | None = None
    counts: dict[str, int] = {}
    trigger_message_id: str | None = None
    gaps: int = 0


class CredentialsRefused(msgspec.Struct, frozen=True, kw_only=True):
    """Google no longer takes a connection's credentials, of that fingerprint: the customer has to authorize anew."""

    connection_id: ConnectionId
    reason: str
    credentials: str


Report = SyncEnded | CredentialsRefused
