"""Which revisions of a file are left: Google purges those of blobs and merges those of documents, without any word.

Source: `keepForever` of the discovery document ("automatically purged 30 days after newer content is uploaded"), and
the help of Drive ("after 30 days or 100 revisions"; revisions of documents "may be merged"). How documents' are merged
is assumed: of those that were replaced more than a day ago, the last one of each day stays, and what is published.
"""

from itertools import pairwise

from drive_simulator.model.content import revisions_of
from drive_simulator.model.items import Item
from drive_simulator.model.revisions import Revision
from drive_simulator.model.world import World

DAY_MS = 24 * 3600 * 1000
PURGED_AFTER_MS = 30 * DAY_MS
LEFT_AT_MOST = 100


def revisions_left(world: World, item: Item) -> list[Revision]:
    """The revisions that there are now, oldest first; the last one is the present content.

    With `revisions_dropped` off, all that were kept.
    """
    kept = revisions_of(item)
    if not world.consistency.revisions_dropped or len(kept) == 1:
        return kept
    now_ms = world.now_ms()
    return _unmerged(kept, now_ms) if item.is_workspace else _unpurged(kept, now_ms)


def _unpurged(kept: list[Revision], now_ms: int) -> list[Revision]:
    left = [one for one, newer in pairwise(kept) if one.keep_forever or newer.modified_ms + PURGED_AFTER_MS > now_ms]
    passing = [one for one in left if not one.keep_forever]
    surplus = {one.id for one in passing[: max(0, len(passing) + 1 - LEFT_AT_MOST)]}
    return [*(one for one in left if one.id not in surplus), kept[-1]]


def _unmerged(kept: list[Revision], now_ms: int) -> list[Revision]:
    def stays(one: Revision, newer: Revision) -> bool:
        is_last_of_its_day = one.modified_ms // DAY_MS != newer.modified_ms // DAY_MS
        return one.published or is_last_of_its_day or newer.modified_ms + DAY_MS > now_ms

    return [*(one for one, newer in pairwise(kept) if stays(one, newer)), kept[-1]]
