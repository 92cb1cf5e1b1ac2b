"""What hangs on a file beside its metadata: revisions, comments and their replies, as Google sends them."""

from typing import Annotated

from google_drive_worker.domain.drive import Int64, User
from google_drive_worker.domain.lenient import NOT_EMPTY, Resource, is_lossy


class Revision(Resource, frozen=True, gc=False):
    """Drive's `Revision`: one kept version of a file's content."""

    id: Annotated[str, NOT_EMPTY]
    mime_type: str | None = None
    modified_time: str | None = None
    keep_forever: bool | None = None
    published: bool | None = None
    publish_auto: bool | None = None
    published_outside_domain: bool | None = None
    published_link: str | None = None
    last_modifying_user: User | None = None
    original_filename: str | None = None
    md5_checksum: str | None = None
    size: Int64 | None = None
    export_links: dict[str, str] | None = None
    lossy: bool = is_lossy()


class QuotedContent(Resource, frozen=True, gc=False):
    """The passage that a comment is about."""

    mime_type: str | None = None
    value: str | None = None


class Reply(Resource, frozen=True, gc=False):
    """Drive's `Reply`, with the action (`resolve`, `reopen`) that it stands for where it stands for one."""

    id: Annotated[str, NOT_EMPTY]
    author: User | None = None
    content: str | None = None
    html_content: str | None = None
    action: str | None = None
    created_time: str | None = None
    modified_time: str | None = None
    deleted: bool | None = None
    mentioned_email_addresses: tuple[str, ...] | None = None
    assignee_email_address: str | None = None


class Comment(Resource, frozen=True, gc=False):
    """Drive's `Comment` with its replies. One that is deleted has lost its content."""

    DECISIVE = frozenset({"deleted"})

    id: Annotated[str, NOT_EMPTY]
    author: User | None = None
    content: str | None = None
    html_content: str | None = None
    anchor: str | None = None
    quoted_file_content: QuotedContent | None = None
    created_time: str | None = None
    modified_time: str | None = None
    resolved: bool | None = None
    deleted: bool | None = None
    mentioned_email_addresses: tuple[str, ...] | None = None
    assignee_email_address: str | None = None
    replies: tuple[Reply, ...] = ()
    lossy: bool = is_lossy()
