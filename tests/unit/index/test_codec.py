"""The changelog's messages: what goes in comes out, and what is none of them is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from google_drive_worker.domain.ids import ConnectionId, FileId, new_sync_id
from google_drive_worker.domain.item_entry import DetailDigests, ItemEntry, PermissionDigests
from google_drive_worker.domain.objects import ObjectRef
from google_drive_worker.index import codec
from google_drive_worker.index.codec import DETAILS, ENTRY, SEEN, SET, IndexProblem

DIGESTS = st.integers(0, 2**64 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
PAIRS = st.lists(st.tuples(TEXTS, DIGESTS), max_size=6).map(tuple)
REFS = st.builds(ObjectRef, TEXTS, st.integers(0, 2**50), TEXTS, TEXTS)
FIELDS: dict[str, st.SearchStrategy[object]] = {
    "is_folder": st.booleans(),
    "corpus": TEXTS,
    "parent_id": st.none() | TEXTS.map(FileId),
    "version": st.none() | st.integers(0, 2**63 - 1),
    "digest": st.none() | DIGESTS,
    "changed_in": st.none() | st.integers(0, 2**47).map(lambda now_ms: new_sync_id(now_ms, 7)),
    "is_trashed": st.booleans(),
    "limits_access": st.booleans(),
    "has_own_permissions": st.booleans(),
    "permissions_due": st.booleans(),
    "is_missing": st.booleans(),
    "has_revisions": st.booleans(),
    "has_comments": st.booleans(),
    "has_content": st.booleans(),
    "revisions_due": st.booleans(),
    "comments_due": st.booleans(),
    "content_due": st.booleans(),
    "gone_at": st.none() | TEXTS,
    "path": st.none() | st.lists(TEXTS, max_size=4).map(tuple),
    "rights": st.none() | DIGESTS,
    "passes_on": st.none() | DIGESTS,
    "head": st.none() | TEXTS,
    "comments": st.none() | st.booleans(),
    "comments_until": st.none() | TEXTS,
    "content": st.none() | REFS,
    "content_head": st.none() | TEXTS,
    "content_status": st.none() | st.sampled_from(["too_large", "abusive"]),
}
ENTRIES = st.builds(ItemEntry, **FIELDS)


def test_every_field_of_an_entry_is_encoded() -> None:
    """A field that the codec leaves out is lost with the worker; permissions stand in a set of their own."""
    assert {*FIELDS, "permissions"} == set(ItemEntry.__struct_fields__)


@given(ENTRIES, st.none() | PAIRS)
def test_an_entry_comes_back_as_it_was(entry: ItemEntry, held: tuple[tuple[str, int], ...] | None) -> None:
    """But for its permissions, of which it has the digest of the set; its parent can be read alone."""
    if held is not None:
        entry = codec.with_permissions(entry, PermissionDigests(99, held))
    value = codec.encode_entry(entry)
    decoded, digest = codec.decode_entry(value)
    assert digest == (None if entry.permissions is None else 99)
    if entry.permissions is not None:
        assert codec.with_permissions(decoded, entry.permissions) == entry
    else:
        assert decoded == entry
    assert codec.parent_in(value) == (None if entry.is_gone else entry.parent_id)


@given(st.none() | PAIRS, st.none() | PAIRS)
def test_what_hangs_on_a_file_comes_back_as_it_was(
    revisions: tuple[tuple[str, int], ...] | None, comments: tuple[tuple[str, int], ...] | None
) -> None:
    """Also where one of both was never read."""
    details = DetailDigests(revisions, comments)
    assert codec.decode_details(codec.encode_details(details)) == details


@given(DIGESTS, PAIRS)
def test_a_set_of_permissions_comes_back_as_it_was(digest: int, held: tuple[tuple[str, int], ...]) -> None:
    """Under its digest."""
    assert codec.decode_set(digest, codec.encode_set(PermissionDigests(digest, held))) == PermissionDigests(
        digest, held
    )


@given(st.lists(TEXTS, max_size=9))
def test_a_run_of_seen_items_takes_eight_bytes_each(items: list[str]) -> None:
    """And has an id of its own."""
    run, value = codec.encode_seen(items)
    assert codec.decode_seen(value) == list(map(codec.seen_hash, items))
    assert (len(run), len(value)) == (8, 1 + 8 * len(items))


@given(TEXTS.filter(lambda text: "\0" not in text), st.sampled_from([ENTRY, DETAILS, SET, SEEN]), st.binary(min_size=1))
def test_a_key_is_taken_apart_as_it_was_made(connection: str, kind: bytes, own_id: bytes) -> None:
    """Whatever stands in the id."""
    key = codec.key_of(ConnectionId(connection), kind, own_id)
    assert codec.split_key(key) == (connection, kind, own_id)


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused(value: bytes) -> None:
    """With one error, and no other."""
    for decode in (codec.decode_entry, codec.parent_in, codec.decode_details, codec.decode_seen, codec.split_key):
        try:
            decode(value)
        except IndexProblem:
            continue


@pytest.mark.parametrize("value", [b"", b"\x02\x90", b"\x01\xc1"])
def test_another_format_is_refused(value: bytes) -> None:
    """A store of another version is built again."""
    with pytest.raises(IndexProblem):
        codec.decode_entry(value)
