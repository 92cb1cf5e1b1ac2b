"""What the members of shared drives come to: records that hang on the drive, and a drive that is listed anew.

Somebody else's joining a drive is in no log that is sure to tell, and it changes the permissions of every item inside.
So the members are read whenever a log speaks of the drive, in each full sync, and once a day. A digest of them in the
checkpoint tells whether anything has changed. Where the account may not see the members, some of the drive's items
tell (`witnesses`).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.record import ErrorReport
from google_drive_worker.domain.sharing import PermissionSet
from google_drive_worker.domain.times import from_rfc3339
from google_drive_worker.sync.checkpoint import USER_CORPUS, Checkpoint, Corpus, Sync, Walk
from google_drive_worker.sync.gaps import as_gap, close_gaps, open_gap
from google_drive_worker.sync.item_writer import ItemWriter
from google_drive_worker.sync.listing import without_listing
from google_drive_worker.sync.plan import ReadMembers
from google_drive_worker.sync.scope import holds_drive, lists, with_roots
from google_drive_worker.sync.sharing import Found, digest_of
from google_drive_worker.sync.step import Step, counted, owe_full, sighted, with_corpus, with_sync
from google_drive_worker.sync.witnesses import is_contradicted
from google_drive_worker.utils.errors import NotFound

READ_EVERY = timedelta(days=1)
"""How often the members of a drive are read that no log speaks of."""

MISJUDGED = "misjudged"
"""Stands for a digest where items may have been written with members that were not: no digest is like it."""


def on_members(checkpoint: Checkpoint, sync: Sync, action: ReadMembers, found: Found, writer: ItemWriter) -> Step:
    """The members that have changed are written, and their drives listed anew where items of them were written."""
    errors: list[ErrorReport] = []
    anew = False
    for drive_id in action.drives:
        corpus = checkpoint.corpora.get(drive_id)
        members = found.get(drive_id)
        if corpus is None or members is None or not corpus.members_due:
            continue
        corpus = replace(corpus, members_due=False, members_at=sync.started_at)
        if not isinstance(members, PermissionSet):
            problem = as_gap(members)
            missing = isinstance(members, NotFound)
            checkpoint, more = open_gap(checkpoint, "permissions", drive_id, drive_id, problem, missing=missing)
            errors += more
        elif (digest := digest_of(members)) != corpus.members or is_contradicted(corpus, found):
            if holds_drive(checkpoint.scope, drive_id):  # of another one no more than some folders may be mirrored
                writer.write_permissions(drive_id, members)
            corpus = replace(corpus, members_new=corpus.members is not None)
            if _rests_on_others(corpus) and lists(checkpoint.scope, drive_id):
                corpus = _to_list_anew(corpus)
                sync = replace(sync, walks=_walks_left(checkpoint, sync, drive_id))
            elif _rests_on_others(corpus):
                anew = True
            corpus = replace(corpus, members=digest, witnesses={})
        if isinstance(members, PermissionSet) and not members.unreadable:
            checkpoint = close_gaps(checkpoint, [("permissions", drive_id)])
        if corpus.unexplained and isinstance(members, PermissionSet):
            corpus = replace(corpus, unexplained=False)
            if not corpus.members_new:  # the account was away, and what went out of its sight meanwhile is in no log
                checkpoint = owe_full(checkpoint)
        checkpoint = with_corpus(checkpoint, drive_id, corpus)
    checkpoint = sighted(with_sync(checkpoint, counted(sync, writer.records)), action.drives)
    if anew:
        checkpoint = with_roots(checkpoint)
    return Step(checkpoint, tuple(writer.records), (*errors, *writer.errors), writer.changes)


def with_members_due(corpora: Mapping[str, Corpus], now: datetime) -> dict[str, Corpus]:
    """Return the corpora of a sync that begins, with the members to be read that were not read for long."""
    return {
        name: replace(corpus, members_due=True) if name != USER_CORPUS and _is_old(corpus, now) else corpus
        for name, corpus in corpora.items()
    }


def _is_old(corpus: Corpus, now: datetime) -> bool:
    """Whether the members were read long ago, or at a time that is yet to come."""
    return corpus.members_at is None or not timedelta(0) <= now - from_rfc3339(corpus.members_at) < READ_EVERY


def misjudged(checkpoint: Checkpoint, permissions: Found) -> Checkpoint | None:
    """The checkpoint with members to be read again, where an answer rests on others than were written; else `None`.

    They may be the same again by the time that they are read. So what was written is forgotten, and the drive is listed
    again in any case: answers before this one may rest on the others too. The members of a drive that is held are
    read when it is taken up again; what rests on them is written meanwhile.
    """
    after = checkpoint
    for name, corpus in checkpoint.corpora.items():
        members = permissions.get(FileId(name))
        if not isinstance(members, PermissionSet) or corpus.members is None:
            continue
        is_noted = corpus.held and corpus.members == MISJUDGED
        if digest_of(members) != corpus.members and not is_noted:
            after = with_corpus(after, name, replace(corpus, members=MISJUDGED, members_due=True))
    return None if after is checkpoint else after


def _rests_on_others(corpus: Corpus) -> bool:
    """Whether items may have been written with other members: those before, or any while these could not be read."""
    return corpus.members is not None or (corpus.written and corpus.stage != "start_token")


def _to_list_anew(corpus: Corpus) -> Corpus:
    """Its change log goes on from where it is when the listing is through; what was listed before counts no more."""
    if corpus.stage == "start_token":
        return corpus
    return replace(without_listing(corpus), stage="listing", relisted=corpus.relisted or corpus.stage != "listing")


def _walks_left(checkpoint: Checkpoint, sync: Sync, drive_id: FileId) -> tuple[Walk, ...]:
    """The walks without those in the drive, all of which is listed anew; but no listing shows trash that isn't asked
    for, and what came into it with its folder is still to be deleted."""
    return tuple(
        walk
        for walk in sync.walks
        if str(walk.drive_id) != drive_id or (walk.trashed and not checkpoint.scope.include_trashed)
    )
