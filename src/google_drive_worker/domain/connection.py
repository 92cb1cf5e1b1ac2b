"""A connection: whose Drive, by which credentials, with which settings (platform contract, "Control Plane")."""

import hashlib
from typing import Literal

import msgspec

from google_drive_worker.domain.ids import ConnectionId, CustomerId, DriveId, FileId


class Secret:
    """A string that prints as `***`; only `reveal()` gives it out."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself: for the wire, never for a log, message or exception."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class AuthorizedUser(msgspec.Struct, frozen=True, tag="authorized_user", tag_field="type"):
    """A user's consent: an access token with its refresh token, held by the worker."""

    client_id: str
    client_secret: Secret
    refresh_token: Secret
    access_token: Secret | None = None
    expiry: str | None = None
    token_uri: str | None = None


class AccessToken(msgspec.Struct, frozen=True, tag="access_token", tag_field="type"):
    """A token that somebody else refreshes (the Control Plane)."""

    access_token: Secret
    expiry: str | None = None


class ServiceAccountInfo(msgspec.Struct, frozen=True):
    """The part of Google's service-account key file that signing needs."""

    client_email: str
    private_key: Secret
    private_key_id: str | None = None
    token_uri: str | None = None


class ServiceAccount(msgspec.Struct, frozen=True, tag="service_account", tag_field="type"):
    """A service account, with `subject` for domain-wide delegation."""

    info: ServiceAccountInfo
    subject: str | None = None


Credentials = AuthorizedUser | AccessToken | ServiceAccount


class Grant(msgspec.Struct, frozen=True):
    """A fresh access token and how long it lasts from now, in seconds."""

    access_token: Secret
    lifetime_s: float


class TemporaryKeys(msgspec.Struct, frozen=True):
    """Short-lived keys (STS) to a connection's prefix of the object store; `expires_at` is RFC 3339."""

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret
    expires_at: str


class ConnectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What to mirror; `None` means the worker's default."""

    include_shared_drives: bool | None = None
    include_trashed: bool = False
    drive_ids: tuple[DriveId, ...] | None = None
    folder_ids: tuple[FileId, ...] | None = None
    exclude_mime_types: tuple[str, ...] = ()
    max_file_size_bytes: int | None = None
    sync_permissions: bool = True
    sync_revisions: bool = True
    max_revisions: int | None = None
    sync_comments: bool = True
    sync_content: bool = False
    export_formats: dict[str, str] | None = None
    sync_changes: bool = False
    sync_paths: bool = True
    push_notifications: bool = False
    label_ids: tuple[str, ...] = ()


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One connection as its source describes it at the moment."""

    connection_id: ConnectionId
    customer_id: CustomerId
    credentials: Credentials
    integration_id: str = "google-drive"
    status: Literal["active", "paused", "disconnected"] = "active"
    settings: ConnectionSettings = ConnectionSettings()


def fingerprint(credentials: Credentials) -> str:
    """Tells whether credentials are still the same, and nothing about them: 16 hexadecimal digits."""
    plain = msgspec.json.encode(credentials, enc_hook=Secret.reveal)
    return hashlib.blake2b(plain, digest_size=8, person=b"credentials").hexdigest()
