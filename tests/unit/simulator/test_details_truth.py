"""Revisions and comments: what the API says of them is what the model holds, and the logs tell of each change."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from drive_simulator.api.errors import ApiError
from drive_simulator.edits.random_edits import Edit, Editor
from drive_simulator.model.discussion import comment_on, remove_post, reply_to, reword
from drive_simulator.model.item_changes import create, edit, replace_content
from drive_simulator.model.items import User
from drive_simulator.model.sharing import share
from drive_simulator.truth.items import visible_comments, visible_revisions
from support.worlds import Stage

DOCUMENT = "application/vnd.google-apps.document"


def ask(stage: Stage, user: User, path: str, method: str = "GET", **body: object) -> Any:
    """One call of the API, all fields."""
    return Editor(stage.world).make(Edit("ask", user.email, method, path, {"fields": "*"}, body or None))


def test_what_is_said_changes_the_version_and_no_time() -> None:
    """A comment, a reply, a new wording and a deletion are each in the file's log; modifiedTime stays."""
    stage = Stage()
    file = stage.file()
    log = stage.listen(stage.alice)
    before, version = file.modified_ms, file.version
    stage.clock.advance(60)
    comment = comment_on(stage.world, file, stage.alice, "why, @bob@example.com?")
    steps: list[Callable[[], object]] = [
        lambda: reply_to(stage.world, file, comment, stage.bob, "so", "resolve"),
        lambda: reword(stage.world, file, comment, comment, "how, +bob@example.com?"),
        lambda: remove_post(stage.world, file, comment, comment),
    ]
    assert log.news() == {file.id: "changed"}
    for step in steps:
        step()
        assert log.news() == {file.id: "changed"}
    assert (file.modified_ms, file.version) == (before, version + 4)


def test_comments_are_told_as_they_are() -> None:
    """Words, mentions, assignee, anchor, quote, action and resolution come as the truth has them."""
    stage = Stage()
    file = stage.file()
    quoted: dict[str, object] = {"mimeType": "text/plain", "value": "the passage"}
    comment = comment_on(stage.world, file, stage.alice, "+bob@example.com, look", anchor='{"r":1}', quoted=quoted)
    reply_to(stage.world, file, comment, stage.alice, "done", "resolve")
    last = reply_to(stage.world, file, comment, stage.alice, "no", "reopen")
    remove_post(stage.world, file, comment, last)
    told = ask(stage, stage.alice, f"files/{file.id}/comments/{comment.id}")
    expected = visible_comments(stage.world, stage.alice)[file.id, comment.id]
    assert (told["anchor"], told["quotedFileContent"]["value"]) == (expected.anchor, expected.quoted)
    assert (told["assigneeEmailAddress"], told["mentionedEmailAddresses"]) == (expected.assignee, [expected.assignee])
    assert (told["resolved"], expected.resolved) == (False, False)
    assert [reply["action"] for reply in told["replies"]] == [reply.action for reply in expected.replies] == ["resolve"]
    everything = visible_comments(stage.world, stage.alice, include_deleted=True)[file.id, comment.id]
    assert [reply.deleted for reply in everything.replies] == [False, True]
    assert everything.replies[1].content is None


def test_who_may_not_comment_sees_no_comments_and_readers_no_past() -> None:
    """A reader is refused comments and revisions, a commenter the revisions; the truth has none of them."""
    stage = Stage()
    file = stage.file()
    comment_on(stage.world, file, stage.alice, "hm")
    for role, sees_comments in (("reader", False), ("commenter", True)):
        share(stage.world, file, stage.alice, stage.bob, cast(Any, role))
        assert bool(visible_comments(stage.world, stage.bob)) == sees_comments
        assert visible_revisions(stage.world, stage.bob) == {}
        with pytest.raises(ApiError, match="sufficient permissions"):
            ask(stage, stage.bob, f"files/{file.id}/revisions")
    assert ask(stage, stage.bob, f"files/{file.id}/comments")["comments"]


def test_a_revision_keeps_the_time_at_which_it_was_written() -> None:
    """Renaming a file gives it a new modifiedTime, but its only revision keeps its own."""
    stage = Stage()
    file = stage.file()
    [(key, written)] = visible_revisions(stage.world, stage.alice).items()
    stage.clock.advance(60)
    edit(stage.world, file, stage.alice, name="other")
    assert visible_revisions(stage.world, stage.alice) == {key: written}
    replace_content(stage.world, file, stage.alice, content=b"newer")
    assert len(visible_revisions(stage.world, stage.alice)) == 2
    [newest] = visible_revisions(stage.world, stage.alice, max_revisions=1).values()
    assert newest.size == 5


def test_revisions_are_told_as_they_are() -> None:
    """Blobs have size, checksum and keepForever, documents publishing and export links; changes of them are logged."""
    stage = Stage()
    file, document = stage.file(), create(stage.world, stage.alice, "doc", DOCUMENT)
    replace_content(stage.world, file, stage.alice, content=b"newer")
    log = stage.listen(stage.alice)
    [first, _] = ask(stage, stage.alice, f"files/{file.id}/revisions")["revisions"]
    ask(stage, stage.alice, f"files/{file.id}/revisions/{first['id']}", "PATCH", keepForever=True)
    ask(stage, stage.alice, f"files/{document.id}/revisions/head", "PATCH", published=True, publishAuto=True)
    assert log.news() == {file.id: "changed", document.id: "changed"}
    expected = visible_revisions(stage.world, stage.alice)
    for item in (file, document):
        for told in ask(stage, stage.alice, f"files/{item.id}/revisions")["revisions"]:
            held = expected[item.id, told["id"]]
            assert told["modifiedTime"] == held.modified_time
            assert told["lastModifyingUser"]["emailAddress"] == held.author
            assert (told.get("size"), told.get("md5Checksum")) == (held.size and str(held.size), held.md5)
            assert (told.get("keepForever"), told.get("published")) == (held.keep_forever, held.published)
            assert tuple(told.get("exportLinks", ())) == held.export_formats
    assert expected[file.id, first["id"]].keep_forever
    ask(stage, stage.alice, f"files/{file.id}/revisions/{first['id']}", "DELETE")
    assert (file.id, first["id"]) not in visible_revisions(stage.world, stage.alice)
    assert log.news() == {file.id: "changed"}
