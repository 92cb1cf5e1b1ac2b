"""Revisions and comments turned into records. Pure, and total: a time that makes no sense is dropped."""

import msgspec

from google_drive_worker.domain.details import Comment, Reply, Revision
from google_drive_worker.domain.drive import User
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.record import Record
from google_drive_worker.normalization.shapes import (
    CommentData,
    PersonData,
    QuotedContentData,
    ReplyData,
    RevisionData,
)
from google_drive_worker.normalization.values import utc_time

_encode = msgspec.json.Encoder().encode


def transform_revision(file_id: FileId, revision: Revision) -> Record:
    """Make the upsert of a file's revision; the resource id is `{file_id}/{revision id}`."""
    data = RevisionData(
        id=revision.id,
        type="revision",
        file_id=file_id,
        modified_at=utc_time(revision.modified_time),
        size_bytes=revision.size,
        mime_type=revision.mime_type,
        author=_person(revision.last_modifying_user),
        original_filename=revision.original_filename,
        md5=revision.md5_checksum,
        keep_forever=revision.keep_forever,
        published=revision.published,
        publish_auto=revision.publish_auto,
        published_outside_domain=revision.published_outside_domain,
        published_link=revision.published_link,
        export_formats=tuple(sorted(revision.export_links)) if revision.export_links else None,
    )
    return Record("revision", f"{file_id}/{revision.id}", "upsert", msgspec.Raw(_encode(data)))


def transform_comment(file_id: FileId, comment: Comment) -> Record:
    """Make the upsert of a comment with its replies; the resource id is `{file_id}/{comment id}`."""
    quoted = comment.quoted_file_content
    data = CommentData(
        id=comment.id,
        type="comment",
        file_id=file_id,
        content=comment.content,
        created_at=utc_time(comment.created_time),
        modified_at=utc_time(comment.modified_time),
        resolved=bool(comment.resolved),
        replies=tuple(map(_reply, comment.replies)),
        author=_person(comment.author),
        html_content=comment.html_content,
        anchor=comment.anchor,
        quoted_content=None if quoted is None else QuotedContentData(quoted.mime_type, quoted.value),
        mentions=comment.mentioned_email_addresses or None,
        assignee=comment.assignee_email_address,
    )
    return Record("comment", f"{file_id}/{comment.id}", "upsert", msgspec.Raw(_encode(data)))


def _reply(reply: Reply) -> ReplyData:
    return ReplyData(
        id=reply.id,
        content=reply.content,
        created_at=utc_time(reply.created_time),
        modified_at=utc_time(reply.modified_time),
        author=_person(reply.author),
        html_content=reply.html_content,
        action=reply.action,
        deleted=reply.deleted or None,
        mentions=reply.mentioned_email_addresses or None,
        assignee=reply.assignee_email_address,
    )


def _person(user: User | None) -> PersonData | None:
    if user is None:
        return None
    return PersonData(user.display_name, user.email_address, user.permission_id, user.photo_link, user.me)
