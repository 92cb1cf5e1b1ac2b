"""Batch requests on the wire, held against the simulator's reading and writing of them."""

import random

from hypothesis import given
from hypothesis import strategies as st

from drive_simulator.server.batch import parse_batch, render_batch
from google_drive_worker.client.batch import decode_batch, encode_batch

TARGETS = [f"/drive/v3/files/{name}?fields=id%2Cname" for name in ("a", "b%20c", "d")]
ANSWERS = [
    (200, {"Content-Type": "application/json"}, b'{"id": "a"}'),
    (404, {"Content-Type": "application/json"}, b'{"error": {"code": 404}}'),
    (429, {"Retry-After": "7"}, b"--\r\n\r\nHTTP/1.1 200 OK\r\n"),
]


def answered(seed: int) -> tuple[str, bytes]:
    """The answer to a batch of three, in an order of the seed's."""
    parts = parse_batch(*encode_batch(TARGETS, "a-boundary"))
    return render_batch(parts, ANSWERS, order=random.Random(seed))  # noqa: S311 - an order


def test_a_batch_asks_for_each_target() -> None:
    """As Google reads it: a GET for each, known by its number."""
    parts = parse_batch(*encode_batch(TARGETS, "a-boundary"))
    assert [(part.method, part.path_qs, part.content_id) for part in parts] == [
        ("GET", target, f"<{number}>") for number, target in enumerate(TARGETS)
    ]


def test_answers_are_told_apart_in_any_order() -> None:
    """By their numbers; each keeps its status, its Retry-After and its body, whatever that holds."""
    for seed in range(10):
        found = decode_batch(*answered(seed), 3)
        assert [(each.status, each.body) for each in found if each] == [(each[0], each[2]) for each in ANSWERS]
        assert found[2] is not None
        assert found[2].headers["Retry-After"] == "7"


def test_an_answer_that_was_cut_or_came_twice_is_none() -> None:
    """The others are read all the same."""
    content_type, body = answered(1)
    whole = decode_batch(content_type, body, 3)
    for length in range(0, len(body), 7):
        cut = decode_batch(content_type, body[:length], 3)
        assert all(each is None or each == known for each, known in zip(cut, whole, strict=True))
    assert decode_batch(content_type, body + body, 3) == [None, None, None]
    assert decode_batch(content_type, body, 1) == whole[:1]
    assert decode_batch("application/json", body, 2) == [None, None]


@given(st.binary(max_size=400), st.integers(0, 600), st.integers(0, 40))
def test_garbage_is_no_answer(garbage: bytes, at: int, cut: int) -> None:
    """Whatever stands in an answer, reading it ends well, with as many answers as were asked for."""
    content_type, body = answered(2)
    assert len(decode_batch(content_type, body[:at] + garbage + body[at + cut :], 3)) == 3
