"""What the people of the demonstration do to their Drives between two syncs; the same for the same seed.

Each round returns what was done, by kind. Which items are touched is drawn from what the API lists, so a round works on
any Drive; only what the person is allowed to do is tried. The truth is asked for afterwards, never predicted.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from google_drive_worker.demo.drive_user import DriveUser, EditableFile

Done = Counter[str]
Draw = random.Random

SAMPLE = 400
"""How many items of a corpus a round chooses from."""


async def edit_my_drive(user: DriveUser, colleague: DriveUser | None, draw: Draw, *, edits: int = 8) -> Done:
    """Create, upload, overwrite, rename, move, share, view, trash and delete in the user's own My Drive.

    `edits` of each kind where the Drive has as many files. The colleague, if any, shares something with the user too.
    """
    owned = [file for file in await user.list_files(None, limit=SAMPLE) if file.owned_by_me]
    done: Done = Counter()
    folder = await user.create_folder("Projet été 📁")
    done["create"] += 1
    inner = await user.create_folder("Entwürfe", folder.id)
    await user.create_document("Ünïcode — notes", inner.id)
    done["create"] += 2
    for number in range(edits):
        await user.upload(f"note {number}.txt", f"note {number}\n".encode() * (number + 1), folder.id)
    done["upload"] += edits
    hands = _deal([file for file in owned if not file.is_folder], draw)
    await _each(hands(edits, "canRename"), done, "rename", lambda file: user.rename(file.id, f"{file.name} (renamed)"))
    await _each(hands(edits, "canMoveItemWithinDrive"), done, "move", lambda file: user.move(file, inner.id))
    await _each(hands(edits, "canTrash"), done, "trash", lambda file: user.trash(file.id))
    await _each(hands(edits, "canDelete"), done, "delete", lambda file: user.delete(file.id))
    blobs = [file for file in hands(4 * edits, "canModifyContent") if file.is_blob][:edits]
    await _each(blobs, done, "overwrite", lambda file: user.overwrite(file.id, b"new content\n"))
    folders = [file for file in owned if file.is_folder]
    if folders:
        moved = draw.choice(folders)
        await user.rename(moved.id, f"{moved.name} (moved)")
        done["rename"] += 1
        await user.view(folders[-1].id)
        done["view"] += 1
    if colleague is not None:
        their_email = await colleague.email()
        await _each(hands(edits, "canShare"), done, "share", lambda file: user.share(file.id, their_email, "writer"))
        gift = await colleague.upload("for you.txt", b"have a look\n")
        await colleague.share(gift.id, await user.email())
        done["shared with me"] += 1
    await _each(hands(edits, "canDownload"), done, "view", lambda file: user.view(file.id))
    return done


async def edit_shared_drives(user: DriveUser, draw: Draw, *, edits: int = 5) -> Done:
    """Upload, rename, move, view, trash and delete in the shared drives, move items into one and between two, rename
    one."""
    done: Done = Counter()
    drives = [drive for drive in await user.list_drives() if (drive.capabilities or {}).get("canAddChildren")]
    for drive in drives:
        files = [file for file in await user.list_files(drive.id, limit=SAMPLE) if not file.is_folder]
        folder = await user.create_folder("Archiv", drive.id)
        await user.upload("minutes.txt", b"present: everybody\n", folder.id)
        done["create"] += 1
        done["upload"] += 1
        hands = _deal(files, draw)
        await _each(hands(edits, "canRename"), done, "rename", lambda file: user.rename(file.id, f"{file.name} v2"))
        await _each(hands(edits, "canMoveItemWithinDrive"), done, "move", _mover(user, folder.id))
        await _each(hands(edits, "canTrash"), done, "trash", lambda file: user.trash(file.id))
        await _each(hands(edits, "canDownload"), done, "view", lambda file: user.view(file.id))
        await _each(hands(edits, "canDelete"), done, "delete", lambda file: user.delete(file.id))
        if drive is not drives[0]:
            leaving = hands(edits, "canMoveItemOutOfDrive")
            await _each(leaving, done, "move between drives", _mover(user, drives[0].id))
    if drives:
        mine = [file for file in await user.list_files(None, limit=SAMPLE) if file.owned_by_me and not file.is_folder]
        leaving = _deal(mine, draw)(edits, "canMoveItemOutOfDrive")
        await _each(leaving, done, "move to a shared drive", _mover(user, drives[0].id))
    renamable = [drive for drive in drives if (drive.capabilities or {}).get("canRenameDrive")]
    if renamable:
        await user.rename_drive(renamable[-1].id, f"{renamable[-1].name} (renamed)")
        done["rename drive"] += 1
    return done


def _mover(user: DriveUser, to: str) -> Callable[[EditableFile], Awaitable[None]]:
    return lambda file: user.move(file, to)


def _deal(files: Sequence[EditableFile], draw: Draw) -> Callable[[int, str], list[EditableFile]]:
    """Shuffle, and hand out those with a capability without giving the same file twice."""
    pile = list(files)
    draw.shuffle(pile)

    def hand(count: int, capability: str) -> list[EditableFile]:
        taken = [file for file in pile if file.capabilities.get(capability)][:count]
        ids = {file.id for file in taken}
        pile[:] = [file for file in pile if file.id not in ids]
        return taken

    return hand


async def _each(
    files: Sequence[EditableFile], done: Done, kind: str, edit: Callable[[EditableFile], Awaitable[None]]
) -> None:
    for file in files:
        await edit(file)
        done[kind] += 1
