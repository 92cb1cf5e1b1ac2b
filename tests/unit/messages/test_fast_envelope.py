"""The compiled envelopes and the plain ones are the same bytes."""

from collections.abc import Callable
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from google_drive_worker.domain.record import Operation, Record, ResourceType
from google_drive_worker.messages.record import Encode, Frame, FrameOf, plain_envelopes

compiled = pytest.importorskip("google_drive_worker.messages.fast_envelope", exc_type=ImportError)
Envelopes = Callable[[list[Record], list[bytes], FrameOf, Encode], tuple[list[bytes], list[bytes]]]
fast_envelopes: Envelopes = compiled.fast_envelopes

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=70) | st.text('a"\\/\0\n\x1f\x20\x7f', max_size=5)


class Data(msgspec.Struct):
    """A stand-in for data that is not encoded yet."""

    id: str


DATA = st.binary(max_size=70).map(msgspec.Raw) | st.builds(Data, TEXTS)
RECORDS = st.builds(Record, st.sampled_from(get_args(ResourceType)), TEXTS, st.sampled_from(get_args(Operation)), DATA)


def frame_of(resource_type: ResourceType, operation: Operation) -> Frame:
    """Parts that tell where they went."""
    return Frame(f"key:{resource_type}:".encode(), [f"<{number}{operation}>".encode() for number in range(4)])


@settings(deadline=None)
@given(st.lists(RECORDS, max_size=8))
def test_both_ways_write_the_same_bytes(records: list[Record]) -> None:
    """For records of any kind in any order, any id, and data that is encoded or is not."""
    ids = [f"m-{number}".encode() for number in range(len(records))]
    encode = msgspec.json.encode
    assert fast_envelopes(records, ids, frame_of, encode) == plain_envelopes(records, ids, frame_of, encode)


@pytest.mark.parametrize("envelopes", [fast_envelopes, plain_envelopes])
def test_both_refuse_an_id_that_is_no_text(envelopes: Envelopes) -> None:
    """Half of a surrogate pair has no UTF-8: nothing is written that a consumer could not read."""
    record = Record("file", "a\ud800", "upsert", msgspec.Raw(b"{}"))
    with pytest.raises(UnicodeEncodeError):
        envelopes([record], [b"m"], frame_of, msgspec.json.encode)


@pytest.mark.parametrize("envelopes", [fast_envelopes, plain_envelopes])
def test_both_want_a_message_id_for_each_record(envelopes: Envelopes) -> None:
    """Too few of them, or too many, is a mistake of the caller's."""
    record = Record("file", "a", "upsert", msgspec.Raw(b"{}"))
    for ids in ([], [b"m", b"n"]):
        with pytest.raises(ValueError, match=r"."):
            envelopes([record], ids, frame_of, msgspec.json.encode)
