"""A turn: one connection's sync, driven for a while over a Drive in memory."""

import asyncio
import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Literal

import msgspec
import pytest

from google_drive_worker.channel_care import Push
from google_drive_worker.contents import ContentMirror
from google_drive_worker.domain.connection import AccessToken, Connection, ConnectionSettings, Secret
from google_drive_worker.domain.ids import ConnectionId, FileId
from google_drive_worker.domain.item_entry import ItemIndex
from google_drive_worker.domain.reports import SyncEnded
from google_drive_worker.domain.sharing import Permission
from google_drive_worker.domain.times import rfc3339
from google_drive_worker.entry import Entry
from google_drive_worker.normalization import transformer
from google_drive_worker.outbox import Outbox
from google_drive_worker.sync import engine
from google_drive_worker.sync.checkpoint import Checkpoint, Gap, Parked, SyncKind
from google_drive_worker.sync.passes import QUEUED_AT_MOST
from google_drive_worker.sync.sharing import KnownFolders
from google_drive_worker.turn import LOOK_AGAIN_S, Means, take_turn
from google_drive_worker.utils.errors import (
    ItemUnavailable,
    NeedsReauth,
    Retryable,
    SkipItem,
    UnknownConnection,
    WorkerError,
)
from support.clock import ManualClock
from support.dict_index import DictIndex
from support.memory_drive import MemoryConnections, MemoryDrive
from support.memory_store import MemoryStore
from support.syncs import CONNECTION, CUSTOMER, NOW, file, folder, owed


class Bench:
    """A ledger in memory, a Drive in memory, and turns on them."""

    def __init__(self, *, fetches_allowed: int = 4) -> None:
        self.drive = MemoryDrive()
        self.store = MemoryStore()
        self.connections = MemoryConnections()
        self.connect()
        self.entries: list[Entry] = []
        self.items = DictIndex()
        self.rooms: list[int] = []
        self.state: Checkpoint | None = None
        self.troubles: list[str] = []
        self.address: str | None = None
        self.started: list[str] = []
        self.completed: list[str] = []
        clock = ManualClock()
        outbox = Outbox(
            integration_id="google-drive",
            data_topic="data",
            errors_topic="errors",
            new_message_ids=lambda count: [b"id"] * count,
            clock=clock,
        )
        self.clock = clock
        self.means = Means(
            connections=self.connections,
            drives=self.drive,
            normalizer=transformer,
            stores=self.store,
            contents=ContentMirror(),
            enter=outbox.enter,
            clock=clock,
            randomness=random.Random(1),  # noqa: S311 - a test
            observer=self,
            include_shared_drives=True,
            fetches_allowed=lambda: fetches_allowed,
            folders=KnownFolders(),
            places=KnownFolders(),
            push=Push(
                address=lambda: self.address,
                secret=Secret("a secret of thirty-two characters"),
                new_ids=(f"channel-{number}" for number in itertools.count(1)),
            ),
        )

    def connect(
        self,
        status: Literal["active", "paused", "disconnected"] = "active",
        *,
        details: bool = True,
        push: bool = False,
    ) -> None:
        """The connection as its source knows it; with `details`, revisions and comments are mirrored."""
        self.connections.known[CONNECTION] = Connection(
            connection_id=CONNECTION,
            customer_id=CUSTOMER,
            credentials=AccessToken(Secret("token")),
            status=status,
            settings=ConnectionSettings(
                include_shared_drives=False,
                sync_revisions=details,
                sync_comments=details,
                push_notifications=push,
            ),
        )

    def owe(self, kind: SyncKind = "full") -> None:
        """A trigger is accepted."""
        self.state = engine.accept(self.state, CONNECTION, owed(kind))

    async def turn(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """One turn."""
        await asyncio.wait_for(take_turn(self.means, CONNECTION, self, is_over), 10)

    def checkpoint(self, connection_id: ConnectionId) -> Checkpoint | None:
        """The ledger's: the one connection's."""
        assert connection_id == CONNECTION
        return self.state

    def index(self, connection_id: ConnectionId) -> ItemIndex:
        """The ledger's: what the entries so far said."""
        assert connection_id == CONNECTION
        return self.items

    def write(self, entry: Entry) -> None:
        """The ledger's."""
        self.items.apply(entry.changes)
        self.entries.append(entry)
        self.completed.extend(report.kind for report in entry.reports if isinstance(report, SyncEnded))
        self.state = entry.checkpoint

    async def room(self) -> None:
        """The ledger's: there is always room. Keeps how much had been written each time it was asked."""
        self.rooms.append(len(self.entries))

    async def committed(self) -> bool:
        """The ledger's: what is written is committed."""
        return True

    def on_trouble(self, connection_id: ConnectionId, step: str, error: WorkerError) -> None:
        """The observer's."""
        del connection_id
        self.troubles.append(f"{step}: {error.code}")

    def on_sync_started(self, checkpoint: Checkpoint) -> None:
        """The observer's."""
        self.started.append(checkpoint.sync.kind if checkpoint.sync else "none")

    @property
    def parked(self) -> Parked | None:
        """Why the sync rests."""
        return self.state.parked if self.state else None

    def records(self) -> list[str]:
        """The records so far, in words."""
        shown = [msgspec.json.decode(each.value) for entry in self.entries for each in entry.messages()]
        return [
            f"{each['operation']} {each['resource_id']}"
            for each in shown
            if "data" in each and each["resource_type"] != "sync"
        ]


async def test_a_turn_takes_a_sync_from_its_beginning_to_its_end() -> None:
    """And the next one follows what changed since."""
    made = Bench()
    for name in "abc":
        made.drive.put(file(name))
    made.owe()
    await made.turn()
    assert made.records() == ["upsert a", "upsert b", "upsert c"]
    made.drive.delete("b")
    made.drive.put(folder("f"))
    made.drive.files["child"] = file("child", parents=["f"])
    made.entries.clear()
    made.owe("incremental")
    await made.turn()
    assert made.records() == ["delete b", "upsert f", "upsert child"]
    assert made.started == made.completed == ["full", "incremental"]
    assert made.state is not None
    assert made.state.sync is None


async def test_a_long_listing_is_fetched_in_many_parts_and_taken_in_page_by_page() -> None:
    """However many answers come together, each is written when there is room for it, and each file comes once."""
    made = Bench(fetches_allowed=16)
    made.drive.page_size = 20
    for day in range(1_000):
        made.drive.put(file(f"f{day}", modifiedTime=rfc3339(NOW - timedelta(days=day))))
    made.owe()

    async def answer_in_waves() -> None:
        while True:
            made.drive.gate.clear()
            for _ in range(20):  # rounds of the event loop: whatever may be asked for is asked for
                await asyncio.sleep(0)
            made.drive.gate.set()
            await asyncio.sleep(0)

    waves = asyncio.create_task(answer_in_waves(), name="waves")
    await made.turn()
    waves.cancel()
    assert sorted(made.records()) == sorted(f"upsert f{day}" for day in range(1_000))
    assert made.drive.most_under_way > 8
    assert all(later - earlier <= 1 for earlier, later in pairwise(made.rooms))


@pytest.mark.parametrize(("details", "syncs"), [(False, ["full", "incremental"]), (True, ["full"])])
async def test_one_turn_works_off_all_that_is_owed(details: bool, syncs: list[str]) -> None:
    """A trigger that came during the sync is another sync in the same turn, or let in before what hangs on files."""
    made = Bench()
    made.connect(details=details)
    for number in range(2 * QUEUED_AT_MOST):
        made.drive.put(file(f"f{number}"))
    made.owe()
    asked = iter([True])

    def is_over() -> bool:
        if bool(made.started) and next(asked, False):
            made.owe("incremental")
        return False

    await made.turn(is_over)
    assert made.completed == syncs
    assert made.state is not None
    assert made.state.owed is None


async def test_what_hangs_on_files_is_read_after_them_and_belongs_to_the_full_sync() -> None:
    """Its closing record comes last; folders are not asked for what they can't have."""
    made = Bench()
    for each in (file("a"), file("b", headRevisionId="2"), folder("f")):
        made.drive.put(each)
    made.drive.revisions = {"b": [{"id": "1"}, {"id": "2"}]}
    made.drive.comments = {"a": [{"id": "c", "content": "hm"}, {"id": "gone", "deleted": True}]}
    made.owe()
    await made.turn()
    written = made.records()
    assert set(written[-3:]) == {"upsert b/1", "upsert b/2", "upsert a/c"}
    assert [call for call in made.drive.calls if call.startswith(("revisions", "comments"))] == [
        "revisions a b",
        "comments a b",
    ]
    assert made.completed == ["full"]


async def test_a_turn_that_is_over_finishes_what_is_under_way_and_the_next_goes_on() -> None:
    """No page is asked for twice."""
    made = Bench()
    for name in "abcdef":
        made.drive.put(file(name))
    made.owe()
    for _ in range(20):
        before = len(made.drive.calls)
        await made.turn(lambda before=before: len(made.drive.calls) > before)  # type: ignore[misc]
        assert made.drive.under_way == 0
    assert made.completed == ["full"]
    assert made.records() == [f"upsert {name}" for name in "abcdef"]
    assert len(made.drive.calls) == len(set(made.drive.calls))


async def test_fetches_run_side_by_side_up_to_their_bound() -> None:
    """Four walks, two at a time."""
    made = Bench(fetches_allowed=2)
    made.owe()
    await made.turn()
    made.drive.page_size = 10
    for name in "abcd":
        made.drive.put(folder(name))
    made.owe("incremental")
    await made.turn()
    assert made.drive.most_under_way == 2


async def test_trouble_with_google_parks_the_sync_and_it_goes_on_from_there() -> None:
    """What was written stays, and the page is asked for again."""
    made = Bench()
    for name in "abc":
        made.drive.put(file(name))
    made.owe()
    await made.turn(lambda: bool(made.records()))
    made.drive.problems.append(Retryable("unavailable"))
    made.drive.served = False
    await made.turn()
    assert made.parked is not None
    assert made.parked.until
    assert made.troubles == ["ListFiles:user: unavailable"]
    await made.turn()  # not due yet
    assert made.completed == []
    made.clock.advance(3600)
    await made.turn()
    assert made.completed == ["full"]
    assert made.records().count("upsert a") == 1


async def test_trouble_before_the_first_fetch_parks_it_too() -> None:
    """Credentials that are refused need a person; no call is made."""
    made = Bench()
    made.owe()
    made.connections.problem = NeedsReauth("authorize anew")
    await made.turn()
    assert made.parked == Parked("reauth_required", "Connect", reported=("reauth_required",))
    assert made.drive.calls == []


async def test_a_paused_connection_is_left_alone() -> None:
    """Until the next trigger."""
    made = Bench()
    made.connect("paused")
    made.owe()
    await made.turn()
    assert made.parked is not None
    assert (made.parked.code, made.parked.until) == ("connection_paused", None)


class Source(MemoryConnections):
    """Connections that are described as `described` says, as soon as it `may_answer`."""

    def __init__(self, made: Bench) -> None:
        super().__init__()
        self.active = made.connections.known[CONNECTION]
        self.paused = msgspec.structs.replace(self.active, status="paused")
        self.described: Callable[[], Connection] = lambda: self.active
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        made.means = replace(made.means, connections=self)

    def with_token(self, token: str) -> Connection:
        """The connection with that credential."""
        return msgspec.structs.replace(self.active, credentials=AccessToken(Secret(token)))

    async def get(self, connection_id: ConnectionId) -> Connection:
        """What is said of it by then."""
        assert connection_id == CONNECTION
        await self.may_answer.wait()
        return self.described()


async def with_four_walks() -> tuple[Bench, Source]:
    """A connection that is mirrored, and owes four walks that are fetched side by side."""
    made = Bench()
    source = Source(made)
    made.owe()
    await made.turn()
    made.drive.page_size = 10
    for name in "abcd":
        made.drive.put(folder(name))
    made.owe("incremental")
    return made, source


async def test_a_trigger_that_comes_while_its_connection_is_asked_for_ends_the_pause() -> None:
    """The answer may be from before the pause ended, and no other trigger would follow."""
    made = Bench()
    source = Source(made)

    def end_the_pause() -> Connection:
        made.owe("incremental")
        return source.paused

    made.owe()
    said = iter([lambda: source.paused, end_the_pause])

    def described() -> Connection:
        return next(said)()

    source.described = described
    await made.turn()
    assert made.parked is None
    source.described = lambda: source.active
    await made.turn()
    assert made.completed == ["full"]


async def test_a_pause_that_ends_before_the_sync_has_stopped_parks_nothing() -> None:
    """What was under way is waited for, and by then the connection is active again."""
    made, source = await with_four_walks()
    said: list[str] = []

    def described() -> Connection:
        if len(said) < 2 and any(call.startswith("children") for call in made.drive.calls):
            said.append("paused")
            return source.paused
        return source.active

    def is_over() -> bool:
        made.clock.advance(LOOK_AGAIN_S + 1)
        return False

    source.described = described
    await made.turn(is_over)
    assert said == ["paused", "paused"]
    assert made.parked is None
    assert made.completed == ["full", "incremental"]


async def test_a_source_that_does_not_answer_holds_up_no_sync() -> None:
    """Pages go on being written while it is looked whether the connection still is as it was."""
    made, source = await with_four_walks()

    def is_over() -> bool:
        source.may_answer.clear()
        made.clock.advance(LOOK_AGAIN_S + 1)
        return False

    await made.turn(is_over)
    assert made.completed == ["full", "incremental"]
    assert [task for task in asyncio.all_tasks() if task.get_name().endswith(":look")] == []


async def test_new_credentials_are_not_blamed_for_calls_that_went_out_with_the_old_ones() -> None:
    """Four calls are refused together; the first one finds the new credentials, and all go through with these."""
    made, source = await with_four_walks()
    made.drive.calls.clear()

    def is_over() -> bool:
        if not refusals and any(call.startswith("changes") for call in made.drive.calls):
            refusals.extend(NeedsReauth("authorize anew") for _ in "abcd")
            made.drive.problems.extend(refusals)
            source.described = lambda: source.with_token("renewed")
        return False

    refusals: list[NeedsReauth] = []
    await made.turn(is_over)
    assert refusals
    assert made.parked is None
    assert made.completed == ["full", "incremental"]


async def test_credentials_that_are_others_each_time_are_not_tried_on_and_on() -> None:
    """The connection rests, as one whose credentials are refused."""
    made = Bench()
    source, numbers = Source(made), itertools.count()
    source.described = lambda: source.with_token(str(next(numbers)))
    made.drive.problems.extend(NeedsReauth("authorize anew") for _ in range(100))
    made.owe()
    await made.turn()
    assert made.parked is not None
    assert made.parked.refused
    assert len(made.drive.problems) > 90


async def test_an_unknown_connection_is_reported_and_forgotten() -> None:
    """It leaves no state behind."""
    made = Bench()
    made.connections.known.clear()
    made.owe()
    await made.turn()
    assert made.state is None
    assert len(made.entries[-1].outgoing) == 1


async def test_a_connection_that_is_unknown_twice_is_forgotten() -> None:
    """One that was synced; being known in between takes the first time back."""
    made = Bench()
    made.owe()
    await made.turn()
    described = made.connections.known.pop(CONNECTION)
    for _ in range(2):
        made.owe("incremental")
        await made.turn()
        assert made.parked is not None
        assert made.parked.code == "unknown_connection"
        made.clock.advance(300)
        made.connections.known[CONNECTION] = described
        await made.turn()
        assert made.state is not None
        assert made.state.unknown_since is None
        assert made.state.owed is None
        made.connections.known.clear()
    made.owe("incremental")
    await made.turn()
    made.clock.advance(300)
    await made.turn()
    assert made.state is None


async def test_the_channels_of_a_connection_that_goes_away_in_a_turn_are_stopped() -> None:
    """It has the credentials still. Without any they end by themselves."""
    made = Bench()
    made.address = "https://hooks.example.com/drive"
    made.connect(push=True)
    made.owe()
    await made.turn()
    assert made.drive.channels
    made.owe("incremental")
    made.drive.problems.append(UnknownConnection("the Control Plane knows no connection of that id"))
    calls = len(made.drive.calls)

    def is_over() -> bool:
        if len(made.drive.calls) > calls:
            made.connections.known.clear()
        return False

    await made.turn(is_over)
    assert made.drive.channels == {}
    assert made.parked is not None
    assert made.parked.code == "unknown_connection"
    made.clock.advance(300)
    await made.turn()
    assert made.state is None


async def test_an_idle_connection_with_channels_is_forgotten() -> None:
    """Its channels bring its turns."""
    made = Bench()
    made.address = "https://hooks.example.com/drive"
    made.connect(push=True)
    made.owe()
    await made.turn()
    made.connections.known.clear()
    for _ in range(2):
        assert made.state is not None
        made.clock.advance(3600)
        await made.turn()
    assert made.state is None


async def test_a_bug_of_ours_parks_the_one_connection() -> None:
    """It is raised nowhere, and its text, which may hold anything, is not told."""
    made = Bench()
    made.owe()
    made.drive.problems.append(ZeroDivisionError("a secret"))
    await made.turn()
    assert made.parked is not None
    assert made.parked.code == "internal_error"
    assert made.parked.until
    assert b"a secret" not in b"".join(each.value for entry in made.entries for each in entry.messages())
    made.clock.advance(3600)
    await made.turn()
    assert made.completed == ["full"]


async def test_the_late_answer_of_a_sync_that_was_given_up_is_ignored() -> None:
    """It belongs to nothing any more."""
    made = Bench()
    made.drive.put(file("a"))
    made.owe()
    await made.turn(lambda: bool(made.drive.calls))
    assert made.state is not None
    made.drive.gate.clear()
    async with asyncio.TaskGroup() as group:
        turn = group.create_task(made.turn(), name="turn")
        made.drive.asked.clear()
        await made.drive.asked.wait()
        assert made.state is not None
        made.state = msgspec.structs.replace(made.state, sync=None)
        entries = len(made.entries)
        made.drive.gate.set()
    assert turn.done()
    assert len(made.entries) == entries


async def test_a_rejected_cursor_begins_a_full_sync_in_the_same_turn() -> None:
    """Nobody has to ask for it."""
    made = Bench()
    made.drive.put(file("a"))
    made.owe()
    await made.turn()
    made.drive.log.clear()
    made.entries.clear()
    made.owe("incremental")
    await made.turn()
    assert made.started == ["full", "incremental", "full"]
    assert made.records() == ["upsert a"]


async def test_permissions_are_written_with_their_items_and_deleted_when_they_are_revoked() -> None:
    """What My Drive's listing and log bring along; what was written is remembered from one sync to the next."""
    bench = Bench()
    everyone = [{"id": name, "type": "user", "role": "writer"} for name in ("p", "q")]
    bench.drive.put(file("a", permissions=everyone))
    bench.owe()
    await bench.turn()
    assert bench.records() == ["upsert a", "upsert a/p", "upsert a/q"]
    bench.drive.put(file("a", permissions=everyone[:1]))
    bench.owe("incremental")
    await bench.turn()
    assert bench.records()[3:] == ["delete a/q"]


async def test_without_permissions_none_are_asked_for_or_written() -> None:
    """The connection's own setting decides."""
    bench = Bench()
    known = bench.connections.known[CONNECTION]
    settings = ConnectionSettings(include_shared_drives=False, sync_permissions=False)
    bench.connections.known[CONNECTION] = msgspec.structs.replace(known, settings=settings)
    bench.drive.put(file("a", permissions=[{"id": "p", "type": "user", "role": "writer"}]))
    bench.owe()
    await bench.turn()
    assert bench.records() == ["upsert a"]


class DrivesOfOthers(MemoryDrive):
    """A Drive in which one file is shared out of a shared drive that the user is no member of."""

    async def list_permissions(self, file_ids: Sequence[FileId]) -> Mapping[FileId, tuple[Permission, ...] | SkipItem]:
        """Told apart by the file's name."""
        await self._call(f"permissions {' '.join(file_ids)}")
        known: dict[str, tuple[Permission, ...] | SkipItem] = {
            "shown": (Permission("p", "user", "writer"),),
            "hidden": SkipItem("not for readers", http_status=403),
            "broken": SkipItem("weird", code="weird", http_status=400),
            "worn": ItemUnavailable("its own quota", code="file_quota_exceeded", http_status=403),
        }
        return {file_id: known[file_id] for file_id in file_ids}


async def test_items_of_other_peoples_drives_are_asked_for_in_one_go() -> None:
    """That they may not be seen is no error; another problem is reported, and the item written all the same."""
    bench = Bench()
    bench.drive = DrivesOfOthers(page_size=10)
    bench.means = replace(bench.means, drives=bench.drive)
    known = bench.connections.known[CONNECTION]
    settings = ConnectionSettings(include_shared_drives=True)
    bench.connections.known[CONNECTION] = msgspec.structs.replace(known, settings=settings)
    for name in ("broken", "hidden", "shown", "worn"):
        bench.drive.put(file(name, driveId="elsewhere", ownedByMe=False))
    bench.owe()
    await bench.turn()
    assert bench.records() == ["upsert broken", "upsert hidden", "upsert shown", "upsert shown/p", "upsert worn"]
    asked = [call for call in bench.drive.calls if call.startswith("permissions")]
    assert asked == ["permissions broken hidden shown worn"]
    errors = [msgspec.json.decode(each.value) for entry in bench.entries for each in entry.outgoing]
    found = [(each["error"]["category"], each["error"]["code"], each["resource"]["id"]) for each in errors]
    assert found == [("skipped_item", "weird", "broken"), ("skipped_item", "file_quota_exceeded", "worn")]


async def test_large_data_is_stored_before_its_record_is_written() -> None:
    """And a trigger that comes meanwhile is not lost: the step is decided on the checkpoint as it is then."""
    made = Bench()
    made.drive.files["big"] = {**file("big"), "description": "x" * 300_000}
    made.owe()
    await made.turn()
    value = next(each.value for entry in made.entries for each in entry.messages() if b'"payload_ref"' in each.value)
    record = msgspec.json.decode(value)
    assert record["data"] == {"id": "big", "type": "file"}
    assert record["payload_ref"]["sha256"] in made.store.objects
    assert made.completed == ["full"]


async def test_a_store_that_is_down_parks_the_connection() -> None:
    """Nothing refers to what is not there; when it is back the same page is asked for again."""
    made = Bench()
    made.drive.files["big"] = {**file("big"), "description": "x" * 300_000}
    made.store.problem = Retryable("the bucket can't be used", code="object_store_unavailable")
    made.owe()
    await made.turn()
    assert made.parked is not None
    assert made.parked.code == "object_store_unavailable"
    assert not any(b'"payload_ref"' in each.value for entry in made.entries for each in entry.messages())
    made.store.problem = None
    made.clock.advance(60)
    await made.turn()
    assert made.completed == ["full"]
    assert "upsert big" in made.records()


async def test_channels_are_made_when_the_first_full_sync_is_through() -> None:
    """In the turn that ends it, and what happened in between is read at once."""
    made = Bench()
    made.connect(push=True)
    made.address = "https://hooks.example/google"
    made.owe()
    await made.turn()
    assert made.state is not None
    assert made.state.watching is not None
    assert [channel.state for channel in made.state.watching.channels] == ["standing"]
    assert made.state.owed is not None
    assert list(made.drive.channels) == ["channel-1"]


@pytest.mark.parametrize("status", ["paused", "disconnected"])
async def test_a_connection_that_is_not_active_has_no_channels(status: Literal["paused", "disconnected"]) -> None:
    """They are stopped at the next look, though nothing is to be synced, and nothing is parked for it."""
    made = Bench()
    made.connect(push=True)
    made.address = "https://hooks.example/google"
    made.owe()
    await made.turn()
    await made.turn()
    made.connect(status, push=True)
    await made.turn()
    assert not made.drive.channels
    assert made.parked is None
    assert made.state is not None
    assert made.state.watching is not None
    assert not made.state.watching.channels


async def test_without_an_address_nothing_is_asked_for_channels() -> None:
    """Nor is any state written for it."""
    made = Bench()
    made.connect(push=True)
    made.owe()
    await made.turn()
    assert made.state is not None
    assert made.state.watching is None
    assert not made.drive.channels


@pytest.mark.parametrize(
    "problem",
    [Retryable("the Control Plane is down"), NeedsReauth("authorize anew"), UnknownConnection("no such connection")],
)
async def test_gaps_of_a_connection_that_can_not_be_had_wait(problem: WorkerError) -> None:
    """One turn looks, and the next one comes after a rest; nothing is told before a sync is asked for."""
    made = Bench()
    made.owe()
    await made.turn()
    assert made.state is not None
    gap = Gap("item", "a", "user", "bad_request", "refused", state="resting", retry_at=rfc3339(made.clock.now()))
    made.state = msgspec.structs.replace(made.state, gaps=(gap,))
    made.connections.problem = problem
    assert engine.due_at(made.state, made.clock.now()) == made.clock.now()
    await made.turn()
    due = engine.due_at(made.state, made.clock.now())
    assert due is not None
    assert due > made.clock.now() + timedelta(minutes=1)
    assert made.state.parked is None
