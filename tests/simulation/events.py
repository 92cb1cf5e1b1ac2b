"""Change events: what is said of the logs that are followed, held against the logs themselves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from drive_simulator.model.change_log import ChangeLog
from drive_simulator.model.clock import rfc3339
from drive_simulator.model.items import User
from drive_simulator.model.world import World
from google_drive_worker.demo.mirror import Difference, Mirror, ReceivedRecord
from google_drive_worker.domain.connection import ConnectionSettings
from google_drive_worker.sync.checkpoint import USER_CORPUS, Checkpoint
from simulation.google import CONNECTION


@dataclass(slots=True)
class Events:
    """Which events were said in which sync, and from which place on each log is followed, as far as it is committed."""

    repeated: list[str] = field(default_factory=list)
    since: dict[str, int] = field(default_factory=dict)
    _starts: Mapping[str, str] = field(default_factory=dict)
    _said: set[tuple[str, str]] = field(default_factory=set)

    def on_record(self, record: ReceivedRecord) -> None:
        """Each event is said once a sync."""
        if record.resource_type == "change":
            said = (record.sync_id, record.resource_id)
            if said in self._said:
                self.repeated.append(f"{record.resource_id} in {record.sync_id}")
            self._said.add(said)

    def on_checkpoint(self, checkpoint: Checkpoint | None) -> None:
        """A log is followed from the first place that a checkpoint names, until it is followed no more.

        A full sync goes on from its own start where Google refuses the place that was read to before it.
        """
        corpora = {} if checkpoint is None else checkpoint.corpora
        followed = {name: int(each.change_token) for name, each in corpora.items() if each.change_token is not None}
        self.since = {name: self.since.get(name, place) for name, place in followed.items()}
        starts = {} if checkpoint is None or checkpoint.sync is None else checkpoint.sync.own_starts
        for name, start in self._starts.items():
            if name not in starts and followed.get(name) == int(start):
                self.since[name] = int(start)
        self._starts = starts


def differences_of_events(
    mirror: Mirror, events: Events, world: World, user: User, settings: ConnectionSettings
) -> Iterator[Difference]:
    """Which entries of the logs have no event, of all that no later entry has replaced."""
    held = {record.resource_id for record in mirror.held(CONNECTION, "change")}
    if not settings.sync_changes:
        yield from (Difference("unexpected", "change", each) for each in held)
        return
    for name, place in events.since.items():
        for resource_id in _expected(_log_of(name, world, user), name, place, settings):
            if resource_id not in held:
                yield Difference("missing", "change", resource_id)


def _expected(log: ChangeLog, name: str, place: int, settings: ConnectionSettings) -> Iterator[str]:
    for _, entry in log.read_from(place):
        # Where shared drives are not mirrored, it depends on the moment whether Google shows what was in one.
        if settings.include_shared_drives or not (entry.is_drive or entry.from_drive):
            kind = "drive" if entry.is_drive else "file"
            yield f"{name}:{kind}:{entry.target_id}:{rfc3339(entry.time_ms)}"


def _log_of(name: str, world: World, user: User) -> ChangeLog:
    return user.log if name == USER_CORPUS else world.drives[name].log
