"""The checkpoint: all that the worker knows of a connection between two steps.

Its state records are its head and its corpora: see `state_records`. They are written in the same transaction as the
records that they account for, so they are never ahead of them. Every shipped version has a golden file in
`tests/unit/sync/checkpoints/` that must load; added fields need a default.
"""

from typing import Literal

import msgspec

from google_drive_worker.domain.ids import ConnectionId, CustomerId, DriveId, FileId, PageToken, SyncId
from google_drive_worker.domain.record import Source
from google_drive_worker.domain.times import from_rfc3339

VERSION = 2
"""Of the state records as they are written. Raised only when an older worker could not go on from what a newer one
wrote. In version 1 a checkpoint was one record."""

USER_CORPUS = "user"
"""Key of the user's own corpus (what they own and what is shared with them) beside the shared drives' ids."""

SyncKind = Literal["full", "incremental"]
Youngest = Literal["once", "again", "asked"]
OrderKnown = Literal["unknown", "kept", "ignored"]
Stage = Literal["start_token", "listing", "changes", "done"]
ChannelState = Literal["asked", "standing", "lost", "stopping"]
GapScope = Literal["drives", "corpus", "contents", "folder", "item", "permissions", "revisions", "comments"]
GapState = Literal["found", "resting", "tried"]


class _Value(msgspec.Struct, frozen=True, omit_defaults=True):
    """Base of the checkpoint's parts: immutable, defaults not written."""


class Scope(_Value, frozen=True):
    """What of a Drive is mirrored, settled when a sync begins; a change of it calls for a full sync.

    What is false where a connection has it true was written by a worker that knew nothing of it: none of it is in the
    mirror then. `max_revisions` counts a file's newest ones, `None` means all. `export_formats` are MIME types by those
    of Workspace documents, where they are not the usual ones. `drive_ids` and `folder_ids` restrict it to these drives
    and what is below these folders; `paths` says that folders have theirs.
    """

    include_shared_drives: bool = True
    include_trashed: bool = False
    sync_permissions: bool = False
    sync_revisions: bool = False
    max_revisions: int | None = None
    sync_comments: bool = False
    sync_content: bool = False
    max_file_size_bytes: int | None = None
    export_formats: dict[str, str] | None = None
    drive_ids: tuple[str, ...] | None = None
    folder_ids: tuple[FileId, ...] | None = None
    exclude_mime_types: tuple[str, ...] = ()
    paths: bool = False
    sync_changes: bool = False
    label_ids: tuple[str, ...] = ()

    def mirrors_as(self, other: "Scope") -> bool:
        """Whether the mirror holds the same under both: events of the logs are no part of what Drive holds now."""
        return msgspec.structs.replace(self, sync_changes=other.sync_changes) == other


class Trail(_Value, frozen=True):
    """The page tokens of one listing, as far as it takes to notice that they go in a circle: see `tokens`.

    `steps` is how many tokens were followed, `mark` a digest of one of them, `recent` those of the last; `stalls` is
    how many times the listing had to start over because they made no progress.
    """

    steps: int = 0
    mark: str = ""
    recent: tuple[str, ...] = ()
    stalls: int = 0


class Part(_Value, frozen=True):
    """What is left of one range of a listing, which a query of its own reads from the newest modifiedTime down.

    The part writes what was modified from `since` on and before `until` (`None`: open). `asked_since` is the lower
    limit that its query was asked with: a split raises `since` alone, since a page token belongs to its query. The
    query's upper limit is `until`. Limits are whole seconds of UTC as in `2012-06-04T12:00:00`, times are RFC 3339 with
    milliseconds: both sort as they read, also among one another.

    `frontier` is the earliest modifiedTime seen. `page_span_ms` is the time that the last page reached over. Where
    answers came out of order `ordered` is false, and the query is read to its very end. `plain` is a query without
    order and range, as workers asked it before there were parts. `refusals` is how many times its tokens were refused
    since a page was last read by one; `trail` is of its tokens.
    """

    since: str | None = None
    until: str | None = None
    asked_since: str | None = None
    page_token: PageToken | None = None
    frontier: str | None = None
    page_span_ms: int = 0
    ordered: bool = True
    plain: bool = False
    refusals: int = 0
    trail: Trail = Trail()


class Witness(_Value, frozen=True):
    """An item whose permissions are watched, since the drive's members are not to be seen: see `witnesses`.

    `alone` says that no other item was written with the same.
    """

    file_id: FileId
    alone: bool = True


class Corpus(_Value, frozen=True):
    """One corpus, which is the user's own or a shared drive: how far its listing and its change log are read.

    `change_token` is where the change log goes on. It is taken before the listing begins (the low watermark) and never
    moves while the listing runs. `parts` are the ranges that the listing has yet to read, newest first, none before its
    first page; `pages` is how many pages it has read. `listing_token` is where a listing goes on that began before
    there were parts. `order` says whether Google keeps to the order that is asked for: `kept`, where the same query the
    other way round came the other way round, its first time being `oldest`; `ignored`, where it did not, or any page
    came out of order. `prove_since` is from where to ask, once more, where the oldest files were all of a few times.
    `times_in_order` is how many different times came newest first until that was enough of a proof.
    `youngest` says whether the youngest files are to be asked for again at the end, and `recent` which of those were
    written, with their times. `written` says that items of it were written, by this listing or before it. `doubted` is
    a drive in which something was not to be found: should the user's log tell of the drive next, its user may have been
    away in between, and the rest of it is read anew.
    `sighted` is the sync's `sightings` when such a thing was last seen in this corpus: what was found out before of
    its items' permissions is out of date. `members` is a digest of the shared drive's members as they were last
    written, `relisted` says that it is listed again because of them, and
    `members_due` says that they are to be read again, before anything else of the drive; they were read last in a sync
    that began at `members_at`. `rights` and `drive_digest`
    are the drive's `SharedDrive.rights` and `digest` as they were last seen. `unexplained` says that the user's log
    told of the drive though these are the same, `members_new` that its members changed in this sync, which explains
    that. `joined` is a drive that a log or a look-up brought, until it is listed. `witnesses` are items that tell of
    the members where the account may not see them, by the digest of their permissions.
    `trouble` is how many times in a row a call of the corpus failed while others succeed. `held` says that the rest of
    the sync goes on without it: there is a gap, and a later sync takes it up where it stands. `unlisted` says that its
    listing, or the rest of it, is owed besides: the gap brings it, and the log is read on meanwhile. `doubtful` is a
    drive that Google did not find: it is looked up by its id before anything else of it is asked. `incomplete` says
    that Google called a search of the present listing incomplete. `fresh` says that its log was not read to its end
    since its listing: a folder may have been listed later than what is below it. `trail` is of the tokens of its
    change log.
    """

    stage: Stage = "done"
    change_token: PageToken | None = None
    listing_token: PageToken | None = None
    written: bool = False
    doubted: bool = False
    parts: tuple[Part, ...] = ()
    pages: int = 0
    order: OrderKnown = "unknown"
    oldest: str | None = None
    prove_since: str | None = None
    times_in_order: int = 0
    youngest: Youngest = "once"
    recent: dict[FileId, str] = {}
    sighted: int = 0
    members: str | None = None
    relisted: bool = False
    members_due: bool = False
    members_at: str | None = None
    rights: tuple[str, ...] | None = None
    drive_digest: str | None = None
    unexplained: bool = False
    members_new: bool = False
    joined: bool = False
    trouble: int = 0
    held: bool = False
    unlisted: bool = False
    doubtful: bool = False
    incomplete: bool = False
    fresh: bool = False
    trail: Trail = Trail()
    witnesses: dict[str, Witness] = {}


class Walk(_Value, frozen=True):
    """A folder whose children are to be read again, because the change log names a changed folder alone.

    `trouble` is how many times its pages could not be had. `incomplete` says that Google called a search of it
    incomplete. `depth` is how far below the folder that a log names it is: what goes deeper than Google nests folders
    is a circle.
    """

    folder_id: FileId
    drive_id: DriveId | None = None
    trashed: bool = False
    page_token: PageToken | None = None
    trouble: int = 0
    incomplete: bool = False
    trail: Trail = Trail()
    depth: int = 0


class Removal(_Value, frozen=True):
    """An item that is to be looked up by its id: gone, moved to another corpus that is mirrored as well, or there?

    `corpus` is where that was found out (`NO_CORPUS`: in none). `told` says that an entry of a change log tells that it
    left that corpus: only then does one look-up without a result mean that it is gone. `again` says that it was in that
    corpus all the same when it was looked up: the log is read on before it is asked once more. `unseen` says that the
    index holds it and no list showed it, or its drive was left or joined.
    """

    file_id: FileId
    corpus: str
    told: bool = False
    again: bool = False
    unseen: bool = False


NO_CORPUS = ""
"""Of an item that was not found once, and is looked for again."""


class Gap(_Value, frozen=True):
    """Something in scope that could not be read, and is asked for again: see `gaps`.

    `id` is that of the corpus, folder or file; `corpus` is the corpus that it is counted in, and changes with the place
    of a file. `code` and `message` say why. A gap is `found` in the present sync; it is `resting` from that sync's end
    to `retry_at` (RFC 3339), and `tried` in the sync after that, for the `attempts`th time. `missing` says that Google
    answered that there is no such item: the second time that it does, the item is gone. `told` (by the log of `corpus`)
    and `walk` are what the item's look-up, or the folder's walk, goes on with. `reported` are the codes of which there
    is an error record. A `soft` gap is of something that was read but for values that made no sense: it is tried a few
    times, and no closing record names it.
    """

    scope: GapScope
    id: str
    corpus: str
    code: str
    message: str
    attempts: int = 1
    state: GapState = "found"
    retry_at: str | None = None
    missing: bool = False
    told: bool = False
    walk: Walk | None = None
    reported: tuple[str, ...] = ()
    soft: bool = False


class Unfinished(_Value, frozen=True):
    """A full sync that closed as incomplete: what its second closing record repeats."""

    sync_id: SyncId
    started_at: str
    counts: dict[str, int] = {}


class Pass(_Value, frozen=True):
    """How far the item index was gone through for files of which something is to be read: all files of `corpus`, or of
    every one (`None`), where the pass `is_whole`; else those of which something is due."""

    is_whole: bool = False
    corpus: str | None = None
    after: FileId | None = None


class Changed(_Value, frozen=True):
    """A file of which revisions or comments are to be read; `head` is what its revisions will be read at."""

    file_id: FileId
    revisions: bool = False
    comments: bool = False
    head: str | None = None


class Owed(_Value, frozen=True):
    """A sync that was asked for and has not begun; `page_token` counts only where the worker has no cursor.

    `customer_id` is who the trigger says the connection is of, which the connection itself has yet to confirm.
    `corpora` are those whose change logs are to be read, `None` for all.
    """

    kind: SyncKind
    customer_id: CustomerId
    source: Source | None = None
    page_token: PageToken | None = None
    corpora: tuple[str, ...] | None = None


class Lost(_Value, frozen=True):
    """A shared drive that was left, and how far the item index was gone through for what it held. Of one that was
    joined (`is_joined`) something may be held as well, whatever became of it before: it is looked up."""

    drive_id: str
    after: FileId | None = None
    is_joined: bool = False


class Relisting(_Value, frozen=True):
    """A corpus, or what is below a folder (`walk`), that is listed again after a while: see `rechecks`.

    `times` is how often that was done. `due_at` (RFC 3339) is when it is done next, `None` until the sync ends that
    brought it about, or that does it.
    """

    corpus: str
    walk: Walk | None = None
    times: int = 0
    due_at: str | None = None


class Verification(_Value, frozen=True):
    """How far the present round of the verification has come through the item index, by the id of an item: see
    `rechecks`. Times are RFC 3339. `units` is what the last slice cost; `due_at` is when the next one is due, `None`
    while a sync does it."""

    after: FileId | None = None
    rounds: int = 0
    units: int = 0
    began_at: str = ""
    due_at: str | None = None


class Unseen(_Value, frozen=True):
    """How far the item index was gone through, at the end of a full sync, for items that it did not see."""

    after: FileId | None = None
    is_done: bool = False


class Sync(_Value, frozen=True):
    """The sync in progress. `walks` is a stack; `counts` are records by resource type, deletes under `deleted`.

    `logs_before` is where each log was read to before a full sync, until its start token is taken: from there the log
    is read, since what was removed in between is in no list. `own_starts` are the start tokens of a full sync whose
    logs are read from before it. `unseen` is how far the index was gone through for what a full sync did not see.
    `from_trigger` says that it goes on
    from a trigger's cursor, which is the user's log alone: it is not known which shared drives were mirrored, nor how
    far. `restarts` are how often drives.list had to start over, `drives_trail` is of its tokens.
    `changed` are the next files of which revisions and comments are read, and `details` the passes that bring more of
    them. `contents` and `content` are the same for the bytes of files.
    `sightings` is how often something was seen to have changed that others inherit their permissions from, a folder or
    a drive. `pass_pages_due` is how many times the passes take files before another sync is let in.
    `is_verifying` says that a slice of the verification is yet to be taken.
    """

    sync_id: SyncId
    kind: SyncKind
    started_at: str
    source: Source | None = None
    drives_listed: bool = True
    drives_token: PageToken | None = None
    logs_before: dict[str, PageToken] = {}
    own_starts: dict[str, PageToken] = {}
    unseen: Unseen = Unseen()
    walks: tuple[Walk, ...] = ()
    removals: tuple[Removal, ...] = ()
    counts: dict[str, int] = {}
    from_trigger: bool = False
    restarts: int = 0
    drives_trail: Trail = Trail()
    sightings: int = 0
    details: tuple[Pass, ...] = ()
    changed: tuple[Changed, ...] = ()
    content: tuple[Pass, ...] = ()
    contents: tuple[FileId, ...] = ()
    pass_pages_due: int = 0
    is_verifying: bool = False


class Parked(_Value, frozen=True):
    """Why a sync rests, for the `attempts`th time in a row.

    `until` is RFC 3339, `None` means until the next trigger, which makes it empty. `step` is what failed last; when it
    succeeds, all is well again. `reported` are the codes of which there is an error record. `refused` is the
    fingerprint of the credentials that Google takes no longer: nothing is tried before there are others.
    """

    code: str
    step: str
    attempts: int = 1
    until: str | None = None
    reported: tuple[str, ...] = ()
    refused: str | None = None


class Channel(_Value, frozen=True):
    """A push channel that Google has, or may have: see `channels` for its life.

    It is written before Google is asked for it, so `expires_at` is what will be asked for until Google answers what it
    is. `resource_id`, which stopping needs, is known from then on; `guessed` says that it is another channel's on the
    same corpus. `last_number` is the number of its last message, `retry_at` when Google is asked again, for the
    `attempts`th time. `heard_at` is when its last message came, `untold_at` the time of the last change that a log held
    and no message had told of.
    """

    channel_id: str
    corpus: str
    customer_id: CustomerId
    address: str
    made_at: str
    expires_at: str
    state: ChannelState = "asked"
    resource_id: str | None = None
    guessed: bool = False
    last_number: int = 0
    attempts: int = 0
    retry_at: str | None = None
    heard_at: str | None = None
    untold_at: str | None = None


class Watching(_Value, frozen=True):
    """The connection's push channels, as they were last looked at: for which address, and when to look again."""

    address: str | None = None
    due: str | None = None
    channels: tuple[Channel, ...] = ()


class Checkpoint(_Value, frozen=True):
    """The state of one connection. `version` is that of the record that it was read from, and 1 in memory.

    `expected` are shared drives that were mirrored before, which a full sync has to find: one that the list of drives
    lacks is looked up.
    `contested` is what is owed besides in other customers' names, one for each. `gone` are items that were not found
    since the user's log was last read to its end. They are looked up again where that log tells of a drive: one that
    the user had left for a moment may hold them after all. `told` marks those whose delete was written. `in_doubt` says
    that the mirror may hold items of which nothing is remembered: the worker took over from another one, or had to
    forget, or went on from a trigger's cursor, and there was no full sync since.
    `lost` are shared drives that were left, as long as items of them may be held.
    `gaps` are what could not be read and is asked for again by itself, `unfinished` the full sync whose closing record
    named some of them.
    `relistings` and `verification` are what is asked for again by itself.
    `watching` is about push channels, `None` where none was ever wanted. `unknown_since` is when the connection's
    source first said that there is no such connection; see `forgetting`.
    """

    connection_id: ConnectionId
    customer_id: CustomerId
    version: int = 1
    scope: Scope = Scope()
    owed: Owed | None = None
    contested: tuple[Owed, ...] = ()
    sync: Sync | None = None
    corpora: dict[str, Corpus] = {}
    expected: tuple[str, ...] = ()
    parked: Parked | None = None
    gone: tuple[Removal, ...] = ()
    last_sync_id: SyncId | None = None
    completed_at: str | None = None
    in_doubt: bool = False
    lost: tuple[Lost, ...] = ()
    gaps: tuple[Gap, ...] = ()
    unfinished: Unfinished | None = None
    relistings: tuple[Relisting, ...] = ()
    verification: Verification | None = None
    watching: Watching | None = None
    labels_refused: bool = False
    details_refused: bool = False
    contents_refused: bool = False
    unknown_since: str | None = None


def begins_full_sync(before: Checkpoint | None, after: Checkpoint) -> bool:
    """Whether a full sync begins between the two: what was written before it counts for nothing once it is over."""
    if after.sync is None or after.sync.kind != "full":
        return False
    return before is None or before.sync is None or before.sync.sync_id != after.sync.sync_id


class CheckpointProblem(Exception):
    """A state record that can't be read; `newer` says that a newer worker wrote it."""

    def __init__(self, message: str, *, newer: bool = False) -> None:
        super().__init__(message)
        self.newer = newer


class _Versioned(msgspec.Struct):
    version: int = 1


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Checkpoint)
_CORPUS_DECODER = msgspec.json.Decoder(Corpus)
_VERSION_DECODER = msgspec.json.Decoder(_Versioned)


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Encode it as the value of a state record."""
    return _ENCODER.encode(checkpoint)


def decode_checkpoint(value: bytes) -> Checkpoint:
    """Read a state record of any shipped version.

    Raises `CheckpointProblem` where it is damaged, or written by a newer worker than this one can follow.
    """
    try:
        version = _VERSION_DECODER.decode(value).version
        if version > VERSION:
            raise CheckpointProblem(f"written in version {version}, this worker reads up to {VERSION}", newer=True)
        checkpoint = _DECODER.decode(value)
        watching = checkpoint.watching or Watching()
        moments = [
            checkpoint.parked.until if checkpoint.parked else None,
            checkpoint.sync.started_at if checkpoint.sync else None,
            checkpoint.unknown_since,
            watching.due,
            *(gap.retry_at for gap in checkpoint.gaps),
            *(relisting.due_at for relisting in checkpoint.relistings),
        ]
        if checkpoint.verification is not None:
            moments += [checkpoint.verification.began_at, checkpoint.verification.due_at]
        for channel in watching.channels:
            moments += [channel.made_at, channel.expires_at, channel.retry_at]
        for moment in filter(None, moments):
            from_rfc3339(moment)
    except (msgspec.MsgspecError, ValueError, RecursionError) as problem:
        raise CheckpointProblem(f"not a checkpoint: {problem}") from problem
    return checkpoint


def encode_corpus(corpus: Corpus) -> bytes:
    """Encode it as the value of a state record of its own."""
    return _ENCODER.encode(corpus)


def decode_corpus(value: bytes) -> Corpus:
    """Read the state record of a corpus. Raises `CheckpointProblem` where it is damaged."""
    try:
        return _CORPUS_DECODER.decode(value)
    except (msgspec.MsgspecError, RecursionError) as problem:
        raise CheckpointProblem(f"not a corpus: {problem}") from problem
