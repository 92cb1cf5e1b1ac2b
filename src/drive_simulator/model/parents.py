"""Files of before September 2020 that lie in several folders of their owner's.

`Item.parent` is the first of them, and access, trash and deletion go by it alone (assumed). The others are kept beside
it: `parents` names them, and their listings have the file. A file that is moved has one parent from then on (source:
`enforceSingleParent` of the discovery document), and so has one whose other folder is trashed, deleted or moved into a
shared drive (assumed).
"""

from typing import cast

from drive_simulator.model.index import Index
from drive_simulator.model.items import Item


def strays_of(folder: Item) -> Index[Item] | None:
    """The files that lie in the folder beside their first parent; None where there never was one."""
    return cast(Index[Item] | None, folder.rare("strays"))


def add_parent(item: Item, folder: Item) -> None:
    """Put the file into one more folder, without a word in any log."""
    strays = strays_of(folder)
    if strays is None:
        strays = Index()
        folder.set_rare("strays", strays)
    strays.add(item)
    item.set_rare("more_parents", (*item.more_parents, folder))
    item.rendered = None


def drop_parents(item: Item) -> None:
    """Take the file out of every folder but its first parent."""
    for folder in item.more_parents:
        _leave(item, folder)


def drop_strays(folder: Item) -> list[Item]:
    """Take out of the folder what has its first parent elsewhere; returns it."""
    strays = list(strays_of(folder) or ())
    for item in strays:
        _leave(item, folder)
    return strays


def _leave(item: Item, folder: Item) -> None:
    strays = strays_of(folder)
    if strays is not None:
        strays.discard(item)
    item.set_rare("more_parents", tuple(each for each in item.more_parents if each is not folder) or None)
    item.rendered = None
