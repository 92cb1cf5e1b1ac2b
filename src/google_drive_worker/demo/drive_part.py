"""The simulated Drive as the demonstration uses it: where it is, who is in it, what it truly holds, what it served."""

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec

from google_drive_worker.demo.drive_user import Account, CallFailed
from google_drive_worker.demo.mirror import Truth
from google_drive_worker.domain.drive import DriveFile, SharedDrive

TIMEOUT_S = 60.0


class _Truth(msgspec.Struct):
    files: list[DriveFile] = []
    drives: list[SharedDrive] = []


class _Counters(msgspec.Struct):
    by_user: dict[str, dict[str, int]] = {}


class _Credentials(msgspec.Struct):
    type: str
    client_id: str = ""
    client_secret: str = ""
    refresh_token: str = ""


class _Connection(msgspec.Struct):
    customer_id: str
    credentials: _Credentials


@dataclass(frozen=True, slots=True)
class DrivePart:
    """One running simulator. `users` are (connection id, account's address) in the order of its connections file."""

    origin: str
    api_base_url: str
    token_uri: str
    connections_file: Path
    users: tuple[tuple[str, str], ...]

    def customer_id(self, connection_id: str) -> str:
        """Whose connection it is, as the connections file says."""
        return self._connections()[connection_id].customer_id

    def account(self, connection_id: str, email: str) -> Account:
        """The consent that the connections file holds."""
        credentials = self._connections()[connection_id].credentials
        return Account(email, credentials.client_id, credentials.client_secret, credentials.refresh_token)

    async def truth(self, email: str) -> Truth:
        """Every item and shared drive that the account can see, by id. Raises `CallFailed`."""
        found = msgspec.json.decode(await self._get("truth", {"user": email}), type=_Truth)
        return Truth({file.id: file for file in found.files}, {drive.id: drive for drive in found.drives})

    async def calls(self, email: str) -> Counter[str]:
        """The Drive API calls served to the account since the start, by method. Raises `CallFailed`."""
        counters = msgspec.json.decode(await self._get("counters", {}), type=_Counters)
        return Counter({name: count for name, count in counters.by_user.get(email, {}).items() if _is_drive(name)})

    def _connections(self) -> Mapping[str, _Connection]:
        return msgspec.convert(tomllib.loads(self.connections_file.read_text()), dict[str, _Connection])

    async def _get(self, name: str, parameters: Mapping[str, str]) -> bytes:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        url = f"{self.origin}/_simulator/{name}"
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, params=parameters) as answer,
        ):
            body = await answer.read()
            if not answer.ok:
                raise CallFailed(f"the simulator's {name}: {answer.status} {body[:300].decode(errors='replace')}")
            return body


def _is_drive(method: str) -> bool:
    """Whether it is one of Drive's own methods, not the token endpoint."""
    return "." in method and not method.startswith("oauth")
