"""The ports: what the rooms above ask of the world, as Protocols. Adapters fill them; tests may too."""

from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from google_drive_worker.domain.channel import Watched
from google_drive_worker.domain.connection import Connection, Grant, Secret
from google_drive_worker.domain.content import ContentStatus, Source
from google_drive_worker.domain.details import Comment, Revision
from google_drive_worker.domain.drive import (
    Change,
    ChangesPage,
    DriveFile,
    DrivesPage,
    FilesPage,
    SharedDrive,
    UnreadableItem,
)
from google_drive_worker.domain.ids import ConnectionId, DriveId, FileId, PageToken
from google_drive_worker.domain.item_entry import Digest, PermissionDigests
from google_drive_worker.domain.message import Batch, Incoming, StoredPartition
from google_drive_worker.domain.objects import ObjectRef
from google_drive_worker.domain.record import (
    DeleteCause,
    ItemRecord,
    PermissionFrame,
    Record,
    ResourceType,
    SyncSummary,
)
from google_drive_worker.domain.reports import Report
from google_drive_worker.domain.sharing import ItemSharing, Permission
from google_drive_worker.domain.times import TimeRange
from google_drive_worker.utils.errors import SkipItem


class Clock(Protocol):
    """Time, so that tests own it."""

    def now(self) -> datetime:
        """The present moment, UTC, with its zone."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that long by this clock."""
        ...


class Connections(Protocol):
    """Where connections come from: a file, or the Control Plane."""

    async def get(self, connection_id: ConnectionId) -> Connection:
        """Return the connection as it is now.

        Raises `UnknownConnection` where there is none of that id, `Retryable` where the source can't be reached.
        """
        ...

    def doubt(self, connection_id: ConnectionId) -> None:
        """Google refused its credentials: what is known of the connection may be out of date."""
        ...


class TokenSource(Protocol):
    """Refreshes the access tokens of connections whose refresh token the worker does not hold."""

    async def refresh_token(self, connection_id: ConnectionId) -> Grant:
        """Return a fresh token. Raises `NeedsReauth` where there is none to have, or `Retryable`."""
        ...


class Reports(Protocol):
    """Who is told how a connection's syncs went."""

    async def report(self, report: Report) -> None:
        """Tell it; raises a `WorkerError` where that could not be done."""
        ...


class Drive(Protocol):
    """Google Drive as one connection sees it.

    Every call authorizes, meters, retries and decodes; when it raises, it has given up, with an error of
    `google_drive_worker.utils.errors` that says what to do: `Retryable`, `NeedsReauth`, `NotFound`, `SkipItem`,
    `PageTokenRejected` or `Terminal`.
    """

    async def is_served(self) -> bool:
        """Whether Google serves a call of this connection that needs no item (about.get)."""
        ...

    async def start_page_token(self, drive_id: DriveId | None) -> PageToken:
        """changes.getStartPageToken of the user's log (`None`) or of a shared drive's."""
        ...

    async def list_drives(self, page_token: PageToken | None) -> DrivesPage:
        """drives.list, 100 a page."""
        ...

    async def get_drive(self, drive_id: DriveId) -> SharedDrive:
        """drives.get. Raises `NotFound` where Google says, in JSON, that the account sees no drive of that id."""
        ...

    async def list_files(
        self,
        drive_id: DriveId | None,
        page_token: PageToken | None,
        *,
        include_trashed: bool,
        modified: TimeRange | None = None,
    ) -> FilesPage:
        """files.list of one corpus: a shared drive, or (`None`) what the user owns or is shared with.

        `modified` asks for the files of that range of modifiedTime, newest first; `None` for all, in no order.
        """
        ...

    async def oldest_times(
        self, drive_id: DriveId | None, *, include_trashed: bool, since: str | None = None
    ) -> tuple[str, ...]:
        """The first modifiedTimes of one corpus' files.list asked for oldest first, in the order that they come in.

        `since` leaves out what is older, as in a `TimeRange`.
        """
        ...

    async def list_children(
        self,
        folder_id: FileId,
        drive_id: DriveId | None,
        page_token: PageToken | None,
        *,
        include_trashed: bool,
    ) -> FilesPage:
        """files.list of a folder's direct children; `drive_id` is the shared drive that the folder is in."""
        ...

    async def list_changes(self, drive_id: DriveId | None, page_token: PageToken) -> ChangesPage:
        """changes.list of the user's log (`None`) or of a shared drive's, removals included."""
        ...

    async def watch_changes(
        self,
        drive_id: DriveId | None,
        page_token: PageToken,
        *,
        channel_id: str,
        address: str,
        token: Secret,
        expires_at: str,
    ) -> Watched:
        """changes.watch of a log: Google will notify the address. `expires_at` is RFC 3339.

        Raises `SkipItem` of code `channel_not_unique` where Google has a channel of that id already.
        """
        ...

    async def stop_channel(self, channel_id: str, resource_id: str) -> None:
        """channels.stop. Raises `NotFound` where Google has none of these ids."""
        ...

    def content(self, source: Source) -> AsyncGenerator[bytes, None]:
        """The bytes of a file, decoded, in pieces, resumed where a connection is cut. Exports come in any way they can.

        Raises `SkipItem` where Drive documents that they can't be had, or they are more than the source's limit;
        `ItemUnavailable` where this file's can't be had now; `ChecksumMismatch` where they are not those that Drive
        shows.
        """
        ...

    def without_labels(self) -> "Drive":
        """The same Drive, which asks for no labels: where Google refuses those that the connection names."""
        ...

    # Calls for many items at once. Each has an answer for every id that it was asked for: an item that can't be had is
    # a `SkipItem` in its place (`NotFound` or `ItemUnavailable` where these say more), and what concerns more than one
    # item is raised. An element of an item's list that can't be read is an `UnreadableItem` among the others.

    async def get_files(self, file_ids: Sequence[FileId]) -> Mapping[FileId, DriveFile | SkipItem]:
        """files.get of each, whichever drive it is in."""
        ...

    async def item_sharings(self, file_ids: Sequence[FileId]) -> Mapping[FileId, ItemSharing | SkipItem]:
        """files.get of each, for what tells where its permissions come from."""
        ...

    async def list_permissions(
        self, file_ids: Sequence[FileId]
    ) -> Mapping[FileId, tuple[Permission | UnreadableItem, ...] | SkipItem]:
        """permissions.list of each item or shared drive, all of its pages."""
        ...

    async def list_revisions(
        self, file_ids: Sequence[FileId]
    ) -> Mapping[FileId, tuple[Revision | UnreadableItem, ...] | SkipItem]:
        """revisions.list of each, all of its pages, oldest first."""
        ...

    async def list_comments(
        self, file_ids: Sequence[FileId]
    ) -> Mapping[FileId, tuple[Comment | UnreadableItem, ...] | SkipItem]:
        """comments.list of each, all of its pages, deleted ones included."""
        ...


class Drives(Protocol):
    """Opens a connection's Drive. Tokens, quota and connections to Google are shared behind it."""

    def open(self, connection: Connection) -> Drive:
        """The Drive of that connection; cheap, no call is made."""
        ...


class ObjectStore(Protocol):
    """Where a connection's large payloads and file bytes go: S3, or a local directory.

    Objects are content-addressed under the customer's prefix, so that writing one again is harmless, and one that is
    found is complete. Every call raises `StoreUnavailable` where the store can't be used at the moment.
    """

    async def put(self, value: bytes, content_type: str) -> ObjectRef:
        """Keep the bytes; when it returns, the object is there to be read."""
        ...

    async def put_stream(
        self, chunks: AsyncIterable[bytes], content_type: str, *, sha256: str | None = None
    ) -> ObjectRef:
        """Keep what the chunks come to, in bounded memory; nothing is to be seen of it before it is complete.

        Raises `ChecksumMismatch` where `sha256` is given and another comes out, and whatever the chunks raise.
        """
        ...

    async def find(self, sha256: str, content_type: str) -> ObjectRef | None:
        """The object of that content, where it is there already."""
        ...

    async def recall(self, topic: str) -> ObjectRef | None:
        """The object that was last noted under the topic, where it is there still."""
        ...

    async def note(self, topic: str, ref: ObjectRef) -> None:
        """Note which object a topic came to. A topic is any text; none of it can be read in the store."""
        ...


class ObjectStores(Protocol):
    """Opens a connection's object store."""

    def open(self, connection: Connection) -> ObjectStore:
        """The store as that connection may use it; cheap, no call is made."""
        ...


class Normalizer(Protocol):
    """Turns Google's resources into records; the module `normalization.transformer` is one."""

    def read_page(self, page: FilesPage) -> Sequence[ItemRecord | UnreadableItem]:
        """The items of a listing's page, in its order, each with its upsert."""
        ...

    def transform_file(self, file: DriveFile) -> ItemRecord:
        """The upsert of a file or folder."""
        ...

    def transform_drive(self, drive: SharedDrive) -> Record:
        """The upsert of a shared drive."""
        ...

    def permission_frames(self, permissions: Sequence[Permission]) -> tuple[PermissionFrame, ...]:
        """What the records of those permissions have in common, whatever item they are of."""
        ...

    def transform_permissions(self, file_id: FileId, frames: Sequence[PermissionFrame]) -> list[Record]:
        """The upserts of an item's permissions."""
        ...

    def transform_revision(self, file_id: FileId, revision: Revision) -> Record:
        """The upsert of a file's revision."""
        ...

    def transform_comment(self, file_id: FileId, comment: Comment) -> Record:
        """The upsert of a file's comment, with its replies."""
        ...

    def digest_of_permissions(self, held: Mapping[str, Digest]) -> PermissionDigests:
        """An item's permissions, by id with the digest of each one's data, as the item index holds them."""
        ...

    def digest_of_record(self, record: Record) -> Digest:
        """The digest of what a revision's or a comment's record says, without the links to photos."""
        ...

    def with_path(self, record: Record, path: tuple[str, ...]) -> Record:
        """A folder's upsert with its path: the names from the top of the Drive down to itself."""
        ...

    def with_content(self, record: Record, status: ContentStatus, ref: ObjectRef | None) -> Record:
        """A file's upsert with what became of its content, and where that is."""
        ...

    def transform_change(self, resource_id: str, log: str, change: Change) -> Record:
        """The record of an entry of a change log, which is the user's or a shared drive's, under that id."""
        ...

    def deletion(self, resource_type: ResourceType, resource_id: str, cause: DeleteCause) -> Record:
        """The delete of whatever it is."""
        ...

    def sync_record(self, summary: SyncSummary) -> Record:
        """The record that opens or closes a full sync."""
        ...


class PartitionLog(Protocol):
    """Writes one owned partition: records, state, index entries and the consumer's position, all or nothing.

    A log is opened once. After a call that raised it can only be closed.
    """

    async def open(self) -> None:
        """Take the partition: no log that was opened for it before can commit anything more.

        Raises `Retryable` where the broker does not answer in time, `Fenced` where it was closed meanwhile.
        """
        ...

    async def commit(self, batch: Batch) -> None:
        """Write the batch in one transaction; when it returns, readers of what is committed see all of it.

        Raises `Fenced` where another worker owns the partition, `InstanceFenced` where another one has this one's
        identity, and `Retryable` where the outcome is not known or the broker refuses on and on.
        """
        ...

    async def close(self) -> None:
        """Let go of it at once, in a few seconds at the most: nothing more is tried. Never raises a `WorkerError`."""
        ...


class Restore(Protocol):
    """Reads what is committed of a partition."""

    async def __call__(self, partition: int, /) -> StoredPartition:
        """Read it to the committed end. To be called after `PartitionLog.open`, never before.

        Raises `Retryable` where the broker does not answer in time.
        """
        ...


class MessageSource(Protocol):
    """A membership in a consumer group, whose listener hears of assignments and messages."""

    @property
    def failure(self) -> BaseException | None:
        """What ended it, if anything but `stop` did."""
        ...

    def start(self) -> None:
        """Join the group; the listener hears of it from now on. To be called on the listener's event loop."""
        ...

    async def stop(self) -> None:
        """Leave the group in good order; the listener hears of every partition as revoked."""
        ...


class TriggerSource(MessageSource, Protocol):
    """The triggers of the partitions that the group gives to this worker, each from where it is asked for."""

    def begin_at(self, partition: int, offset: int) -> None:
        """Let the partition's messages come, from that offset on; what was on its way before is dropped."""
        ...

    def hold(self, partition: int) -> None:
        """Let no more messages of the partition come until `begin_at`."""
        ...


class TriggerListener(Protocol):
    """Who hears of assignments and messages, on the event loop. The source waits for each call to return."""

    async def on_assigned(self, partitions: list[int]) -> None:
        """These partitions are ours: open them. They are held until `begin_at`."""
        ...

    async def on_revoked(self, partitions: list[int]) -> None:
        """These go to another member as soon as this returns: commit what is ready and let go."""
        ...

    async def on_lost(self, partitions: list[int]) -> None:
        """These are another member's already: let go, commit nothing."""
        ...

    async def on_messages(self, messages: list[Incoming]) -> None:
        """Messages, in order within each partition."""
        ...

    def on_trouble(self, problem: str) -> None:
        """The broker says something that a person should know; the client goes on trying by itself."""
        ...
