"""What the worker tells of itself: each thing that happens, as a log line and a metric."""

from datetime import datetime

import structlog

from google_drive_worker.client.calls import CallReport
from google_drive_worker.client.load import BreakerState
from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.message import Incoming
from google_drive_worker.domain.reports import Report, SyncEnded
from google_drive_worker.domain.times import due_moment, from_rfc3339
from google_drive_worker.observability.health import Readiness
from google_drive_worker.observability.metrics import Metrics
from google_drive_worker.partition import Committed
from google_drive_worker.sync.checkpoint import Checkpoint
from google_drive_worker.utils.errors import WorkerError, category_of

log: structlog.stdlib.BoundLogger = structlog.get_logger("google_drive_worker")


class Telemetry:
    """Observes the client, turns and ownership. Logs a message, a sync, a failure; never a record."""

    def __init__(self, metrics: Metrics, readiness: Readiness) -> None:
        self._metrics = metrics
        self._readiness = readiness
        self._last_trouble = ""
        self._push_problem: str | None = None

    def on_call(self, call: CallReport) -> None:
        """A call to Google ended."""
        method = call.method.removeprefix("drive.")
        self._metrics.api_call(method, call.error or "ok", call.duration_s)
        if call.attempts > 1:
            self._metrics.api_retried(method, call.attempts - 1)
        log.debug(
            "api_call",
            method=call.method,
            connection_id=call.connection_id,
            status=call.status,
            attempts=call.attempts,
            duration_s=round(call.duration_s, 4),
            error=call.error,
        )

    def on_breaker(
        self, connection_id: ConnectionId, before: BreakerState, after: BreakerState, failure: WorkerError | None
    ) -> None:
        """A connection's breaker changed its state."""
        self._metrics.breaker_changed(before.value, after.value)
        write = log.warning if after is BreakerState.OPEN else log.info
        write(
            "breaker_changed",
            connection_id=connection_id,
            state=after.value,
            before=before.value,
            code=failure.code if failure else None,
            reason=failure.reason if failure else None,
            http_status=failure.http_status if failure else None,
        )

    def on_budget_spent(self, connection_id: ConnectionId, whose: str, failure: WorkerError) -> None:
        """A call is given up, as there were too many to be made again."""
        self._metrics.retry_refused(whose)
        log.warning("retry_budget_spent", connection_id=connection_id, whose=whose, code=failure.code)

    def on_batch(self, calls: int) -> None:
        """A batch was sent."""
        self._metrics.batch_sent(calls)

    def on_quota(self, units: float, waited_s: float) -> None:
        """A call took its share of the quota."""
        self._metrics.quota_taken(units, waited_s)

    def on_trouble(self, connection_id: ConnectionId, step: str, error: WorkerError) -> None:
        """A step of a sync failed."""
        category = category_of(error)
        write = log.warning if category in {"retriable", "skipped_item"} else log.error
        write(
            "step_failed",
            connection_id=connection_id,
            step=step,
            classification=category,
            code=error.code,
            reason=error.reason,
            http_status=error.http_status,
            attempts=error.attempts,
            message=error.message,
        )

    def on_sync_started(self, checkpoint: Checkpoint) -> None:
        """A sync has begun."""
        if checkpoint.sync is not None:
            log.info("sync_started", **_sync_fields(checkpoint))

    def on_report_failed(self, report: Report, error: WorkerError) -> None:
        """The connection's owner could not be told something."""
        log.warning(
            "report_failed",
            connection_id=report.connection_id,
            report=type(report).__name__,
            classification=category_of(error),
            code=error.code,
            http_status=error.http_status,
            message=error.message,
        )

    def _on_sync_ended(self, sync: SyncEnded) -> None:
        took = from_rfc3339(sync.completed_at) - from_rfc3339(sync.started_at)
        duration_s = max(0.0, took.total_seconds())  # the clock may have been set back meanwhile
        status = "incomplete" if sync.gaps else "completed"
        self._metrics.sync_ended(sync.kind, status, duration_s)
        records = sum(sync.counts.values())
        write = log.warning if sync.gaps else log.info
        write(
            f"sync_{status}",
            gaps=sync.gaps or None,
            connection_id=sync.connection_id,
            customer_id=sync.customer_id,
            sync_id=sync.sync_id,
            kind=sync.kind,
            trigger_message_id=sync.trigger_message_id,
            counts=sync.counts,
            duration_s=round(duration_s, 3),
            records_per_second=round(records / duration_s, 1) if duration_s > 0 else None,
        )

    def on_message(self, message: Incoming, outcome: str) -> None:
        """A message was decided on."""
        self._metrics.message_processed(message.topic)
        if outcome == "rejected":
            self._metrics.message_failed(message.topic)
        write = log.debug if outcome in {"skipped", "dropped"} else log.warning if outcome == "rejected" else log.info
        write(
            f"message_{outcome}",
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            connection_id=None if message.key is None else message.key.decode("utf-8", "replace")[:256],
        )

    def on_notification(self, outcome: str) -> None:
        """A push notification came to something."""
        self._metrics.notification(outcome)

    def on_commit(self, partition: int, committed: Committed) -> None:
        """A transaction went through: only now do its records count."""
        self._metrics.commit("committed", committed.duration_s)
        records = 0
        for entry in committed.entries:
            for tally in entry.tallies:
                if tally.kind == "error":
                    self._metrics.errors_produced(tally.operation, tally.number)
                else:
                    self._metrics.records_produced(tally.kind, tally.operation, tally.number)
                records += tally.number
            for report in entry.reports:
                if isinstance(report, SyncEnded):
                    self._on_sync_ended(report)
        log.debug(
            "transaction_committed", partition=partition, records=records, duration_s=round(committed.duration_s, 4)
        )

    def on_opened(self, partition: int, connections: int, damaged: dict[ConnectionId, str]) -> None:
        """A partition is ready."""
        log.info("partition_opened", partition=partition, connections=connections)
        for connection_id, problem in damaged.items():
            log.error("state_damaged", partition=partition, connection_id=connection_id, problem=problem)

    def on_closed(self, partition: int, problem: WorkerError | None) -> None:
        """A partition was let go of."""
        if problem is None:
            log.info("partition_released", partition=partition)
        else:
            self._metrics.commit("unknown", 0.0)
            log.warning("partition_reopening", partition=partition, code=problem.code, message=problem.message)

    def on_broker_trouble(self, problem: str) -> None:
        """The broker said something; the same thing over and over is logged once."""
        if problem != self._last_trouble:
            self._last_trouble = problem
            log.warning("kafka_trouble", message=problem)

    def ready(self, condition: str, problems: list[str]) -> None:
        """Whether a condition of readiness holds, which it does without problems; a change is logged."""
        detail = "; ".join(problems)
        before = self._readiness.problems().get(condition)
        self._readiness.set(condition, not problems, detail)
        if problems and before != detail:
            write = log.info if condition == "partitions" else log.error  # they open one after the other: no trouble
            for problem in problems:
                write("not_ready", condition=condition, message=problem)

    def object_store(self, problem: str | None) -> None:
        """Whether the object store can be used, which it can without a problem."""
        self._metrics.object_store(usable=problem is None)
        if problem is not None:
            log.warning("object_store_unusable", message=problem)

    def clock_offset(self, seconds: float | None) -> None:
        """How far our clock is ahead of Google's; `None` before it was measured."""
        self._metrics.clock_offset(seconds)

    def push(self, problem: str | None) -> None:
        """Whether notifications can come, which they can without a problem; a change is logged."""
        if problem is not None and problem != self._push_problem:
            log.warning("push_off", message=problem)
        self._push_problem = problem
        self._metrics.push(on=problem is None)

    def gauges(self, partitions: int, states: dict[str, int]) -> None:
        """How many partitions and connections there are."""
        self._metrics.partitions_owned(partitions)
        self._metrics.connections(states)

    def turns(self, running: int, waiting: int, longest_wait_s: float) -> None:
        """How many turns are under way, how many connections wait for one, and how long the first of them has."""
        self._metrics.turns(running, waiting, longest_wait_s)


def state_of(checkpoint: Checkpoint, now: datetime) -> str:
    """The state that a connection is counted under."""
    parked = checkpoint.parked
    if parked is not None and parked.until != "" and (parked.until is None or parked.refused is not None):
        return "blocked"
    if checkpoint.parked is not None and checkpoint.parked.until and due_moment(checkpoint.parked.until, now) > now:
        return "parked"
    if checkpoint.sync is not None:
        return "syncing"
    return "waiting" if checkpoint.owed is not None else "idle"


def _sync_fields(checkpoint: Checkpoint) -> dict[str, str | None]:
    sync = checkpoint.sync
    if sync is None:
        return {}
    return {
        "connection_id": checkpoint.connection_id,
        "customer_id": checkpoint.customer_id,
        "sync_id": sync.sync_id,
        "kind": sync.kind,
        "trigger_message_id": sync.source.message_id if sync.source else None,
    }
