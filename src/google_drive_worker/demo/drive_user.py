"""A person with a Drive: edits files through the Drive API as anybody would, by plain HTTP and a refresh token."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from google_drive_worker.domain.drive import FOLDER_MIME_TYPE, SharedDrive
from google_drive_worker.domain.ids import DriveId, FileId

TIMEOUT_S = 30.0
_BOUNDARY = "part-of-an-upload"
_WORKSPACE = "application/vnd.google-apps."
_FIELDS = "id,name,mimeType,parents,ownedByMe,capabilities"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody's consent, out of which tokens are made; `connection_id` is what the platform calls it."""

    connection_id: str
    client_id: str
    client_secret: str
    refresh_token: str

    def __repr__(self) -> str:
        return f"Account({self.connection_id!r})"


class CallFailed(Exception):
    """The Drive refused a call; the text says which and why."""


class _Token(msgspec.Struct):
    access_token: str


class _User(msgspec.Struct, rename="camel"):
    email_address: str | None = None


class _About(msgspec.Struct):
    user: _User


class EditableFile(msgspec.Struct, frozen=True, rename="camel"):
    """A file or folder as somebody sees it who is about to edit it."""

    id: FileId
    name: str = ""
    mime_type: str = ""
    parents: tuple[FileId, ...] | None = None
    owned_by_me: bool | None = None
    capabilities: dict[str, bool] = {}

    @property
    def is_folder(self) -> bool:
        """Whether it can have children."""
        return self.mime_type == FOLDER_MIME_TYPE

    @property
    def is_blob(self) -> bool:
        """Whether it has bytes that can be replaced. Its size does not tell: Docs editors' files have one, too."""
        return not self.mime_type.startswith(_WORKSPACE)


class _Files(msgspec.Struct, rename="camel"):
    files: list[EditableFile] = []
    next_page_token: str | None = None


class _Drives(msgspec.Struct, rename="camel"):
    drives: list[SharedDrive] = []
    next_page_token: str | None = None


class DriveUser:
    """One account at one Drive. Use it as an asynchronous context manager. Every call raises `CallFailed`.

    `api_base_url` ends in `/drive/v3`; uploads go to `/upload/drive/v3` of the same host, as Google has it.
    """

    def __init__(self, account: Account, api_base_url: str, token_uri: str) -> None:
        self.account = account
        self._base = api_base_url.rstrip("/")
        self._upload = self._base.replace("/drive/v3", "/upload/drive/v3")
        self._token_uri = token_uri
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        form = {
            "grant_type": "refresh_token",
            "client_id": self.account.client_id,
            "client_secret": self.account.client_secret,
            "refresh_token": self.account.refresh_token,
        }
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(self._token_uri, data=form) as answer,
        ):
            body = await answer.read()
            if not answer.ok:
                raise CallFailed(f"no token for {self.account.connection_id}: {answer.status}")
        token = msgspec.json.decode(body, type=_Token).access_token
        self._session = aiohttp.ClientSession(timeout=timeout, headers={"Authorization": f"Bearer {token}"})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def email(self) -> str:
        """The account's address, as Google knows it."""
        answer = await self._call("GET", "/about", {"fields": "user"})
        return msgspec.json.decode(answer, type=_About).user.email_address or ""

    async def list_drives(self) -> list[SharedDrive]:
        """The shared drives that the account is a member of."""
        drives: list[SharedDrive] = []
        token: str | None = ""
        while token is not None:
            page = msgspec.json.decode(await self._call("GET", "/drives", _DRIVES_PAGE | _at(token)), type=_Drives)
            drives += page.drives
            token = page.next_page_token
        return drives

    async def list_files(self, drive_id: str | None, *, limit: int, query: str = "trashed=false") -> list[EditableFile]:
        """At most `limit` items of a shared drive, or (`None`) of what the account owns and is shared with."""
        parameters = {"pageSize": "200", "q": query, "fields": f"nextPageToken,files({_FIELDS})"}
        if drive_id is not None:
            parameters |= _EVERYWHERE | {"corpora": "drive", "driveId": drive_id, "includeItemsFromAllDrives": "true"}
        files: list[EditableFile] = []
        token: str | None = ""
        while token is not None and len(files) < limit:
            page = msgspec.json.decode(await self._call("GET", "/files", parameters | _at(token)), type=_Files)
            files += page.files
            token = page.next_page_token
        return files[:limit]

    async def create_folder(self, name: str, parent: str | None = None) -> EditableFile:
        """A new folder, in My Drive or in `parent`."""
        return await self._create({"name": name, "mimeType": FOLDER_MIME_TYPE} | _in(parent))

    async def create_document(self, name: str, parent: str | None = None) -> EditableFile:
        """A new, empty Google document."""
        return await self._create({"name": name, "mimeType": _WORKSPACE + "document"} | _in(parent))

    async def upload(self, name: str, content: bytes, parent: str | None = None) -> EditableFile:
        """A new text file with content, by a multipart upload."""
        metadata = msgspec.json.encode({"name": name, "mimeType": "text/plain"} | _in(parent))
        body = b"".join(
            [
                f"--{_BOUNDARY}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n".encode(),
                metadata,
                f"\r\n--{_BOUNDARY}\r\nContent-Type: text/plain\r\n\r\n".encode(),
                content,
                f"\r\n--{_BOUNDARY}--\r\n".encode(),
            ]
        )
        answer = await self._call(
            "POST",
            "/files",
            _EVERYWHERE | {"uploadType": "multipart", "fields": _FIELDS},
            base=self._upload,
            data=body,
            headers={"Content-Type": f"multipart/related; boundary={_BOUNDARY}"},
        )
        return msgspec.json.decode(answer, type=EditableFile)

    async def overwrite(self, file_id: FileId, content: bytes) -> None:
        """New content for a file."""
        await self._call(
            "PATCH",
            f"/files/{file_id}",
            _EVERYWHERE | {"uploadType": "media"},
            base=self._upload,
            data=content,
            headers={"Content-Type": "text/plain"},
        )

    async def rename(self, file_id: FileId, name: str) -> None:
        """A new name for a file or folder."""
        await self._patch(file_id, {"name": name})

    async def move(self, file: EditableFile, to: str) -> None:
        """Into another folder, or to the top of a shared drive."""
        parameters = {"addParents": to, "removeParents": ",".join(file.parents or ())}
        await self._patch(file.id, {}, parameters)

    async def view(self, file_id: FileId) -> None:
        """Open a file or folder: nothing of it changes but when the account viewed it."""
        await self._patch(file_id, {"viewedByMeTime": datetime.now(UTC).isoformat()})

    async def trash(self, file_id: FileId) -> None:
        """Into the trash."""
        await self._patch(file_id, {"trashed": True})

    async def delete(self, file_id: FileId) -> None:
        """Gone for good."""
        await self._call("DELETE", f"/files/{file_id}", _EVERYWHERE)

    async def share(self, file_id: FileId, email: str, role: str = "reader") -> None:
        """Give somebody access."""
        grant = {"type": "user", "role": role, "emailAddress": email}
        parameters = _EVERYWHERE | {"sendNotificationEmail": "false"}
        await self._call("POST", f"/files/{file_id}/permissions", parameters, json=grant)

    async def rename_drive(self, drive_id: DriveId, name: str) -> None:
        """A new name for a shared drive."""
        await self._call("PATCH", f"/drives/{drive_id}", {}, json={"name": name})

    async def _create(self, metadata: Mapping[str, object]) -> EditableFile:
        answer = await self._call("POST", "/files", _EVERYWHERE | {"fields": _FIELDS}, json=metadata)
        return msgspec.json.decode(answer, type=EditableFile)

    async def _patch(
        self, file_id: FileId, metadata: Mapping[str, object], parameters: Mapping[str, str] | None = None
    ) -> None:
        await self._call("PATCH", f"/files/{file_id}", {**_EVERYWHERE, **(parameters or {})}, json=metadata)

    async def _call(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str],
        *,
        base: str | None = None,
        json: Mapping[str, object] | None = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        if self._session is None:
            raise CallFailed(f"{self.account.connection_id} is not signed in")
        content: dict[str, Any] = {"data": data} if json is None else {"json": json}
        url = f"{base or self._base}{path}"
        async with self._session.request(method, url, params=parameters, headers=headers, **content) as answer:
            body = await answer.read()
            if not answer.ok:
                raise CallFailed(f"{method} {path}: {answer.status} {body[:300].decode(errors='replace')}")
            return body


_DRIVES_PAGE = {"pageSize": "100", "fields": "nextPageToken,drives(id,name,capabilities)"}
_EVERYWHERE = {"supportsAllDrives": "true"}


def _in(parent: str | None) -> dict[str, object]:
    return {} if parent is None else {"parents": [parent]}


def _at(token: str) -> dict[str, str]:
    return {"pageToken": token} if token else {}
