"""What the state topic tells from outside: whether a connection owes anything, and whether it is in trouble."""

import msgspec


class _Parked(msgspec.Struct):
    code: str = ""
    step: str = ""
    until: str | None = None


class _Something(msgspec.Struct):
    """What is in it does not matter here."""


class _State(msgspec.Struct):
    owed: _Something | None = None
    sync: _Something | None = None
    parked: _Parked | None = None


_decode = msgspec.json.Decoder(_State).decode


def incremental_done(value: bytes) -> bool:
    """Whether a state record says that nothing is owed, running or parked."""
    state = _decode(value)
    return state.owed is None and state.sync is None and state.parked is None


def trouble(value: bytes) -> str | None:
    """Why a connection rests until a person acts, or None where it does not."""
    parked = _decode(value).parked
    if parked is None or parked.until is not None:
        return None
    return f"parked at {parked.step}: {parked.code}"


class LatestStates:
    """The head of each connection's last state, with its offset, as a reader hands them over."""

    def __init__(self) -> None:
        self._latest: dict[str, tuple[int, bytes]] = {}

    def take(self, offset: int, key: bytes | None, value: bytes | None) -> None:
        """Take one record of the state topic; those of single corpora have a NUL in their key."""
        if key is not None and b"\0" not in key:
            self._latest[key.decode(errors="replace")] = (offset, value or b"{}")

    def mark(self, connection_id: str) -> int:
        """The offset of the connection's last record, -1 where it has none: what comes after it is news."""
        return self._latest.get(connection_id, (-1, b""))[0]

    def since(self, connection_id: str, mark: int) -> bytes | None:
        """The connection's last record, where it came after `mark`."""
        offset, value = self._latest.get(connection_id, (-1, b""))
        return value if offset > mark else None
