"""What an answer brings along is found out with as few questions as may be."""

from collections.abc import Generator

from google_drive_worker.domain.ids import FileId
from google_drive_worker.domain.sharing import ItemSharing
from google_drive_worker.fetching import SharingsRead, found_by
from google_drive_worker.sync.sharing import Question, ReadSharings, Reply
from support.memory_drive import MemoryDrive


def reading(*names: str) -> Generator[Question, Reply, list[str]]:
    """Reads those folders, and tells what they are called."""
    answers = yield ReadSharings(tuple(map(FileId, names)))
    return [answer.name for answer in answers.values() if isinstance(answer, ItemSharing)]


async def test_a_folder_is_read_once_for_all_that_is_found_of_an_answer() -> None:
    """Where its items are and who may see them rests on the same folders; the second asks for the rest alone."""
    drive = MemoryDrive()
    for name in "abc":
        drive.files[name] = {"id": name, "name": name.upper(), "mimeType": "application/vnd.google-apps.folder"}
    read: SharingsRead = {}
    assert await found_by(drive, reading("a", "b"), read) == ["A", "B"]
    assert await found_by(drive, reading("b", "a", "c"), read) == ["B", "A", "C"]
    assert await found_by(drive, reading("b", "c"), read) == ["B", "C"]
    assert [call for call in drive.calls if call.startswith("sharings")] == ["sharings a b", "sharings c"]
