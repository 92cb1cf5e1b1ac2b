"""A fetch's life in a run: it is sent, Google answers, as often as it is asked, and the answer is on its way back."""

from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass

from google_drive_worker.domain.connection import ConnectionSettings
from google_drive_worker.domain.ids import FileId, SyncId
from google_drive_worker.sync import engine
from google_drive_worker.sync.checkpoint import Checkpoint
from google_drive_worker.sync.items import NOWHERE, ItemsAnswer, Shared
from google_drive_worker.sync.page_sharing import items_in, permissions_of, sighted_of
from google_drive_worker.sync.places import KnownPlaces, places_of
from google_drive_worker.sync.plan import Action, ReadContent
from google_drive_worker.sync.sharing import FoldersOfConnection, Question, Reply
from google_drive_worker.utils.errors import WorkerError
from simulation.contents import ContentFetch
from simulation.google import Google, answer, reply
from support.memory_store import MemoryStore

Finding = Generator[Question, Reply, Shared]


@dataclass(slots=True, eq=False)
class Fetch:
    """An action under way; `sent` is the moment of `Sights` at which it was sent. `places_too` says that it is found
    out where items are, as where there is a scope."""

    action: Action
    sync_id: SyncId | None
    settings: ConnectionSettings
    checkpoint: Checkpoint
    known: FoldersOfConnection
    places: KnownPlaces
    sent: int
    places_too: bool = False
    finding: Finding | None = None
    question: Question | None = None
    contents: ContentFetch | None = None
    answer: engine.Answer | WorkerError | None = None

    def serve(self, google: Google, store: MemoryStore, choice: int, done: Counter[str]) -> None:
        """Google answers the action, or the next question about what it answered; of contents one that is open."""
        drive = google.open(self.settings)
        if self.checkpoint.labels_refused:
            drive = drive.without_labels()
        if isinstance(self.action, ReadContent):
            if self.contents is None:
                self.contents = ContentFetch(google.loop, store, self.checkpoint, self.action, self.known, self.places)
            self.answer = self.contents.serve(drive, choice)
        elif self.finding is None:
            self._take_first(answer(drive, self.action, self.checkpoint))
        elif self.question is not None:
            said = reply(drive, self.question)
            done[f"question: {type(self.question).__name__}"] += 1
            if isinstance(said, WorkerError):
                self.answer = said
            else:
                self._go_on(self.finding, lambda finding: finding.send(said))

    @property
    def awaited(self) -> list[FileId]:
        """The files whose bytes are asked for."""
        return [] if self.contents is None else self.contents.awaited

    def drop(self) -> None:
        """The worker is dead, and nobody waits for the answer."""
        if self.contents is not None:
            self.contents.drop()

    def _take_first(self, said: engine.Answer | WorkerError) -> None:
        items = None if isinstance(said, WorkerError) else items_in(self.action, said)
        if items is None or not (self.checkpoint.scope.sync_permissions or self.places_too):
            self.answer = said
            return
        self.finding = self._find(items)
        self._go_on(self.finding, next)

    def _find(self, items: ItemsAnswer) -> Finding:
        """Where the items are, then what permissions they have."""
        checkpoint, places = self.checkpoint, NOWHERE
        if self.places_too:
            places = yield from places_of(items, checkpoint.scope, checkpoint.corpora, self.places)
        found = yield from permissions_of(self.action, items, checkpoint, self.known)
        permissions = found if checkpoint.scope.sync_permissions else {}
        return Shared(items, permissions, sighted_of(checkpoint, self.action), places)

    def _go_on(self, finding: Finding, go_on: Callable[[Finding], Question]) -> None:
        """The finding asks its next question, which Google answers when it is served again, or it is through."""
        try:
            self.question = go_on(finding)
        except StopIteration as end:
            self.answer = end.value
