"""Where a client that we did not write meets the simulator: a generated corpus behind Google's own addresses."""

from dataclasses import dataclass

from drive_simulator.model.items import SharedDrive, User
from drive_simulator.model.world import World
from support.google_client import Site
from support.google_front import GoogleFront


@dataclass
class Abroad:
    """A simulator with a generated corpus, and Google's addresses in front of it."""

    site: Site
    front: GoogleFront

    @property
    def world(self) -> World:
        """The world, to be read while no client runs."""
        return self.site.simulator.world

    @property
    def user(self) -> User:
        """The account that the client is run by: it has the largest My Drive."""
        return self.world.user(self.site.alice)

    @property
    def drive(self) -> SharedDrive:
        """A shared drive that the account is an organizer of."""
        return next(iter(self.world.drives.values()))
