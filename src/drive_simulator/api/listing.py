"""files.list: which items, in which order, page by page while the Drive goes on changing.

Without `Consistency.newest_modified_first` a listing that asks for no order walks from the newest entry of a corpus
down, so that a page costs its length and an item that stays where it is appears exactly once; what comes during the
listing does not appear, as in a real index that lags. With it, and with `orderBy=modifiedTime desc`, a token says
behind which time and id to go on: any number of such listings run side by side at no cost, and an item that is modified
meanwhile may be missed or come twice, as with Google. With any other order, that is taken once and kept for the life of
the token.

What is listed is `World.listed`: the world as it is, or as it was before a lag.
"""

import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from zlib import crc32

from drive_simulator.api import order_by, query, search
from drive_simulator.api.errors import invalid_page_token
from drive_simulator.api.flaws import Flaws, flaws_of_new, flaws_of_page
from drive_simulator.api.page_tokens import open_token, seal_token
from drive_simulator.model.access import has_handled, keeps_trash_of, sees
from drive_simulator.model.index import START, Index, ModifiedOrder, Place
from drive_simulator.model.items import Item, SharedDrive, User
from drive_simulator.model.parents import strays_of
from drive_simulator.model.world import Listed, World

SCAN_LIMIT = 20_000
MAX_SNAPSHOTS = 64

_BY_MODIFIED = (order_by.Order("modifiedTime", descending=True),)
_AFTER = "after:"
_LATE = "late:"


@dataclass(slots=True)
class ListingRules:
    """How pages behave. The caps are those that were seen on Google's side: 460 with `parents`, 100 with `permissions`.

    `short_page_probability` cuts a page at a random length. `token_life_s` is how long a listing's token lives.
    `incomplete_all_drives` makes corpora=allDrives miss items and say `incompleteSearch`. `ignore_order` lists by
    arrival, the newest first, whatever `orderBy` says, as Google's guide once said of users with about a million files.
    """

    parents_cap: int | None = 460
    permissions_cap: int | None = 100
    short_page_probability: float = 0.0
    token_life_s: float = 3 * 3600.0
    incomplete_all_drives: bool = False
    ignore_order: bool = False
    die: Random = field(default_factory=lambda: Random(0))  # noqa: S311 - page lengths of a simulator


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing as it is asked for; all but the page size binds its tokens."""

    corpora: str = "user"
    drive_id: str | None = None
    include_all: bool = False
    q: str | None = None
    order_by: str | None = None
    spaces: str = "drive"
    page_size: int = 100


@dataclass(frozen=True, slots=True)
class Page:
    """The items of one page. No `next_token`: the last one."""

    items: list[Item]
    next_token: str | None
    incomplete: bool = False


@dataclass(frozen=True, slots=True)
class _Corpus:
    """One index to walk; `scope` says which of its items belong. `listed` is what the index is of."""

    key: str
    index: Index[Item]
    scope: Callable[[Item], bool]
    listed: Listed


@dataclass(frozen=True, slots=True)
class _Sealer:
    """Makes the tokens of one listing. `flaws` are None where lists have none."""

    seal: Callable[[str, str, int], str]
    binding: str
    flaws: Flaws | None

    def __call__(self, key: str, position: int, *, again: bool = False) -> str:
        if self.flaws is not None:
            key = self.flaws.key(key, again=again)
        return self.seal(self.binding, key, position)


class Lister:
    """Answers listings over one world; holds the sorted orders that tokens point into."""

    def __init__(self, world: World, rules: ListingRules) -> None:
        self._world = world
        self._rules = rules
        self._snapshots: OrderedDict[str, list[Item]] = OrderedDict()
        self._issued_ms = 0

    def check(self, user: User, listing: Listing, page_token: str | None) -> None:
        """Raise what `page` would raise of the query, the order and the token, without a page."""
        if listing.q:
            query.parse_query(listing.q)
        order_by.parse_order_by(listing.order_by)
        if page_token is not None:
            self._open(f"{user.email}:{replace(listing, page_size=0)}", page_token)

    def page(self, user: User, listing: Listing, page_token: str | None) -> Page:
        """One page. Raises ApiError 400: `invalid` at `q`, `orderBy` or `pageToken`."""
        node = query.parse_query(listing.q) if listing.q else None
        orders = order_by.parse_order_by(listing.order_by) or self._unasked_order()
        test: Callable[[Item], bool] = _everything
        if node is not None:
            test = search.predicate(node, user.email, root_id=user.root.id)
        if not self._world.consistency.others_trash_listed:
            test = _without_others_trash(user, test)
        binding = f"{user.email}:{replace(listing, page_size=0)}"
        corpora = self._corpora(user, listing, node)
        incomplete = self._rules.incomplete_all_drives and listing.corpora == "allDrives"
        if incomplete:
            whole, test = test, lambda item: whole(item) and crc32(item.id.encode()) % 10 != 0
        place = None if page_token is None else self._open(binding, page_token)
        place, flaws = self._flaws(place)
        if flaws is not None:
            wanted, test = test, lambda item: wanted(item) and not flaws.misses(item)
        seal = _Sealer(self._seal, binding, flaws)
        if orders == _BY_MODIFIED and not self._rules.ignore_order:
            page = self._page_by_modified(listing, corpora, test, node, seal, place)
        elif orders and not self._rules.ignore_order:
            page = self._sorted_page(user, listing, corpora, test, orders, seal, place)
        else:
            page = self._plain_page(listing, corpora, test, seal, place)
        return replace(page, incomplete=incomplete)

    def _plain_page(
        self,
        listing: Listing,
        corpora: list[_Corpus],
        test: Callable[[Item], bool],
        seal: _Sealer,
        place: tuple[str, int] | None,
    ) -> Page:
        found: list[Item] = []
        flaws = seal.flaws
        scanned = 0
        for corpus, start in _resume(corpora, place):
            for at, item in corpus.index.down_from(start):
                if len(found) >= listing.page_size or scanned >= SCAN_LIMIT:
                    return Page(found, seal(corpus.key, at + 1))
                scanned += 1
                if corpus.scope(item) and test(item):
                    found.append(item)
                    if flaws is not None and flaws.repeats(item):
                        if len(found) >= listing.page_size:
                            return Page(found, seal(corpus.key, at + 1, again=True))
                        found.append(item)
        return Page(found, None)

    def _page_by_modified(
        self,
        listing: Listing,
        corpora: list[_Corpus],
        test: Callable[[Item], bool],
        node: query.Node | None,
        seal: _Sealer,
        place: tuple[str, int] | None,
    ) -> Page:
        low, high = (None, None) if node is None else query.time_bounds(node, "modifiedTime")
        at = START if high is None else Place(1 - high, "")
        if place is not None:
            key, minus_ms = place
            if not key.startswith(_AFTER):
                raise invalid_page_token()
            at = Place(minus_ms, key.removeprefix(_AFTER))
        found: list[Item] = []
        flaws = seal.flaws
        each_walk = [self._walk(corpus, at) for corpus in corpora]
        walks = each_walk[0] if len(each_walk) == 1 else heapq.merge(*each_walk, key=lambda each: each[0])
        for scanned, (where, item, is_in_scope) in enumerate(walks):
            if low is not None and item.modified_ms < low:
                break
            if len(found) >= listing.page_size or scanned >= SCAN_LIMIT:
                return Page(found, seal(_AFTER + at.item_id, at.minus_ms))
            if is_in_scope and test(item):
                found.append(item)
                if flaws is not None and flaws.repeats(item):
                    if len(found) >= listing.page_size:
                        return Page(found, seal(_AFTER + at.item_id, at.minus_ms, again=True))
                    found.append(item)
            at = where
        return Page(found, None)

    def _walk(self, corpus: _Corpus, at: Place) -> Iterator[tuple[Place, Item, bool]]:
        index = corpus.index
        if index.by_modified is None:
            index.by_modified = ModifiedOrder(index, corpus.listed.retimed)
        return ((where, item, corpus.scope(item)) for where, item in index.by_modified.after(at))

    def _sorted_page(
        self,
        user: User,
        listing: Listing,
        corpora: list[_Corpus],
        test: Callable[[Item], bool],
        orders: tuple[order_by.Order, ...],
        seal: _Sealer,
        place: tuple[str, int] | None,
    ) -> Page:
        if place is None:
            found = [
                item for c in corpora for _, item in c.index.down_from(c.index.end) if c.scope(item) and test(item)
            ]
            if seal.flaws is not None:
                found += [item for item in found if seal.flaws.repeats(item)]
            order_by.sort(found, orders, user.email)
            key, start = self._world.ids.token(12), 0
            if len(found) > listing.page_size:
                self._snapshots[key] = found
                while len(self._snapshots) > MAX_SNAPSHOTS:
                    self._snapshots.popitem(last=False)
        else:
            key, start = place
            if key not in self._snapshots:
                raise invalid_page_token()
            found = self._snapshots[key]
        end = start + listing.page_size
        live = corpora[0].listed.items if corpora else {}
        items = [item for item in found[start:end] if item.id in live and sees(user, item) and test(item)]
        return Page(items, seal(key, end) if end < len(found) else None)

    def _corpora(self, user: User, listing: Listing, node: query.Node | None) -> list[_Corpus]:
        if listing.spaces == "appDataFolder":
            return []
        scope = self._scope(user, listing)
        parents = query.required_parent(node, root_id=user.root.id) if node is not None else None
        listed = self._world.listed(by_parent=parents is not None)
        # A token never leads from what was into what is: positions in the two have nothing to do with each other.
        late = "" if listed is self._world else _LATE
        if parents is not None:
            folders = [folder for each in sorted(parents) if (folder := listed.items.get(each)) is not None]
            own = [_Corpus(late + f.id, f.children, scope, listed) for f in folders if f.children is not None]
            return [*own, *_strays_in(folders, scope, listed, late)]
        if listing.corpora == "drive":
            drive = self._world.drives[listing.drive_id or ""]
            return [_Corpus(late + "drive", listed.index_of(drive), _scope_of(drive, user), listed)]
        index = listed.index_of(user)
        mine = _Corpus(late + "user", index, lambda item: item.drive is None or user not in item.drive.members, listed)
        if not listing.include_all:
            return [replace(mine, scope=lambda item: item.drive is None)]
        has_own = self._world.consistency.user_corpus_has_own_drive_items
        if listing.corpora != "allDrives" and not has_own:
            return [mine]
        drives = sorted((drive for drive in self._world.drives.values() if user in drive.members), key=lambda d: d.id)
        if listing.corpora != "allDrives":
            return [mine, *(_Corpus(late + d.id, listed.index_of(d), _handled_in(d, user), listed) for d in drives)]
        return [mine, *(_Corpus(late + d.id, listed.index_of(d), _scope_of(d, user), listed) for d in drives)]

    def _unasked_order(self) -> tuple[order_by.Order, ...]:
        """The order of a listing that asks for none. Source of modifiedTime: measured."""
        return _BY_MODIFIED if self._world.consistency.newest_modified_first else ()

    @staticmethod
    def _scope(user: User, listing: Listing) -> Callable[[Item], bool]:
        """What belongs to the listing among the children of a folder."""
        if listing.corpora == "drive":
            return lambda item: item.drive is not None and item.drive.id == listing.drive_id and sees(user, item)
        if listing.include_all:
            return lambda item: sees(user, item)
        return lambda item: item.drive is None and sees(user, item)

    def _flaws(self, place: tuple[str, int] | None) -> tuple[tuple[str, int] | None, Flaws | None]:
        """The place without the flaws that its key tells of, and those: of a new listing, new ones."""
        consistency = self._world.consistency
        if place is None:
            return None, flaws_of_new(consistency, self._world.consistency_die)
        flaws, key = flaws_of_page(consistency, place[0])
        return (key, place[1]), flaws

    def _seal(self, binding: str, key: str, position: int) -> str:
        # Never the same token twice: that of an empty page leads to the same place as the one that was asked with.
        self._issued_ms = max(self._world.now_ms(), self._issued_ms + 1)
        return seal_token(binding, key, position, self._issued_ms)

    def _open(self, binding: str, token: str) -> tuple[str, int]:
        key, position, issued_ms = open_token(binding, token)
        if self._world.now_ms() - issued_ms > self._rules.token_life_s * 1000:
            raise invalid_page_token()
        return key, position


def page_length(rules: ListingRules, page_size: int, *, parents: bool = False, permissions: bool = False) -> int:
    """How many items a page of that size really holds at most; 0 is possible where short pages are asked for."""
    if parents and rules.parents_cap is not None:
        page_size = min(page_size, rules.parents_cap)
    if permissions and rules.permissions_cap is not None:
        page_size = min(page_size, rules.permissions_cap)
    if rules.short_page_probability and rules.die.random() < rules.short_page_probability:
        return rules.die.randint(0, page_size)
    return page_size


def _resume(corpora: list[_Corpus], place: tuple[str, int] | None) -> Iterator[tuple[_Corpus, int]]:
    """The corpora still to walk, each with the position to walk down from."""
    if place is None:
        yield from ((corpus, corpus.index.end) for corpus in corpora)
        return
    key, position = place
    reached = next((at for at, corpus in enumerate(corpora) if corpus.key == key), None)
    if reached is None:
        # The drive was left or the folder deleted meanwhile: its token leads nowhere.
        raise invalid_page_token()
    yield corpora[reached], position
    yield from ((corpus, corpus.index.end) for corpus in corpora[reached + 1 :])


def _scope_of(drive: SharedDrive, user: User) -> Callable[[Item], bool]:
    """What a member sees of the drive: all of it, but for what is in folders with limited access."""
    if not drive.has_limits or drive.members[user].role == "organizer":
        return _everything
    return lambda item: sees(user, item)


def _strays_in(folders: list[Item], scope: Callable[[Item], bool], listed: Listed, late: str) -> Iterator[_Corpus]:
    """What else lies in the folders: old files whose first parent is another folder, each file once."""
    for at, folder in enumerate(folders):
        strays = strays_of(folder)
        if strays is not None:
            others = {each.id for each in folders[:at]}
            first = {each.id for each in folders}
            yield _Corpus(f"{late}{folder.id}+", strays, _once(scope, others, first), listed)


def _once(scope: Callable[[Item], bool], earlier: set[str], first: set[str]) -> Callable[[Item], bool]:
    """`scope` without what another folder of the same listing brings."""

    def test(item: Item) -> bool:
        parents = item.parents
        return parents[0] not in first and earlier.isdisjoint(parents[1:]) and scope(item)

    return test


def _handled_in(drive: SharedDrive, user: User) -> Callable[[Item], bool]:
    """What of a member's drive is in the member's own corpus, too. Source: guide "Search for files", corpora=user."""
    sees_it = _scope_of(drive, user)
    return lambda item: has_handled(user, item) and sees_it(item)


def _without_others_trash(user: User, test: Callable[[Item], bool]) -> Callable[[Item], bool]:
    """Of the trash, only the user's own is listed, whatever `trashed` says. Source: measured on My Drive; that the
    members of a shared drive see its trash is assumed."""
    return lambda item: test(item) and (keeps_trash_of(user, item) or not item.trashed)


def _everything(_item: Item) -> bool:
    return True
