"""Syncs that are let in before what hangs on files: however often they come, the passes go on."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import msgspec
import pytest

from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.item_entry import ItemEntry
from google_drive_worker.normalization import transformer
from google_drive_worker.sync import failure
from google_drive_worker.sync.checkpoint import USER_CORPUS, Changed, Checkpoint, Owed, Pass, Scope, Unseen
from google_drive_worker.sync.content import Contents
from google_drive_worker.sync.details import LOGS_A_PAGE, Hanging, goes_first, let_in
from google_drive_worker.sync.engine import Answer, accept, complete, on_answer
from google_drive_worker.sync.plan import (
    Action,
    ReadChanges,
    ReadContent,
    ReadDetails,
    plan,
)
from google_drive_worker.sync.step import with_sync
from google_drive_worker.utils.errors import Retryable
from support.dict_index import DictIndex
from support.syncs import (
    CONNECTION,
    CUSTOMER,
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
FILES = [FileId(f"file-{number:03}") for number in range(250)]
"""More than stand in a sync at a time."""


def passing(drives: int) -> Checkpoint:
    """A full sync of so many drives whose metadata is written, with all files to be read."""
    names = [f"drive-{number}" for number in range(drives)]
    before = syncing("full", user=corpus("done"), scope=WANTED)
    before = msgspec.structs.replace(before, corpora={**before.corpora, **dict.fromkeys(names, corpus("done"))})
    whole = (Pass(is_whole=True),)
    sync = msgspec.structs.replace(sync_of(before), details=whole, content=whole, unseen=Unseen(is_done=True))
    return with_sync(before, sync)


def holding_files() -> DictIndex:
    """An index of files in the first drive that may have anything."""
    entry = ItemEntry(corpus="drive-0", has_revisions=True, has_comments=True, has_content=True, head="h")
    return DictIndex(dict.fromkeys(FILES, entry))


def asked_again(checkpoint: Checkpoint) -> Checkpoint:
    """A trigger has come."""
    return accept(checkpoint, CONNECTION, owed("incremental"))


def answer_of_quiet_logs(action: Action) -> Answer:
    """Google's: no log has an entry, and no file has anything."""
    match action:
        case ReadChanges():
            return changes_page(start="c1")
        case ReadDetails(files):
            revisions = {each.file_id: () for each in files if each.revisions}
            return Hanging(revisions, {each.file_id: () for each in files if each.comments})
        case _:
            return Contents(())


def answer_of_busy_logs(action: Action) -> Answer:
    """Google's: every log has a file that changed, and no file has anything."""
    if not isinstance(action, ReadChanges):
        return answer_of_quiet_logs(action)
    name = action.corpus
    item = file("a") if name == USER_CORPUS else in_drive(f"changed in {name}", name)
    return changes_page(changed(item), start="c1")


class Passage(NamedTuple):
    """What a sync did after its metadata, and where it stood at the end."""

    checkpoint: Checkpoint
    happened: list[Action | str]

    def files_read(self) -> tuple[Counter[FileId], Counter[FileId]]:
        """How often the revisions and comments, and the contents, of each file were read."""
        read = [each.changed for each in self.happened if isinstance(each, ReadDetails)]
        fetched = [each.file_ids for each in self.happened if isinstance(each, ReadContent)]
        return (
            Counter(each.file_id for files in read for each in files),
            Counter(file_id for files in fetched for file_id in files),
        )


def pass_through(drives: int, answer_to: Callable[[Action], Answer], *, at_most: int) -> Passage:
    """Read all files, with a trigger after every step, for so many steps at most."""
    checkpoint, index, happened = asked_again(passing(drives)), holding_files(), list[Action | str]()
    while checkpoint.sync is not None and len(happened) < at_most:
        after = let_in(checkpoint, WANTED)
        if after is not None:
            happened.append("let in")
        else:
            actions = plan(checkpoint)
            happened.append(actions[0] if actions else "complete")
            step = (
                on_answer(checkpoint, actions[0], answer_to(actions[0]), transformer, index)
                if actions
                else complete(checkpoint, NOW, transformer, index=index)
            )
            index.apply(step.changes)
            after = state(step)
        checkpoint = asked_again(after)
    return Passage(checkpoint, happened)


@pytest.mark.parametrize("drives", [2, LOGS_A_PAGE])
def test_the_passes_end_however_often_a_trigger_comes(drives: int) -> None:
    """Between two syncs that are let in the passes take files, and once more for each 50 logs that such a sync
    reads."""
    passage = pass_through(drives, answer_of_quiet_logs, at_most=20_000)
    assert passage.checkpoint.sync is None
    assert passage.files_read() == (Counter(FILES), Counter(FILES))
    happened = passage.happened
    times = [at for at, each in enumerate(happened) if each == "let in"]
    between = [sum(each == "complete" for each in happened[i:j]) for i, j in pairwise(times)]
    assert set(between) == {1 + (drives + 1) // LOGS_A_PAGE}


@pytest.mark.parametrize("drives", [2, LOGS_A_PAGE])
def test_the_passes_end_though_each_sync_that_is_let_in_has_changed_files(drives: int) -> None:
    """Files that the logs tell of do not keep the passes from going on, with a trigger after every step."""
    passage = pass_through(drives, answer_of_busy_logs, at_most=10_000)
    assert passage.checkpoint.sync is None
    details, contents = passage.files_read()
    assert set(FILES) <= details.keys()
    assert set(FILES) <= contents.keys()


def test_a_sync_that_is_let_in_reads_the_logs_that_it_names() -> None:
    """A notification tells of one log: the others are not read for it."""
    before = passing(2)
    wish = Owed("incremental", CUSTOMER, corpora=("drive-1",))
    after = let_in(msgspec.structs.replace(before, owed=wish), WANTED)
    assert after == msgspec.structs.replace(
        before,
        corpora={**before.corpora, "drive-1": corpus("changes")},
        sync=msgspec.structs.replace(sync_of(before), pass_pages_due=1),
    )
    assert plan(after) == [ReadChanges("drive-1", token("c1"))]


def test_files_that_were_read_are_one_less_that_is_due_where_no_pass_is_left() -> None:
    """Those whose contents were looked at as well; as long as a pass is left, it has to go on."""
    let = state_after_let_in(passing(2))
    files = (Changed(FILES[0], comments=True),)
    for passes, due in (((), 0), (sync_of(let).content, 1)):
        sync = msgspec.structs.replace(
            sync_of(let), changed=files, contents=(FILES[0],), details=(), content=passes, pass_pages_due=1
        )
        for action in (ReadDetails(files), ReadContent((FILES[0],))):
            step = on_answer(with_sync(let, sync), action, answer_of_quiet_logs(action), transformer, holding_files())
            assert sync_of(step).pass_pages_due == due


def test_a_full_sync_whose_passes_are_through_closes_before_another_is_let_in() -> None:
    """Only the files that stand in it are left to be read."""
    before = asked_again(passing(2))
    left = msgspec.structs.replace(sync_of(before), changed=(Changed(FILES[0]),), details=(), content=())
    assert let_in(with_sync(before, left), WANTED) is None
    assert let_in(with_sync(before, msgspec.structs.replace(left, kind="incremental")), WANTED) is not None


def test_a_page_that_fails_holds_up_no_log() -> None:
    """It was tried: while the pass rests, changes go on being read."""
    before = asked_again(state_after_let_in(passing(2)))
    assert not goes_first(before)
    for action in (ReadDetails((Changed(FileId("x")),)), ReadContent((FileId("x"),))):
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
    assert plan(checkpoint) == []
    return checkpoint
