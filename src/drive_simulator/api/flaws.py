"""What one listing leaves out, and what it brings twice: drawn for each listing, the same on all of its pages.

Source: tidyverse/googledrive #272, #277, #288, #303: a listing misses items or repeats them, and the next one others.
"""

from hashlib import blake2b
from random import Random

from drive_simulator.model.consistency import Consistency
from drive_simulator.model.items import Item

_MARK = "flawed:"
_ALL = 1 << 32


class Flaws:
    """The flaws of the listing of that number, for one page. A page that ended between an item and its repetition
    leads to one that begins `again` with the item."""

    __slots__ = ("_again", "_missed", "_number", "_repeated")

    def __init__(self, number: int, consistency: Consistency, *, again: bool = False) -> None:
        self._number = number
        self._missed = consistency.missed * _ALL
        self._repeated = consistency.repeated * _ALL
        self._again = again

    def misses(self, item: Item) -> bool:
        """Whether the listing leaves the item out."""
        return self._draw(b"missed", item) < self._missed

    def repeats(self, item: Item) -> bool:
        """Whether the item, which was just shown, comes once more."""
        if self._draw(b"repeated", item) >= self._repeated:
            return False
        if self._again:
            self._again = False
            return False
        return True

    def key(self, key: str, *, again: bool = False) -> str:
        """The key of a page token, with what the listing's next page has to know."""
        again = again or self._again  # the page ended before the item came
        return f"{_MARK}{self._number}:{'again' if again else ''}:{key}"

    def _draw(self, what: bytes, item: Item) -> int:
        text = b"%b:%d:%b" % (what, self._number, item.id.encode())
        return int.from_bytes(blake2b(text, digest_size=4).digest(), "big")


def flaws_of_new(consistency: Consistency, die: Random) -> Flaws | None:
    """The flaws of a listing that begins; None where lists have none."""
    if not consistency.missed and not consistency.repeated:
        return None
    return Flaws(die.getrandbits(32), consistency)


def flaws_of_page(consistency: Consistency, key: str) -> tuple[Flaws | None, str]:
    """The flaws of the listing that a token's key belongs to, and the key without them."""
    if not key.startswith(_MARK):
        return None, key
    number, again, rest = key.removeprefix(_MARK).split(":", 2)
    return Flaws(int(number), consistency, again=bool(again)), rest
