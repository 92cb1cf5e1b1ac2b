"""How lists and change logs may differ from what is true: what a world imitates of Google's unkind behaviours.

Each field is a switch of one behaviour. The defaults are what the worker can bear; `docs/simulator.md` says how sure
each behaviour is, and where it is known from.
"""

from math import inf
from random import Random

import msgspec

Seconds = float | tuple[float, float]
"""A constant, or the bounds between which each is drawn."""


class Consistency(msgspec.Struct, forbid_unknown_fields=True):
    """What a world's lists and logs leave out, repeat or delay. Times are in seconds of the world's clock, shares
    from 0 to 1.

    - `list_lag_s`: files.list shows the world as it was so long ago; look-ups by id and logs are current.
      `lag_of_parent_queries` and `lag_of_other_queries` say which listings lag. Drawn for each change of an item. It
      begins and ends when a world is given its `consistency`, not when the field is set.
    - `sharing_lag_s`: how long the sharing of a folder takes to reach what is below it, for lists, look-ups by id and
      permissions; the folder itself, and members of shared drives, have it at once.
    - `missed`, `repeated`: the share of items that one listing leaves out, or brings twice in succession; the next
      listing others.
    - `views_logged`: an account's opening, downloading or exporting of an item is an entry in its own log.
    - `lost_below_logged`: what an account loses below a folder that is no longer shared has entries of its own.
    - `comments_logged`, `comments_raise_version`: whether a comment makes an entry, and raises `version`.
    - `below_unseen_logged`: items below a folder that the account does not see have entries of their own.
    - `groups_logged`: who joins or leaves a group gets entries of what is shared with the group.
    - `told_twice`: the share of entries that a log tells a second time, a while later.
    - `entry_lag_s`: how late an entry arrives in its log.
    - `revisions_dropped`: Google purges a blob's revisions after 30 days or 100, and merges those of documents.
    - `others_trash_listed`: files.list shows an account what is in the trash of other owners; look-ups by id do anyway.
    - `user_corpus_has_own_drive_items`: corpora=user with includeItemsFromAllDrives has the items of the account's
      shared drives that it created, modified, opened or shared.
    - `opened_links_listed`: what an account opened by a link is in its corpus from then on, and in its log.
    - `newest_modified_first`: a listing without `orderBy` comes by modifiedTime, the newest first; otherwise by
      arrival, the newest first.
    """

    list_lag_s: Seconds = 0.0
    lag_of_parent_queries: bool = True
    lag_of_other_queries: bool = True
    sharing_lag_s: Seconds = 0.0
    missed: float = 0.0
    repeated: float = 0.0
    views_logged: bool = True
    lost_below_logged: bool = True
    comments_logged: bool = True
    comments_raise_version: bool = True
    below_unseen_logged: bool = True
    groups_logged: bool = True
    told_twice: float = 0.0
    entry_lag_s: Seconds = 0.0
    revisions_dropped: bool = False
    others_trash_listed: bool = True
    user_corpus_has_own_drive_items: bool = True
    opened_links_listed: bool = False
    newest_modified_first: bool = True

    def __post_init__(self) -> None:
        """Raise ValueError for nonsense."""
        for name in ("missed", "repeated", "told_twice"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share, from 0 to 1")
        for name in ("list_lag_s", "sharing_lag_s", "entry_lag_s"):
            value = getattr(self, name)
            low, high = value if isinstance(value, tuple) else (value, value)
            if not 0 <= low <= high < inf:
                raise ValueError(f"{name} is a number of seconds, or the lower and the upper bound of them")


def longest_s(seconds: Seconds) -> float:
    """The constant, or the upper bound."""
    return seconds[1] if isinstance(seconds, tuple) else seconds


def draw_ms(seconds: Seconds, die: Random) -> int:
    """Milliseconds: the constant, or drawn between the bounds."""
    return round(1000 * (die.uniform(*seconds) if isinstance(seconds, tuple) else seconds))
