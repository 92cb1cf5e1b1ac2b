"""Syncs that are let in before what hangs on files: however often they come, the pass goes on."""

from itertools import pairwise

import msgspec
import pytest

from google_drive_worker.domain.details import DetailsPage
from google_drive_worker.domain.drive import FilesPage
from google_drive_worker.domain.ids import FileId
from google_drive_worker.normalization import transformer
from google_drive_worker.sync import failure
from google_drive_worker.sync.checkpoint import USER_CORPUS, Changed, Checkpoint, Reading, Scope
from google_drive_worker.sync.content import Contents
from google_drive_worker.sync.details import LOGS_A_PAGE, Hanging, goes_first, let_in
from google_drive_worker.sync.engine import Answer, accept, complete, on_answer
from google_drive_worker.sync.plan import Action, ListContent, ListDetails, ReadChanges, ReadContent, ReadDetails, plan
from google_drive_worker.sync.step import with_sync
from google_drive_worker.utils.errors import Retryable
from support.syncs import (
    CONNECTION,
    NOW,
    changed,
    changes_page,
    corpus,
    file,
    in_drive,
    owed,
    state,
    sync_of,
    syncing,
    token,
)

WANTED = Scope(sync_revisions=True, sync_comments=True, sync_content=True)
PAGES = 3


def passing(drives: int) -> Checkpoint:
    """A full sync of so many drives whose metadata is written, with the passes of two of them to be made."""
    names = [f"drive-{number}" for number in range(drives)]
    before = syncing("full", user=corpus("done"), scope=WANTED)
    before = msgspec.structs.replace(before, corpora={**before.corpora, **dict.fromkeys(names, corpus("done"))})
    readings = tuple(map(Reading, names[:2]))
    return with_sync(before, msgspec.structs.replace(sync_of(before), details=readings, content=readings))


def asked_again(checkpoint: Checkpoint) -> Checkpoint:
    """A trigger has come."""
    return accept(checkpoint, CONNECTION, owed("incremental"))


def answer_to(action: Action) -> Answer:
    """Google's: every log has a file that changed, every pass so many pages."""
    match action:
        case ReadChanges(corpus=name):
            item = file("a") if name == USER_CORPUS else in_drive(f"changed in {name}", name)
            return changes_page(changed(item), start="c1")
        case ListDetails(page_token=at) | ListContent(page_token=at):
            number = int(at or "1")
            more = token(str(number + 1)) if number < PAGES else None
            if isinstance(action, ListDetails):
                return Hanging({}, {}, DetailsPage((), more))
            return Contents((), FilesPage((), more))
        case ReadDetails():
            return Hanging({}, {})
        case _:
            return Contents(())


@pytest.mark.parametrize("drives", [2, LOGS_A_PAGE, 3 * LOGS_A_PAGE])
def test_the_passes_end_however_often_a_trigger_comes(drives: int) -> None:
    """One after every step: between two syncs that are let in a page of the pass is read, and one more for each 50 logs
    that such a sync reads."""
    checkpoint, happened = asked_again(passing(drives)), list[str]()
    for _ in range(20_000):
        after = let_in(checkpoint, WANTED)
        if after is not None:
            happened.append("let in")
        elif actions := plan(checkpoint):
            happened.append(type(actions[0]).__name__)
            after = state(on_answer(checkpoint, actions[0], answer_to(actions[0]), transformer))
        else:
            after = state(complete(checkpoint, NOW, transformer))
        checkpoint = asked_again(after)
        if checkpoint.sync is None:
            break
    assert checkpoint.sync is None
    pages = {name: happened.count(name) for name in ("ListDetails", "ListContent")}
    assert pages == {"ListDetails": 2 * PAGES, "ListContent": 2 * PAGES}
    times = [at for at, each in enumerate(happened) if each == "let in"]
    between = [sum(happened[at].startswith("List") for at in range(*span)) for span in pairwise(times)]
    assert set(between[:-1]) == {1 + (drives + 1) // LOGS_A_PAGE}
    assert len(times) >= 2


def test_changed_files_are_no_page_while_there_are_pages() -> None:
    """Each sync that is let in brings some: they alone would keep the pass where it is."""
    before = state_after_let_in(passing(2))
    changed_file = Changed(FileId("x"), comments=True)
    before = with_sync(before, msgspec.structs.replace(sync_of(before), changed=(changed_file,)))
    [action] = plan(before)
    after = state(on_answer(before, action, Hanging({}, {}), transformer))
    assert sync_of(after).pass_pages_due == 1
    alone = with_sync(before, msgspec.structs.replace(sync_of(before), details=(), content=()))
    assert sync_of(state(on_answer(alone, action, Hanging({}, {}), transformer))).pass_pages_due == 0


def test_a_page_that_fails_holds_up_no_log() -> None:
    """It was tried: while the pass rests, changes go on being read."""
    before = asked_again(state_after_let_in(passing(2)))
    assert not goes_first(before)
    for action in (*plan(before), ReadDetails((Changed(FileId("x")),)), ReadContent((FileId("x"),))):
        sync = msgspec.structs.replace(sync_of(before), changed=(Changed(FileId("x")),), contents=(FileId("x"),))
        after = failure.on_failure(with_sync(before, sync), action, Retryable("500"), NOW, 0.5, transformer)
        assert goes_first(state(after))
        assert let_in(state(after), WANTED) is not None


def test_a_full_sync_waits_for_no_page() -> None:
    """It does all of it again."""
    before = msgspec.structs.replace(state_after_let_in(passing(2)), owed=owed("full"))
    assert goes_first(before)
    after = let_in(before, WANTED)
    assert after is not None
    assert after.sync is None


def state_after_let_in(checkpoint: Checkpoint) -> Checkpoint:
    """Where a sync was let in and has read the logs."""
    checkpoint = let_in(asked_again(checkpoint), WANTED) or pytest.fail("nothing was let in")
    for _ in range(len(checkpoint.corpora)):
        checkpoint = state(on_answer(checkpoint, plan(checkpoint)[0], changes_page(start="c1"), transformer))
    assert all(isinstance(each, ListDetails) for each in plan(checkpoint))
    return checkpoint
