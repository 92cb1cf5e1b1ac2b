"""The end of a connection: what its source saying that there is none comes to.

One answer may be passing (a Control Plane that is restored or moved). So of a connection that was synced, it has to be
said twice, some minutes apart. Then its state ends, with what it owes. Its push channels are stopped in a turn that
still has its credentials; without any they can't be, and end by themselves, within a week. Until then their
notifications are dropped, since no connection has them.
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from google_drive_worker.domain.times import from_rfc3339, rfc3339
from google_drive_worker.sync.checkpoint import Checkpoint, Parked
from google_drive_worker.sync.error_reports import report_of
from google_drive_worker.sync.step import Step
from google_drive_worker.utils.errors import UnknownConnection

SAID_AGAIN_AFTER = timedelta(minutes=5)
"""How long after the first time it has to be said again."""

SAID_AGAIN_WITHIN = timedelta(days=1)
"""When the first time is too long ago to count: the connection may have been known in between."""


def on_unknown(checkpoint: Checkpoint, step: str, error: UnknownConnection, now: datetime) -> Step:
    """Return the step after the source said so: a rest until it is asked again, or the end of the connection's state.

    One that was never synced ends at once: it is a trigger with a wrong id.
    """
    if not checkpoint.corpora:
        return Step(None, errors=(report_of(checkpoint, error),))
    first = now if checkpoint.unknown_since is None else from_rfc3339(checkpoint.unknown_since)
    if SAID_AGAIN_AFTER <= now - first <= SAID_AGAIN_WITHIN:
        return Step(None)
    is_new = checkpoint.unknown_since is None or not timedelta(0) <= now - first <= SAID_AGAIN_WITHIN
    first = now if is_new else first
    checkpoint = replace(checkpoint, unknown_since=rfc3339(first))
    if checkpoint.owed is not None or checkpoint.sync is not None:
        until = rfc3339(first + SAID_AGAIN_AFTER)
        checkpoint = replace(checkpoint, parked=Parked(error.code, step, until=until, reported=(error.code,)))
    message = f"{error.message}; it is asked again in some minutes, and its state ends should that be said once more"
    return Step(checkpoint, errors=(report_of(checkpoint, error, message=message),) if is_new else ())


def known_again(checkpoint: Checkpoint) -> Checkpoint:
    """Return the checkpoint of a connection that its source knows."""
    return checkpoint if checkpoint.unknown_since is None else replace(checkpoint, unknown_since=None)
