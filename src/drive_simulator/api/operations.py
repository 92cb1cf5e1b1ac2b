"""Downloads that take their time: what files.download begins, operations.get asks after and a link ends with.

Source: the Operation schema of the discovery document, and "Download and export files" of the guides: an operation is
valid for 24 hours.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from drive_simulator.model.items import Item, User

LIFE_MS = 24 * 3600 * 1000
MAX_OPERATIONS = 10_000


@dataclass(slots=True)
class Operation:
    """One download under way: of the item, or of a revision of it, in a format where it is a document."""

    name: str
    user: User
    item: Item
    mime_type: str | None
    revision_id: str | None
    created_ms: int
    asked: int = 0


class Operations:
    """The downloads that were begun. Each is done when it was asked after `polls` times.

    `fail_next` makes so many of the next ones end in an error.
    """

    def __init__(self, new_id: Callable[[], str], polls: int = 2) -> None:
        self._new_id = new_id
        self._operations: OrderedDict[str, Operation] = OrderedDict()
        self.polls = polls
        self.fail_next = 0

    def begin(self, user: User, item: Item, mime_type: str | None, revision_id: str | None, now_ms: int) -> Operation:
        """Begin a download."""
        name = self._new_id()
        operation = Operation(name, user, item, mime_type, revision_id, now_ms)
        self._operations[operation.name] = operation
        while len(self._operations) > MAX_OPERATIONS:
            self._operations.popitem(last=False)
        return operation

    def find(self, name: str, user: User, now_ms: int) -> Operation | None:
        """The user's own operation of that name, while it is valid."""
        found = self._operations.get(name)
        if found is None or found.user is not user or now_ms - found.created_ms > LIFE_MS:
            return None
        return found

    def fails(self) -> bool:
        """Whether this one is to end in an error; counts it."""
        if self.fail_next <= 0:
            return False
        self.fail_next -= 1
        return True
