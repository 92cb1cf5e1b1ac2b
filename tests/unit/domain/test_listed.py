"""Items of a page, cut out of its bytes."""

import array

import msgspec
import pytest

from google_drive_worker.domain.listed import ListedPage, RawItems

ITEMS = (b'{"id":"a"}', b'{"id":"bb"}', b"{}")
BODY = b'{"id":"x","files":[' + b", ".join(ITEMS) + b'],"more":"a"}'


@pytest.fixture
def raws() -> RawItems:
    """The items of `BODY`."""
    limits: list[int] = []
    for item in ITEMS:
        begin = BODY.index(item, limits[-1] if limits else 10)
        limits += [begin, begin + len(item)]
    return RawItems(BODY, array.array("I", limits).tobytes())


def test_items_are_what_stands_between_their_limits(raws: RawItems) -> None:
    """In their order, one by one, from the end, or some of them."""
    assert len(raws) == 3
    assert tuple(map(bytes, raws)) == ITEMS
    assert bytes(raws[-1]) == ITEMS[-1]
    assert tuple(map(bytes, raws[1:])) == ITEMS[1:]
    with pytest.raises(IndexError):
        raws[3]


@pytest.mark.parametrize(
    ("text", "found"),
    [(b'"id"', (0, 1)), (b"bb", (1,)), (b"a", (0,)), (b"}", (0, 1, 2)), (b"}, {", ()), (b"more", ()), (b"nowhere", ())],
)
def test_items_that_mention_a_text_are_found_once_each_and_nothing_else(
    raws: RawItems, text: bytes, found: tuple[int, ...]
) -> None:
    """Not what stands before, between or behind them; as a page finds it whose items are cut out already."""
    assert raws.mentioning(text) == [raws[number] for number in found]
    whole = ListedPage(tuple(msgspec.Raw(item) for item in ITEMS))
    assert list(map(bytes, whole.mentioning(text))) == [ITEMS[number] for number in found]
    assert list(ListedPage(raws).mentioning(text)) == list(raws.mentioning(text))
