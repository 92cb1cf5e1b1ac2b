"""Connections from a TOML file (`CONNECTIONS_FILE`): what the Control Plane would say, for where there is none.

    [conn_abc]
    customer_id = "cust_123"
    settings = { sync_content = false }

    [conn_abc.credentials]
    type = "authorized_user"
    client_id = "…"
    client_secret = "…"
    refresh_token = "…"

The table's name is the connection's id (`connection_id` may repeat it); the fields are those of `domain/connection.py`.
"""

import asyncio
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from google_drive_worker.connections.description import Described, connection_of, field_problem, to_secret
from google_drive_worker.domain.connection import Connection, ConnectionSettings
from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.utils.errors import Misconfigured, Terminal, UnknownConnection

_FILE_BYTES = 64 * 1024 * 1024


class _Entry(Described, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of the file."""

    connection_id: ConnectionId | None = None


class _Broken(Exception):
    """What is wrong with the file, in one line that holds no secret."""


_Stamp = tuple[int, int, int]
_Connections = dict[ConnectionId, Connection | Terminal]
"""The file's connections; of one whose settings make no sense, what is wrong with them."""


class ConnectionsFile:
    """Implements `Connections` by one TOML file, read again when it changed.

    A rewrite that can't be read leaves the last good one in force; `problem` then says what is wrong with it. Ten
    thousand connections take seconds to parse: `get` and `refresh` do it in a thread, and the event loop goes on.
    """

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self._path = path
        self._stamp: _Stamp | None = None
        self._known: _Connections | None = None
        self._problem: str | None = None
        self._reading = asyncio.Lock()

    @property
    def problem(self) -> str | None:
        """What is wrong with the file as it is now, in one line; `None` while it is in force."""
        return self._problem

    async def ids(self) -> tuple[ConnectionId, ...]:
        """The ids of all connections, in the file's order. Raises `Misconfigured` where the file was never readable."""
        await self.refresh()
        return tuple(self._in_force())

    async def refresh(self) -> None:
        """Read the file where it changed. Raises `Misconfigured` where it was never readable.

        A `stat` a call is cheap beside what a connection is asked for.
        """
        async with self._reading:  # whoever asks meanwhile waits for the same reading
            stamp = _stamp(self._path)
            if stamp is None:
                self._problem = f"CONNECTIONS_FILE: there is no file {self._path}; create it, or set CONNECTIONS_FILE"
                self._stamp = None
            elif stamp != self._stamp:
                found = await asyncio.to_thread(_read, self._path)
                self._stamp = stamp
                if isinstance(found, _Broken):
                    self._problem = f"CONNECTIONS_FILE {self._path}: {found}"
                else:
                    self._known, self._problem = found, None
        self._in_force()

    async def get(self, connection_id: ConnectionId) -> Connection:
        """Return the connection as the file has it now.

        Raises `UnknownConnection` where it has none of that id, `Terminal` where its settings make no sense,
        `Misconfigured` where the file was never readable.
        """
        await self.refresh()
        known = self._in_force().get(connection_id)
        if known is None:
            raise UnknownConnection("CONNECTIONS_FILE holds no connection of that id")
        if isinstance(known, Terminal):
            raise Terminal(known.message, code=known.code)
        return known

    async def refused(self) -> list[str]:
        """Return what is wrong with single connections, whose settings make no sense; the others are in force.

        Raises `Misconfigured` where the file was never readable.
        """
        await self.refresh()
        return [f"[{name}] {each.message}" for name, each in self._in_force().items() if isinstance(each, Terminal)]

    def doubt(self, connection_id: ConnectionId) -> None:
        """Nothing to do: the file is looked at each time."""

    def _in_force(self) -> _Connections:
        if self._known is None:
            raise Misconfigured(self._problem or "CONNECTIONS_FILE can't be read")
        return self._known


def _stamp(path: Path) -> _Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path) -> _Connections | _Broken:
    """All connections of the file, or what is wrong with it. Touches nothing else: it may run in any thread."""
    try:
        return _parse(path)
    except _Broken as broken:
        return broken


def _parse(path: Path) -> _Connections:
    problem = None
    tables: dict[str, Any] = {}
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_BYTES + 1)
        if len(content) > _FILE_BYTES:
            problem = f"is larger than {_FILE_BYTES // (1024 * 1024)} MB"
        else:
            tables = msgspec.to_builtins(tomllib.loads(content.decode()))  # dates become strings
    except OSError as error:
        problem = f"can't be read ({error.strerror}); fix its permissions"
    except UnicodeDecodeError:
        problem = "is no UTF-8 text"
    except tomllib.TOMLDecodeError as error:
        problem = f"is no valid TOML: {_toml_problem(error)}"
    except RecursionError:
        problem = "is nested too deeply"
    if problem is not None:  # outside of `except`: a TOML error carries the whole text with it
        raise _Broken(problem)
    return {ConnectionId(name): _connection(name, table) for name, table in tables.items()}


def _connection(name: str, table: object) -> Connection | Terminal:
    entry = _entry(name, table)
    if not name:
        raise _Broken("a connection's id is empty")
    if entry.connection_id not in {None, name}:
        raise _Broken(f"[{name}] connection_id: must be the table's name, or left out")
    try:
        return connection_of(ConnectionId(name), entry)
    except Terminal as problem:  # its own alone: the others are in force
        return problem


def _entry(name: str, table: object) -> _Entry:
    settings = table.get("settings") if isinstance(table, dict) else None
    unknown = set(settings) - set(ConnectionSettings.__struct_fields__) if isinstance(settings, dict) else set()
    if unknown:
        raise _Broken(f"[{name}] settings: unknown field `{min(unknown)}`")
    try:
        return msgspec.convert(table, _Entry, dec_hook=to_secret)
    except msgspec.ValidationError as error:
        text = str(error)
    raise _Broken(f"[{name}] {field_problem(text)}")


def _toml_problem(error: tomllib.TOMLDecodeError) -> str:
    """Give the place alone: the text may quote a piece of the line, which may hold a secret."""
    match = re.search(r"\((at [^)]*)\)", str(error))
    return match[1] if match else "somewhere"
