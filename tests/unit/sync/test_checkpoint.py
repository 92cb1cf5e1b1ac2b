"""Checkpoints as they stand in the state topic: every shipped version loads, and damage is a `CheckpointProblem`."""

import json
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from google_drive_worker.domain.ids import PageToken
from google_drive_worker.domain.item_entry import ItemEntry
from google_drive_worker.domain.times import TimeRange
from google_drive_worker.sync.checkpoint import (
    USER_CORPUS,
    VERSION,
    Changed,
    Checkpoint,
    CheckpointProblem,
    decode_checkpoint,
    encode_checkpoint,
)
from google_drive_worker.sync.parts import is_trusted
from google_drive_worker.sync.passes import read_on
from google_drive_worker.sync.plan import (
    ListFiles,
    ProveOrder,
    ReadContent,
    ReadDetails,
    plan,
)
from support.dict_index import DictIndex
from support.syncs import CONNECTION, CUSTOMER, corpus, ids, state, sync_of, syncing

RETIRED = {"proven", "restarts", "restarted"}
"""Fields of a corpus and its parts that a listing can do without."""

GOLDEN = sorted((Path(__file__).parent / "checkpoints").glob("v*-*.json"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_shipped_version_loads(path: Path) -> None:
    """These files were written once, and nobody may write them anew: workers have left such records behind."""
    stored = path.read_bytes()
    checkpoint = decode_checkpoint(stored)
    assert decode_checkpoint(encode_checkpoint(checkpoint)) == checkpoint
    assert json.loads(encode_checkpoint(checkpoint)) == without_retired(json.loads(stored))


def without_retired(stored: object) -> object:
    """A stored record less the fields that nobody reads any more."""
    if isinstance(stored, list):
        return [without_retired(each) for each in stored]
    if isinstance(stored, dict):
        return {name: without_retired(each) for name, each in stored.items() if name not in RETIRED}
    return stored


def test_there_are_golden_files_of_every_version() -> None:
    """From the first to the present one."""
    versions = {path.name.partition("-")[0] for path in GOLDEN}
    assert versions == {f"v{number}" for number in range(1, VERSION + 1)}


def test_a_golden_file_holds_what_it_is_named_for() -> None:
    """The values are where they belong, not merely accepted."""
    stored = (Path(__file__).parent / "checkpoints" / "v1-full-sync-of-many-drives.json").read_bytes()
    checkpoint = decode_checkpoint(stored)
    assert checkpoint.sync is not None
    assert checkpoint.sync.counts["file"] == 81_234
    assert len(checkpoint.corpora) == 41
    assert checkpoint.corpora[USER_CORPUS].listing_token
    assert checkpoint.scope.include_trashed


def test_a_golden_file_of_contents_under_way_goes_on_where_it_was() -> None:
    """The files that stand in the sync come first, then those that follow them in the index."""
    checkpoint = decode_checkpoint((Path(__file__).parent / "checkpoints" / "v1-contents-under-way.json").read_bytes())
    assert checkpoint.scope.export_formats == {"application/vnd.google-apps.document": "application/pdf"}
    assert plan(checkpoint) == [ReadContent(ids("1aB", "1cD"))]
    assert checkpoint.sync is not None
    file = ItemEntry(has_content=True)
    index = DictIndex(dict.fromkeys(ids("1aB", "1cD", "1eF"), file) | dict.fromkeys(ids("1gH"), ItemEntry()))
    step = read_on(checkpoint, msgspec.structs.replace(checkpoint.sync, contents=()), index)
    assert step is not None
    assert (sync_of(step).contents, sync_of(step).content) == (ids("1eF"), ())
    assert plan(state(step)) == [ReadContent(ids("1eF"))]


def test_a_golden_file_of_parts_holds_each_of_them() -> None:
    """Ranges and tokens are where they belong, and what may be fetched follows from them."""
    stored = (Path(__file__).parent / "checkpoints" / "v1-listing-in-parts.json").read_bytes()
    checkpoint = decode_checkpoint(stored)
    parts = checkpoint.corpora[USER_CORPUS].parts
    assert [part.until for part in parts][:2] == [None, parts[0].since]
    assert [part.ordered for part in parts] == [True, True, False, True, True]
    asked = [action for action in plan(checkpoint) if isinstance(action, ListFiles)]
    assert len(asked) == 7
    assert ProveOrder(USER_CORPUS) in plan(checkpoint)
    assert ListFiles(USER_CORPUS, None, modified=TimeRange("2021-01-01T00:00:00", parts[0].since)) in asked
    assert ListFiles("0Adrive02PVA", PageToken("~!!~page7"), modified=None) in asked
    assert checkpoint.corpora[USER_CORPUS].pages == 191


def test_a_golden_file_of_a_proven_order_is_not_asked_again() -> None:
    """What is known of the order, of refusals and of the youngest files is where it belongs."""
    stored = (Path(__file__).parent / "checkpoints" / "v1-listing-in-parts-of-a-proven-order.json").read_bytes()
    checkpoint = decode_checkpoint(stored)
    user = checkpoint.corpora[USER_CORPUS]
    assert (is_trusted(user), user.oldest, user.youngest) == (True, "1980-01-01T00:00:00.000Z", "again")
    assert user.recent == {"1aB": "2026-11-20T07:59:59.000Z"}
    assert [part.refusals for part in user.parts] == [0, 0, 0, 2, 0]
    assert not [action for action in plan(checkpoint) if isinstance(action, ProveOrder)]


def test_a_golden_file_of_the_pass_goes_on_where_it_was() -> None:
    """The files that stand in the sync come first, then those that follow them in the index."""
    stored = (Path(__file__).parent / "checkpoints" / "v1-revisions-and-comments-under-way.json").read_bytes()
    checkpoint = decode_checkpoint(stored)
    assert checkpoint.in_doubt
    assert checkpoint.scope.max_revisions == 20
    assert checkpoint.sync is not None
    assert plan(checkpoint) == [ReadDetails(checkpoint.sync.changed)]
    assert [each.head for each in checkpoint.sync.changed] == ["0B-head", "2026-11-20T08:00:00.000Z"]
    file = ItemEntry(has_revisions=True, has_comments=True, head="2B-head")
    index = DictIndex(dict.fromkeys(ids("1aB", "1cD", "1eF"), file) | dict.fromkeys(ids("1gH"), ItemEntry()))
    step = read_on(checkpoint, msgspec.structs.replace(checkpoint.sync, changed=()), index)
    assert step is not None
    last = Changed(ids("1eF")[0], revisions=True, comments=True, head="2B-head")
    assert (sync_of(step).changed, sync_of(step).details) == ((last,), ())
    assert plan(state(step)) == [ReadDetails((last,))]


def test_unknown_fields_are_passed_over() -> None:
    """A newer worker of the same version may add some."""
    stored = json.loads(encode_checkpoint(Checkpoint(CONNECTION, CUSTOMER)))
    assert decode_checkpoint(json.dumps({**stored, "later": 1}).encode()) == Checkpoint(CONNECTION, CUSTOMER)


@pytest.mark.parametrize("shape", [{}, {"corpora": 7}])
def test_a_newer_version_is_refused_as_such_whatever_its_shape(shape: dict[str, object]) -> None:
    """The worker must not go on from half of what it says."""
    with pytest.raises(CheckpointProblem, match=f"version {VERSION + 1}") as refused:
        decode_checkpoint(json.dumps({"version": VERSION + 1, **shape}).encode())
    assert refused.value.newer


@given(st.binary(max_size=300))
def test_any_bytes_are_a_checkpoint_or_a_problem(value: bytes) -> None:
    """Nothing else is ever raised."""
    with suppress(CheckpointProblem):
        decode_checkpoint(value)


WHOLE = encode_checkpoint(syncing("full", d=corpus("listing", listing="p2")))


@given(
    st.integers(0, len(WHOLE) - 1),
    st.integers(0, 255),
    st.integers(1, len(WHOLE)),
    st.sampled_from([b"", b"\xff", b"["]),
)
def test_a_damaged_record_is_a_checkpoint_or_a_problem(at: int, byte: int, length: int, tail: bytes) -> None:
    """A byte changed, the end cut off, junk behind it."""
    damaged = bytearray(WHOLE)
    damaged[at] = byte
    for value in (bytes(damaged), WHOLE[:length] + tail):
        with suppress(CheckpointProblem):
            decode_checkpoint(value)


def test_a_deeply_nested_record_is_a_problem() -> None:
    """It is too deep to be read, and no reason to fall over."""
    for value in (b"[" * 100_000, b'{"later":' * 100_000):
        with pytest.raises(CheckpointProblem):
            decode_checkpoint(value)
