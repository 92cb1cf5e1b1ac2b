"""Credentials with marked secrets: whatever text holds `CANARY` has let one out."""

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from google_drive_worker.domain.connection import (
    AuthorizedUser,
    Connection,
    ConnectionSettings,
    Credentials,
    Secret,
    ServiceAccount,
    ServiceAccountInfo,
)
from google_drive_worker.domain.ids import ConnectionId, CustomerId

CANARY = "CANARY"


def authorized_user(token_uri: str, *, access_token: str | None = None, expiry: str | None = None) -> AuthorizedUser:
    """A user's consent whose secrets are marked."""
    return AuthorizedUser(
        client_id="client-1",
        client_secret=Secret("CANARY-client-secret"),
        refresh_token=Secret("CANARY-refresh-token"),
        access_token=Secret(access_token) if access_token else None,
        expiry=expiry,
        token_uri=token_uri,
    )


def service_account(token_uri: str, *, subject: str | None = None, private_key: str | None = None) -> ServiceAccount:
    """A service account with a key of its own."""
    info = ServiceAccountInfo(
        client_email="robot@project.example.com",
        private_key=Secret(private_key or new_private_key()),
        private_key_id="key-1",
        token_uri=token_uri,
    )
    return ServiceAccount(info=info, subject=subject)


def new_private_key() -> str:
    """An RSA key as Google's key files hold it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def connection(
    credentials: Credentials, *, name: str = "conn_abc", settings: ConnectionSettings | None = None
) -> Connection:
    """A connection with these credentials."""
    return Connection(
        connection_id=ConnectionId(name),
        customer_id=CustomerId("cust_123"),
        credentials=credentials,
        settings=settings or ConnectionSettings(),
    )
