"""Items that tell of a shared drive's members where the account may not see these.

A commenter of a drive sees nobody's membership. Where somebody shared some of its items with them as a writer, they see
who may do what with these all the same, the drive's members among them. What is written of such an item rests on the
members, and no log tells of theirs. So for each set of permissions that was written of such a drive one item is
remembered, its witness, and its permissions are read again whenever the members would be: where they differ from what
was written, everything that was written of the drive may be out of date, and the drive is listed again.

`permissionIds`, which everybody sees who sees the item, would tell of one who left, but of no role that has changed.
"""

from collections.abc import Container, Iterable, Mapping

from msgspec.structs import replace

from google_drive_worker.domain.drive import UnreadableItem
from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.sharing import UNSEEN, Permission, PermissionSet
from google_drive_worker.sync.checkpoint import Corpus, Witness
from google_drive_worker.sync.items import ItemsAnswer
from google_drive_worker.sync.page_sharing import sharings_in
from google_drive_worker.sync.sharing import Found, digest_of, seen
from google_drive_worker.sync.step import Step, with_corpus
from google_drive_worker.utils.errors import NotFound, SkipItem

WITNESSES_AT_MOST = 200
"""How many sets of permissions are watched, all drives together: each costs a look-up a sync, and 80 bytes a step."""

_UNSEEN_MEMBERS = digest_of(UNSEEN)

_Answers = Mapping[FileId, tuple[Permission | UnreadableItem, ...] | SkipItem]


def hides_members(corpus: Corpus) -> bool:
    """Whether the account may not see the drive's members, as far as they were read."""
    return corpus.members == _UNSEEN_MEMBERS


def read_members(drives: Iterable[FileId], witnesses: Iterable[FileId], answers: _Answers) -> Found:
    """Return the members of the drives and the permissions of the witnesses, by what permissions.list answered.

    A witness that is not found stays so: it may be deleted, which says nothing of the members.
    """
    found: dict[FileId, PermissionSet | SkipItem] = {drive: seen(answers.get(drive)) for drive in drives}
    for file_id in witnesses:
        answer = answers.get(file_id)
        found[file_id] = answer if isinstance(answer, NotFound) else seen(answer)
    return found


def is_contradicted(corpus: Corpus, found: Found) -> bool:
    """Whether a witness has other permissions than were written. One that can't be had now says nothing."""
    for digest, witness in corpus.witnesses.items():
        answer = found.get(witness.file_id)
        if isinstance(answer, NotFound) and not witness.alone:
            return True
        if isinstance(answer, PermissionSet) and digest_of(answer) != digest:
            return True
    return False


def with_witnesses(step: Step, answer: ItemsAnswer, permissions: Found, there: Container[FileId]) -> Step:
    """Return the step with witnesses, out of an answer with those permissions: items of it that are `there`."""
    checkpoint, entries = step.checkpoint, step.changes.entries
    corpora = {} if checkpoint is None else checkpoint.corpora
    hiding = {name: dict(each.witnesses) for name, each in corpora.items() if hides_members(each)}
    if checkpoint is None or not hiding:
        return step
    gone = {file_id for file_id, each in entries.items() if each is None or each.is_gone}
    digests: dict[int, str] = {}
    for item in sharings_in(answer):
        found = permissions.get(item.id)
        witnesses = hiding.get(item.drive_id or "")
        is_there = item.id in there and item.id not in gone
        if witnesses is None or not isinstance(found, PermissionSet) or not is_there:
            continue
        if not found.is_visible:
            gone.add(item.id)
            continue
        digest = digests.get(id(found)) or digests.setdefault(id(found), digest_of(found))
        _forget(witnesses, item.id, unless=digest)
        if digest in witnesses or sum(map(len, hiding.values())) < WITNESSES_AT_MOST:
            _note(witnesses, item.id, digest)
    for name, witnesses in hiding.items():
        for file_id in gone:
            _forget(witnesses, file_id)
        if witnesses != checkpoint.corpora[name].witnesses:
            checkpoint = with_corpus(checkpoint, name, replace(checkpoint.corpora[name], witnesses=witnesses))
    return replace(step, checkpoint=checkpoint)


def _note(witnesses: dict[str, Witness], file_id: FileId, digest: str) -> None:
    witness = witnesses.get(digest)
    if witness is None:
        witnesses[digest] = Witness(file_id)
    elif witness.file_id != file_id:
        witnesses[digest] = replace(witness, alone=False)


def _forget(witnesses: dict[str, Witness], file_id: FileId, *, unless: str | None = None) -> None:
    """Drop what the item alone had; others that had the same may still be in the mirror so."""
    for digest in [each for each, witness in witnesses.items() if witness == Witness(file_id) and each != unless]:
        del witnesses[digest]
