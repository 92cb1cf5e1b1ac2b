"""Faults that were seen of live Drive, ready to be added to a plan; and rules read from JSON, which may name them.

- `batch_not_found`: a batch as a whole is 404, in HTML (reported);
- `batch_too_large`: a batch as a whole is 413, in HTML (reported; the text is assumed);
- `batch_rate_limited`: a batch as a whole is 429 `rateLimitExceeded` (reported);
- `part_soft_limit`: a call, in a batch or not, is 403 `forbidden` with the text of SOFT_LIMIT (reported:
  skaut/skaut-google-drive-gallery #2162);
- `automated_queries`: a call is 403, in HTML (reported: googleworkspace/python-samples #1424);
- `export_fails`: files.export is 500 `internalError` (reported, five times); for one document for ever with
  `{"preset": "export_fails", "match": {"item": "…"}, "times": null}`.

Each strikes once where nothing else is said. What they answer says nothing of the file or drive that was asked for.
"""

from collections.abc import Mapping

import msgspec

from drive_simulator.faults.plan import BATCH, Effect, Match, Rule

SOFT_LIMIT = "Exceeds allowed inner batch requests soft limit. Please retry."

PRESETS: Mapping[str, Rule] = {
    "batch_not_found": Rule(Effect(html=404), Match(method=BATCH), times=1),
    "batch_too_large": Rule(Effect(html=413), Match(method=BATCH), times=1),
    "batch_rate_limited": Rule(Effect(error="rateLimitExceeded", status=429), Match(method=BATCH), times=1),
    "part_soft_limit": Rule(Effect(error="forbidden", message=SOFT_LIMIT), times=1),
    "automated_queries": Rule(Effect(html=403), times=1),
    "export_fails": Rule(Effect(error="internalError"), Match(method="files.export"), times=1),
}


def failing_for_ever(item_id: str, method: str, effect: Effect) -> Rule:
    """The rule by which that call of that item fails whenever it is made, alone or in a batch."""
    return Rule(effect, Match(method=method, item=item_id))


class _Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A preset as JSON names it; `match` narrows it down."""

    preset: str
    match: dict[str, msgspec.Raw] = {}
    times: int | msgspec.UnsetType | None = msgspec.UNSET

    def rule(self) -> Rule:
        """The rule. Raises ValueError for a name or a match that is none."""
        known = PRESETS.get(self.preset)
        if known is None:
            raise ValueError(f"there is no preset {self.preset!r}; there are {', '.join(PRESETS)}")
        given = {name: msgspec.json.decode(value) for name, value in self.match.items()}
        match = msgspec.convert({**msgspec.to_builtins(known.match), **given}, Match)
        return Rule(known.effect, match, known.times if self.times is msgspec.UNSET else self.times)


def parse_rules(body: bytes) -> list[Rule]:
    """One rule or preset, or a list of them, from JSON. Raises ValueError that says what is wrong."""
    is_list = body.lstrip().startswith(b"[")
    given = msgspec.json.decode(body, type=list[msgspec.Raw]) if is_list else [msgspec.Raw(body)]
    return [_read(raw) for raw in given]


def _read(raw: msgspec.Raw) -> Rule:
    if "preset" in msgspec.json.decode(raw, type=dict[str, msgspec.Raw]):
        return msgspec.json.decode(raw, type=_Named).rule()
    return msgspec.json.decode(raw, type=Rule)
