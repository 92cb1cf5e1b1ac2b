"""A consumer's mirror that compares every documented field, and never sweeps: it has what the records alone say."""

from collections import Counter
from collections.abc import Callable

import msgspec
import orjson

from drive_simulator.model.items import User
from drive_simulator.model.world import World
from google_drive_worker.demo.equality import differing, record_fields
from google_drive_worker.demo.true_records import EVERYTHING, Key, Wanted, owner_of, pack, true_records


class _Record(msgspec.Struct, frozen=True, gc=False):
    resource_type: str
    resource_id: str
    operation: str
    data: dict[str, object]


_decode = msgspec.json.Decoder(_Record).decode


class FieldMirror:
    """What a consumer holds. `on_record` is told each record's key and operation, once it is applied."""

    def __init__(self, on_record: Callable[[Key, str], None]) -> None:
        self._on_record = on_record
        self._held: dict[Key, bytes] = {}
        self._hanging: dict[str, set[Key]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def apply(self, value: bytes) -> None:
        """Take the next record."""
        record = _decode(value)
        key = record.resource_type, record.resource_id
        if record.operation == "delete":
            self._drop(key)
        elif record.resource_type != "sync":
            self._held[key] = pack(record_fields(record.resource_type, record.data))
            if "/" in record.resource_id:
                self._hanging.setdefault(owner_of(key), set()).add(key)
        self._on_record(key, record.operation)

    def _drop(self, key: Key) -> None:
        self._held.pop(key, None)
        if "/" not in key[1]:
            for each in self._hanging.pop(key[1], ()):
                self._held.pop(each, None)

    def differences(
        self, world: World, user: User, wanted: Wanted = EVERYTHING, examples: int = 20
    ) -> tuple[Counter[str], list[str]]:
        """How many records are missing, unexpected or different, by kind, and some of them in words."""
        counts: Counter[str] = Counter()
        words: list[str] = []

        def note(kind: str, key: Key, text: str = "") -> None:
            counts[f"{kind} {key[0]}"] += 1
            if counts[f"{kind} {key[0]}"] <= examples // 4:
                words.append(f"{kind} {key[0]} {key[1]}{text}")

        unseen = set(self._held)
        for key, fields in true_records(world, user, wanted):
            unseen.discard(key)
            held = self._held.get(key)
            if held is None:
                note("missing", key)
            elif held != pack(fields):
                found = differing(orjson.loads(pack(fields)), orjson.loads(held))
                note("different", key, "".join(f"; {name} is {is_!r}, not {should!r}" for name, should, is_ in found))
        for key in unseen:
            note("unexpected", key)
        return counts, words[:examples]
