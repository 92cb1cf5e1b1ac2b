"""What the demonstration found, as a table for people and as one JSON object for machines. Pure but for the console."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import orjson
from rich.console import Console
from rich.table import Table

from google_drive_worker.demo.details import Compared
from google_drive_worker.demo.mirror import Difference
from google_drive_worker.demo.plane_part import PlaneCalls
from google_drive_worker.demo.push import PushLatency

MAX_DIFFERENCES = 20
"""How many differences are written out; all are counted."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One sync of the demonstration: what it wrote, and what it cost."""

    name: str
    records: int
    duration_s: float
    api_calls: int

    @property
    def records_per_second(self) -> float:
        """Records by the time from the trigger to the last of them."""
        return self.records / self.duration_s if self.duration_s > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that is reported. `records` is by (resource type, operation); `api_calls` is the worker's, by method.

    `untold` counts items whose sharing was not compared, since no change log tells the account of it.
    """

    records: Mapping[tuple[str, str], int]
    phases: Sequence[Phase]
    api_calls: Mapping[str, int]
    edits: Mapping[str, int]
    differences: Sequence[Difference]
    compared: Sequence[Compared]
    duplicates: int
    repeated_messages: int
    misorders: int
    notes: Sequence[str]
    duration_s: float
    kafka: str
    control_plane: PlaneCalls
    untold: int = 0
    push: PushLatency | None = None

    @property
    def equal(self) -> bool:
        """Whether the mirror is the Drive in all that was compared, and nothing on the way was out of order."""
        return not self.differences and self.misorders == 0 and any(each.count for each in self.compared)

    @property
    def records_per_second(self) -> float:
        """The full sync's."""
        return self.phases[0].records_per_second if self.phases else 0.0


def to_json(outcome: Outcome) -> bytes:
    """One JSON object on one line."""
    by_type: dict[str, int] = {}
    by_operation: dict[str, int] = {}
    for (kind, operation), count in sorted(outcome.records.items()):
        by_type[kind] = by_type.get(kind, 0) + count
        by_operation[operation] = by_operation.get(operation, 0) + count
    return orjson.dumps(
        {
            "equal": outcome.equal,
            "records": by_type,
            "operations": by_operation,
            "records_per_second": round(outcome.records_per_second, 1),
            "api_calls": sum(outcome.api_calls.values()),
            "api_calls_by_method": dict(sorted(outcome.api_calls.items())),
            "duration_s": round(outcome.duration_s, 3),
            "phases": [
                {
                    "name": phase.name,
                    "records": phase.records,
                    "duration_s": round(phase.duration_s, 3),
                    "records_per_second": round(phase.records_per_second, 1),
                    "api_calls": phase.api_calls,
                }
                for phase in outcome.phases
            ],
            "edits": dict(outcome.edits),
            "compared": {each.what: each.count for each in outcome.compared},
            "sharing_not_compared": outcome.untold,
            "control_plane": asdict(outcome.control_plane),
            "differences": [str(each) for each in outcome.differences[:MAX_DIFFERENCES]],
            "difference_count": len(outcome.differences),
            "duplicates": outcome.duplicates,
            "repeated_messages": outcome.repeated_messages,
            "misorders": outcome.misorders,
            "kafka": outcome.kafka,
            "push": None
            if outcome.push is None
            else {
                "edits": outcome.push.edits,
                "p50_s": round(outcome.push.p50_s, 3),
                "p99_s": round(outcome.push.p99_s, 3),
            },
        }
    )


def failure_json(reason: str) -> bytes:
    """The same object's least form, for a demonstration that broke off."""
    return orjson.dumps(
        {
            "equal": False,
            "records": {},
            "operations": {},
            "records_per_second": 0.0,
            "api_calls": 0,
            "duration_s": 0.0,
            "error": reason,
        }
    )


def show(outcome: Outcome, console: Console) -> None:
    """Print the tables and the verdict."""
    console.print(_records_table(outcome))
    console.print(_phases_table(outcome))
    calls = ", ".join(f"{method} {count:,}" for method, count in sorted(outcome.api_calls.items()))
    console.print(f"Drive API calls by the worker: {calls or 'none'}", highlight=False)
    edits = ", ".join(f"{kind} {count}" for kind, count in outcome.edits.items())
    console.print(f"Edits made through the Drive API: {edits or 'none'}", highlight=False)
    if outcome.push is not None:
        console.print(
            f"{outcome.push.edits} edits by push, from edit to committed record: p50 {outcome.push.p50_s:.2f} s, "
            f"p99 {outcome.push.p99_s:.2f} s",
            highlight=False,
        )
    plane = outcome.control_plane
    console.print(
        f"Calls to the Control Plane, over mutual TLS: connection {plane.descriptions}, "
        f"refresh-token {plane.token_refreshes}, cursor {plane.cursors}",
        highlight=False,
    )
    for note in outcome.notes:
        console.print(f"[yellow]out of order:[/] {note}", highlight=False)
    console.print(_compared_table(outcome))
    if outcome.untold:
        console.print(
            f"Not compared: the sharing of {outcome.untold:,} items below folders that the account does not see; no "
            "change log tells of it",
            highlight=False,
        )
    if outcome.equal:
        console.print(
            "[bold green]EQUAL[/]: the mirror rebuilt from the topic and the object store alone is the Drive "
            f"({outcome.duration_s:.1f} s, Kafka: {outcome.kafka})",
            highlight=False,
        )
        return
    for difference in outcome.differences[:MAX_DIFFERENCES]:
        console.print(f"  {difference}", markup=False, highlight=False)
    more = len(outcome.differences) - MAX_DIFFERENCES
    if more > 0:
        console.print(f"  … and {more:,} more")
    console.print(
        f"[bold red]NOT EQUAL[/]: {len(outcome.differences):,} differences, {outcome.misorders:,} records out of order",
        highlight=False,
    )


_WORDS = {
    "file": "files",
    "folder": "folders",
    "shared_drive": "shared drives",
    "permission": "permissions",
    "revision": "revisions",
    "comment": "comments",
    "content": "contents of files, by SHA-256",
}


def _compared_table(outcome: Outcome) -> Table:
    table = Table(title="Mirror and Drive compared", title_justify="left")
    table.add_column("what")
    for name in ("in the Drive", "different"):
        table.add_column(name, justify="right")
    for each in outcome.compared:
        table.add_row(_WORDS[each.what], f"{each.count:,}", f"{each.differences:,}")
    return table


def _records_table(outcome: Outcome) -> Table:
    table = Table(title="Records on the data topic", title_justify="left")
    table.add_column("resource type")
    operations = sorted({operation for _, operation in outcome.records}, reverse=True)
    for operation in operations:
        table.add_column(operation, justify="right")
    for kind in sorted({kind for kind, _ in outcome.records}):
        table.add_row(kind, *(f"{outcome.records.get((kind, operation), 0):,}" for operation in operations))
    return table


def _phases_table(outcome: Outcome) -> Table:
    table = Table(title="Syncs", title_justify="left")
    table.add_column("sync")
    for name in ("records", "seconds", "records/s", "API calls"):
        table.add_column(name, justify="right")
    for phase in outcome.phases:
        table.add_row(
            phase.name,
            f"{phase.records:,}",
            f"{phase.duration_s:.2f}",
            f"{phase.records_per_second:,.0f}",
            f"{phase.api_calls:,}",
        )
    return table
