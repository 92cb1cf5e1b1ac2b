"""The connections.toml of a simulator: how the worker, or a stranger, gets in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

CLIENT_ID = "1234567890-simulator.apps.googleusercontent.com"
CLIENT_SECRET = "GOCSPX-simulator"  # noqa: S105 - guards made-up files only


@dataclass(frozen=True, slots=True)
class Account:
    """How one connection gets in: by a user's refresh token, or as a service account that speaks for the user."""

    email: str
    customer_id: str
    refresh_token: str | None = None
    service_account: Mapping[str, str] | None = None


def refresh_token_of(email: str) -> str:
    """A user's refresh token, the same at every start, so that a connections.toml outlives the simulator."""
    return "1//simulated-" + sha256(email.encode()).hexdigest()[:40]


def connections_toml(accounts: Mapping[str, Account], token_uri: str, *, push: bool = False) -> str:
    """The file's text: a table for each connection, its id the table's name. `push`: with push notifications on."""
    lines = ["# Written by the Drive simulator. The credentials open made-up Drives only."]
    for connection_id, account in accounts.items():
        lines += ["", f"[{_quote(connection_id)}]", f"# {account.email}"]
        lines += [f"connection_id = {_quote(connection_id)}", f"customer_id = {_quote(account.customer_id)}"]
        if push:
            lines += ["settings = { push_notifications = true }"]
        lines += ["", f"[{_quote(connection_id)}.credentials]"]
        if account.service_account is None:
            values = {
                "type": "authorized_user",
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "refresh_token": account.refresh_token or "",
                "token_uri": token_uri,
            }
            lines += [f"{name} = {_quote(value)}" for name, value in values.items()]
            continue
        lines += ['type = "service_account"', f"subject = {_quote(account.email)}"]
        lines += ["", f"[{_quote(connection_id)}.credentials.info]"]
        names = ("client_email", "private_key", "private_key_id", "token_uri")
        lines += [f"{name} = {_quote(account.service_account[name])}" for name in names]
    return "\n".join(lines) + "\n"


def _quote(text: str) -> str:
    # A JSON string is a TOML basic string too.
    return json.dumps(text, ensure_ascii=False)
