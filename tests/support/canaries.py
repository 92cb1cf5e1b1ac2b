"""Marked secrets: what they are called, where they are meant to be, and a search that finds them in any coat."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from google_drive_worker.demo.mirror import ReceivedRecord
from support.consume import read_all
from support.topics import Topics

SHORTEST = 12
"""A mark that is shorter could stand somewhere by chance."""

Places = Mapping[str, bytes]
"""Texts by the name of the place that they were found in."""


@dataclass
class Canaries:
    """Secrets by their names. `meant` is what was seen where they belong: requests to who has to know them."""

    secrets: dict[str, str] = field(default_factory=dict)
    meant: dict[str, bytes] = field(default_factory=dict)

    def mark(self, name: str, value: str | None = None) -> str:
        """A secret of that name, made up where it is not given."""
        value = value or f"CANARY-{name.replace(' ', '-')}-0123456789"
        assert len(value) >= SHORTEST
        self.secrets[name] = value
        return value

    def mark_pem(self, name: str, pem: str) -> None:
        """A key in PEM: each of its lines is a mark."""
        for number, line in enumerate(pem.strip().splitlines()[1:-1]):
            if len(line) >= SHORTEST:
                self.mark(f"{name}, line {number}", line)

    def see(self, place: str, text: bytes | str) -> None:
        """Something that is meant to hold secrets."""
        self.meant[f"{place} {len(self.meant)}"] = text.encode() if isinstance(text, str) else text

    def on_grant(self, form: Mapping[str, str], answer: Mapping[str, object]) -> None:
        """Observes a token endpoint: the token that it gives out is a secret from now on."""
        self.mark(f"access token {len(self.meant)}", str(answer["access_token"]))
        if "assertion" in form:
            self.mark(f"assertion {len(self.meant)}", form["assertion"])
        self.see("token request", json.dumps([dict(form), dict(answer)]))

    def unseen(self) -> set[str]:
        """Secrets that were not where they belong: nobody has used them, and a search for them proves nothing."""
        return set(self.secrets) - {name for _, name in self.found_in(self.meant)}

    def found_in(self, places: Places, *, but: Iterable[str] = ()) -> set[tuple[str, str]]:
        """Which secrets stand where, plainly or encoded; `but` names those that may."""
        allowed = set(but)
        return {
            (place, name)
            for name, value in self.secrets.items()
            if name not in allowed
            for form in forms_of(value.encode())
            for place, text in places.items()
            if form in text
        }


def forms_of(value: bytes) -> set[bytes]:
    """A text as it may stand within others: plain, in JSON, in an address, in base64 at any offset, and in hex."""
    plain = value.decode()
    forms = {value, json.dumps(plain)[1:-1].encode(), quote(plain, safe="").encode(), value.hex().encode()}
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + value)
        whole = encoded[(8 * before + 5) // 6 : (before + len(value)) * 8 // 6]
        forms |= {whole, whole.translate(bytes.maketrans(b"+/", b"-_"))}
    return forms


def topics_as_written(topics: Topics) -> dict[str, bytes]:
    """All that stands in the topics that the worker writes, message by message, aborted transactions included."""
    names = {
        "data": topics.data,
        "errors": topics.errors,
        "state": topics.state,
        "items": topics.items,
        "trigger": topics.trigger,
    }
    return {
        f"{name} {message.partition}/{message.offset}": b"\n".join(
            [message.key or b"", message.value or b"", *message.headers.values()]
        )
        for name, topic in names.items()
        for message in read_all(topics.bootstrap_servers, topic, isolation="read_uncommitted")
    }


def referred_objects(records: Iterable[ReceivedRecord]) -> set[str]:
    """The addresses of objects that records refer to."""
    refs = [ref for record in records for ref in (record.payload_ref, record.content_ref) if ref is not None]
    return {ref.uri for ref in refs}
