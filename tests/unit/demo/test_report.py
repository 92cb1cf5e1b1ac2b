"""The demonstration's result, for people and for machines; and what the state topic tells."""

import io
import json
from dataclasses import replace

from rich.console import Console

from google_drive_worker.demo.details import Compared
from google_drive_worker.demo.mirror import Difference
from google_drive_worker.demo.plane_part import PlaneCalls
from google_drive_worker.demo.push import Arrivals, PushLatency
from google_drive_worker.demo.report import Outcome, Phase, failure_json, show, to_json
from google_drive_worker.demo.states import LatestStates, incremental_done, trouble


def outcome(*differences: Difference, misorders: int = 0) -> Outcome:
    """A result with one full sync."""
    return Outcome(
        records={("file", "upsert"): 1500, ("file", "delete"): 3, ("folder", "upsert"): 500},
        phases=[Phase("full sync", 2000, 4.0, 7), Phase("incremental sync 1", 3, 0.5, 2)],
        api_calls={"files.list": 7, "changes.list": 2},
        edits={"rename": 3},
        differences=differences,
        compared=[Compared("file", 1500, len(differences)), Compared("content", 1200, 0)],
        control_plane=PlaneCalls(descriptions=3, token_refreshes=1, cursors=4),
        duplicates=0,
        repeated_messages=0,
        misorders=misorders,
        notes=[],
        duration_s=5.0,
        kafka="embedded",
        push=PushLatency(40, 0.2, 0.75),
    )


def shown(result: Outcome) -> str:
    """What a person sees."""
    text = io.StringIO()
    show(result, Console(file=text, width=120))
    return text.getvalue()


def test_the_json_has_what_is_promised() -> None:
    """One line with equality, counts by type and by operation, the rate, the calls and the time."""
    line = to_json(outcome())
    assert b"\n" not in line
    found = json.loads(line)
    assert found["equal"] is True
    assert found["records"] == {"file": 1503, "folder": 500}
    assert found["operations"] == {"delete": 3, "upsert": 2000}
    assert (found["records_per_second"], found["api_calls"], found["duration_s"]) == (500.0, 9, 5.0)
    assert found["compared"] == {"file": 1500, "content": 1200}
    assert found["control_plane"] == {"descriptions": 3, "token_refreshes": 1, "cursors": 4}
    assert set(json.loads(failure_json("why"))) <= set(found) | {"error"}


def test_a_difference_or_disorder_is_not_equal() -> None:
    """Either spoils the result, in both forms."""
    different = outcome(Difference("missing", "file", "f1"))
    assert json.loads(to_json(different))["differences"] == ["missing file f1"]
    assert "NOT EQUAL" in shown(different)
    assert "missing file f1" in shown(different)
    assert not outcome(misorders=1).equal


def test_the_table_says_equal() -> None:
    """A person reads the counts and the verdict."""
    text = shown(outcome())
    assert "1,500" in text
    assert "NOT EQUAL" not in text
    assert "EQUAL: the mirror rebuilt from the topic and the object store alone is the Drive" in text
    assert "contents of files, by SHA-256 │        1,200 │         0" in text
    assert "connection 3, refresh-token 1, cursor 4" in text
    assert "Not compared" not in text


def test_what_was_not_compared_is_told() -> None:
    """Sharing of which no change log tells is named; where nothing at all was compared, nothing is equal."""
    assert "Not compared: the sharing of 7 items" in shown(replace(outcome(), untold=7))
    assert not replace(outcome(), compared=[]).equal


def test_the_state_tells_when_a_sync_has_ended() -> None:
    """Nothing owed, running or parked is done; parked without an end is trouble; news is what comes after the mark."""
    assert incremental_done(b'{"version": 1, "corpora": {}}')
    assert not incremental_done(b'{"owed": {"kind": "incremental"}}')
    assert not incremental_done(b'{"sync": {"kind": "incremental"}}')
    assert not incremental_done(b'{"parked": {"code": "rate_limited", "step": "changes", "until": "2026-01-01"}}')
    assert (
        trouble(b'{"parked": {"code": "reauth_required", "step": "listing"}}') == "parked at listing: reauth_required"
    )
    assert trouble(b'{"parked": {"code": "rate_limited", "step": "changes", "until": "2026-01-01"}}') is None

    states = LatestStates()
    assert states.mark("c") == -1
    states.take(7, b"c", b"{}")
    assert states.since("c", states.mark("c")) is None
    states.take(9, b"c", b"{}")
    assert states.since("c", 7) == b"{}"


def test_the_latency_of_pushed_edits_is_told_in_both_forms() -> None:
    """Median and 99th percentile, from the edit to the committed record."""
    assert json.loads(to_json(outcome()))["push"] == {"edits": 40, "p50_s": 0.2, "p99_s": 0.75}
    assert "p50 0.20 s, p99 0.75 s" in shown(outcome())


def test_edits_are_waited_for_until_each_has_come() -> None:
    """A record may come before its edit was answered; files of other names don't count."""
    arrivals = Arrivals()
    arrivals.take("pushed 0.txt")
    for number in range(2):
        arrivals.expect(f"pushed {number}.txt")
    arrivals.take("another.txt")
    arrivals.take(None)
    assert not arrivals.all_came()
    arrivals.take("pushed 1.txt")
    assert arrivals.all_came()
    latency = arrivals.latency()
    assert latency.edits == 2
    assert 0 <= latency.p50_s <= latency.p99_s
