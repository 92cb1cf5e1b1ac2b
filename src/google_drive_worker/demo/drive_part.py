"""The simulated Drive as the demonstration uses it: where it is, who is in it, what it truly holds, what it served."""

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import aiohttp
import msgspec

from google_drive_worker.demo.details import TrueComment, TrueContent, TrueDetails, TrueRevision
from google_drive_worker.demo.drive_user import Account, CallFailed, DriveUser
from google_drive_worker.demo.mirror import TruePermission, Truth
from google_drive_worker.domain.drive import DriveFile, SharedDrive
from google_drive_worker.sync.content import EXPORTS

TIMEOUT_S = 60.0


_TRUTH_FIELDS = "id,name,mimeType,parents,driveId,trashed,size,modifiedTime,md5Checksum,sha1Checksum,sha256Checksum"
_ALSO = "permissions,revisions,comments,contents,untold"

T = TypeVar("T")


_NOTHING = msgspec.Raw()


class _TruthLine(msgspec.Struct):
    file: DriveFile | None = None
    drive: SharedDrive | None = None
    permission: msgspec.Raw = _NOTHING
    revision: msgspec.Raw = _NOTHING
    comment: msgspec.Raw = _NOTHING
    content: msgspec.Raw = _NOTHING
    untold: str | None = None


class _Key(msgspec.Struct):
    id: str
    item_id: str = ""

    @property
    def resource_id(self) -> str:
        return f"{self.item_id}/{self.id}"


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

    async def truth(self, email: str, *, limit_bytes: int) -> tuple[Truth, TrueDetails]:
        """All that the account can see out of the trash; `limit_bytes` bounds what is mirrored of a file's bytes.

        Documents' bytes are those of the formats that a connection has where it names none. Raises `CallFailed`.
        """
        asked = [("user", email), ("fields", _TRUTH_FIELDS), ("also", _ALSO)]
        asked += [("export", f"{kind}:{to}") for kind, to in EXPORTS.items()]
        lines = msgspec.json.Decoder(_TruthLine, strict=False).decode_lines(await self._get("truth", asked))
        permissions = _by_key((line.permission for line in lines), TruePermission)
        truth = Truth(
            {line.file.id: line.file for line in lines if line.file is not None},
            {line.drive.id: line.drive for line in lines if line.drive is not None},
            {(key.item_id, key.id): each for key, each in permissions},
            frozenset(line.untold for line in lines if line.untold is not None),
        )
        details = TrueDetails(
            {key.id: each for key, each in _by_key((line.content for line in lines), TrueContent)},
            {key.resource_id: each for key, each in _by_key((line.revision for line in lines), TrueRevision)},
            {key.resource_id: each for key, each in _by_key((line.comment for line in lines), TrueComment)},
            limit_bytes,
        )
        return truth, details

    async def calls(self, email: str) -> Counter[str]:
        """The Drive API calls served to the account since the start, by method. Raises `CallFailed`."""
        counters = msgspec.json.decode(await self._get("counters", []), type=_Counters)
        return Counter({name.removeprefix("drive."): n for name, n in counters.by_user.get(email, {}).items()})

    async def _get(self, name: str, parameters: Sequence[tuple[str, str]]) -> bytes:
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


def _by_key(found: Iterable[msgspec.Raw], kind: type[T]) -> Iterator[tuple[_Key, T]]:
    key_of, value_of = msgspec.json.Decoder(_Key).decode, msgspec.json.Decoder(kind).decode
    return ((key_of(each), value_of(each)) for each in found if bytes(each))
