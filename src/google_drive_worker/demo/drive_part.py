"""The simulated Drive as the demonstration uses it: where it is, who is in it, what it truly holds, what it served."""

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import msgspec

from google_drive_worker.demo.drive_user import Account, CallFailed, DriveUser
from google_drive_worker.demo.mirror import Truth
from google_drive_worker.domain.drive import DriveFile, SharedDrive

TIMEOUT_S = 60.0


_TRUTH_FIELDS = "id,name,mimeType,parents,driveId,trashed,size,modifiedTime,md5Checksum,sha1Checksum,sha256Checksum"


class _TruthLine(msgspec.Struct):
    file: DriveFile | None = None
    drive: SharedDrive | None = None


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
class Person:
    """Somebody with a Drive, and the connection that the worker mirrors it by."""

    account: Account
    customer_id: str
    email: str


@dataclass(frozen=True, slots=True)
class DrivePart:
    """One running simulator, and the people in it; the first is whose Drive is mirrored."""

    origin: str
    api_base_url: str
    token_uri: str
    connections_file: Path
    people: tuple[Person, ...] = ()

    def accounts(self) -> list[tuple[Account, str]]:
        """The users' consents that the connections file holds, in its order, with the customers' ids."""
        tables = msgspec.convert(tomllib.loads(self.connections_file.read_text()), dict[str, _Connection])
        return [
            (Account(name, held.client_id, held.client_secret, held.refresh_token), table.customer_id)
            for name, table in tables.items()
            if (held := table.credentials).type == "authorized_user"
        ]

    async def meet(self, count: int) -> "DrivePart":
        """The same with the first `count` of its people, each asked for their address. Raises `CallFailed`."""
        people: list[Person] = []
        for account, customer_id in self.accounts()[:count]:
            async with DriveUser(account, self.api_base_url, self.token_uri) as user:
                people.append(Person(account, customer_id, await user.email()))
        return replace(self, people=tuple(people))

    async def truth(self, email: str) -> Truth:
        """Every item out of the trash and every shared drive that the account can see, by id. Raises `CallFailed`."""
        body = await self._get("truth", {"user": email, "fields": _TRUTH_FIELDS})
        lines = msgspec.json.Decoder(_TruthLine, strict=False).decode_lines(body)
        return Truth(
            {line.file.id: line.file for line in lines if line.file is not None},
            {line.drive.id: line.drive for line in lines if line.drive is not None},
        )

    async def calls(self, email: str) -> Counter[str]:
        """The Drive API calls served to the account since the start, by method. Raises `CallFailed`."""
        counters = msgspec.json.decode(await self._get("counters", {}), type=_Counters)
        return Counter({name.removeprefix("drive."): n for name, n in counters.by_user.get(email, {}).items()})

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
