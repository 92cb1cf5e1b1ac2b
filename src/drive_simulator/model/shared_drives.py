"""Shared drives as they are made, renamed and deleted. Nothing here asks whether one may."""

from drive_simulator.model.item_changes import delete
from drive_simulator.model.items import SharedDrive, User
from drive_simulator.model.world import World


def create_drive(world: World, by: User, name: str) -> SharedDrive:
    """Make a shared drive whose organizer is `by`, and log it for them."""
    drive = world.add_drive(name, by)
    world.note_drive(drive, [by])
    return drive


def rename_drive(world: World, drive: SharedDrive, name: str) -> None:
    """Rename the drive: one change in every member's log."""
    drive.name = name
    drive.root.name = name
    world.note_drive(drive, drive.members)


def delete_drive(world: World, drive: SharedDrive) -> None:
    """Delete the drive and what is in it: a removal for every member."""
    for item in list(drive.root.children or ()):
        delete(world, item)
    members = list(drive.members)
    drive.members.clear()
    world.drives.pop(drive.id, None)
    world.items.pop(drive.id, None)
    world.note_drive(drive, members)
