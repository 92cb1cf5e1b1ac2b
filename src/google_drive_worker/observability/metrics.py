"""What the worker counts and times, for Prometheus. Labels are few and bounded: no id of anything is one.

The specification's four counters keep their names; Prometheus' convention adds `_total` to each. The worker's own have
the prefix `google_drive_`.
"""

import math
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

_CALL_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_BATCH_BUCKETS = (1, 2, 5, 10, 25, 50, 75, 99, 100)
_BREAKER_STATES_SHOWN = ("open", "half_open")
_COMMIT_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
_SYNC_BUCKETS_S = (0.1, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400)


class Metrics:
    """The worker's metrics in a registry of their own, so that several can live in one process."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the page and say nothing that anybody asks
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._processed = Counter("messages_processed", "Messages read and done.", ["topic"], registry=registry)
        self._failed = Counter("messages_failed", "Messages that could not be read.", ["topic"], registry=registry)
        self._records = Counter(
            "records_produced", "Records sent to ingestion.data.", ["type", "operation"], registry=registry
        )
        self._errors = Counter("errors_produced", "Errors sent to integration.errors.", ["category"], registry=registry)
        self._calls = Counter(
            "google_drive_api_calls", "Requests to Google, retries included.", ["method", "outcome"], registry=registry
        )
        self._call_seconds = Histogram(
            "google_drive_api_call_seconds",
            "Duration of a request to Google.",
            ["method"],
            buckets=_CALL_BUCKETS_S,
            registry=registry,
        )
        self._retries = Counter(
            "google_drive_api_retries", "Calls to Google that were made again.", ["method"], registry=registry
        )
        self._retries_refused = Counter(
            "google_drive_retries_refused",
            "Calls given up because a retry budget was used up.",
            ["budget"],
            registry=registry,
        )
        self._breakers = Gauge(
            "google_drive_breakers",
            "Connections whose calls are not made for now, by state.",
            ["state"],
            registry=registry,
        )
        self._breaker_changes = Counter(
            "google_drive_breaker_changes",
            "Changes of a connection's breaker, by its new state.",
            ["state"],
            registry=registry,
        )
        self._batch_calls = Histogram(
            "google_drive_batch_calls", "Calls in a batch.", buckets=_BATCH_BUCKETS, registry=registry
        )
        self._quota_units = Counter("google_drive_quota_units", "Quota taken, in the model's units.", registry=registry)
        self._quota_wait = Counter(
            "google_drive_quota_wait_seconds", "Time that calls waited for quota, added up.", registry=registry
        )
        for state in _BREAKER_STATES_SHOWN:
            self._breakers.labels(state).set(0)
        self._commits = Counter("google_drive_commits", "Kafka transactions ended.", ["outcome"], registry=registry)
        self._commit_seconds = Histogram(
            "google_drive_commit_seconds",
            "Duration of a Kafka transaction's commit.",
            buckets=_COMMIT_BUCKETS_S,
            registry=registry,
        )
        self._connections = Gauge(
            "google_drive_connections", "Connections of the partitions owned, by state.", ["state"], registry=registry
        )
        self._partitions = Gauge("google_drive_partitions_owned", "Partitions that are ours.", registry=registry)
        self._object_store = Gauge(
            "google_drive_object_store_usable",
            "1 where the object store took what was last tried, 0 where not.",
            registry=registry,
        )
        self._clock_offset = Gauge(
            "google_drive_clock_offset_seconds",
            "By how much this host's clock is ahead of Google's; negative where it is behind, NaN before any answer.",
            registry=registry,
        )
        self._clock_offset.set(math.nan)
        self._notifications = Counter(
            "google_drive_notifications", "Push notifications, by what they came to.", ["outcome"], registry=registry
        )
        self._push = Gauge(
            "google_drive_push_on",
            "1 where notifications can come, 0 where polls alone bring changes.",
            registry=registry,
        )
        self._turns = Gauge(
            "google_drive_turns",
            "Connections that are being synced now, or finishing a turn that is over.",
            registry=registry,
        )
        self._waiting = Gauge(
            "google_drive_turns_waiting", "Connections that could be synced and wait for a place.", registry=registry
        )
        self._longest_wait = Gauge(
            "google_drive_turns_longest_wait_seconds", "How long the first of them has waited.", registry=registry
        )
        self._sync_seconds = Histogram(
            "google_drive_sync_seconds",
            "Duration of a sync, from its acceptance to its last commit.",
            ["kind", "outcome"],
            buckets=_SYNC_BUCKETS_S,
            registry=registry,
        )
        self._record_children: dict[tuple[str, str], Counter] = {}
        self._call_children: dict[tuple[str, str], tuple[Counter, Histogram]] = {}

    def message_processed(self, topic: str, count: int = 1) -> None:
        """Count messages that are done, whatever became of them."""
        self._processed.labels(topic).inc(count)

    def message_failed(self, topic: str, count: int = 1) -> None:
        """Count messages that could not be read or served."""
        self._failed.labels(topic).inc(count)

    def records_produced(self, resource_type: str, operation: str, count: int = 1) -> None:
        """Count records whose transaction is committed."""
        key = (resource_type, operation)
        child = self._record_children.get(key)
        if child is None:  # looking a child up costs three times what counting does
            child = self._record_children[key] = self._records.labels(*key)
        child.inc(count)

    def errors_produced(self, category: str, count: int = 1) -> None:
        """Count error records whose transaction is committed."""
        self._errors.labels(category).inc(count)

    def api_call(self, method: str, outcome: str, duration_s: float) -> None:
        """Count and time one request to Google.

        `method` is the Drive method, such as `files.list`; `outcome` is `ok`, or Google's reason or error class, of
        which there are few: never a text.
        """
        key = (method, outcome)
        children = self._call_children.get(key)
        if children is None:
            children = self._call_children[key] = (self._calls.labels(*key), self._call_seconds.labels(method))
        children[0].inc()
        children[1].observe(duration_s)

    def api_retried(self, method: str, count: int) -> None:
        """Count how often a call was made again."""
        self._retries.labels(method).inc(count)

    def retry_refused(self, budget: str) -> None:
        """Count a call that was given up for want of a budget, the `connection`'s or the `worker`'s."""
        self._retries_refused.labels(budget).inc()

    def breaker_changed(self, before: str, after: str) -> None:
        """Move one connection's breaker from a state to another; those that are `closed` are not counted."""
        if before in _BREAKER_STATES_SHOWN:
            self._breakers.labels(before).dec()
        if after in _BREAKER_STATES_SHOWN:
            self._breakers.labels(after).inc()
        self._breaker_changes.labels(after).inc()

    def batch_sent(self, calls: int) -> None:
        """Count a batch of so many calls."""
        self._batch_calls.observe(calls)

    def quota_taken(self, units: float, waited_s: float) -> None:
        """Count quota that a call took, and the seconds that it waited for it."""
        self._quota_units.inc(units)
        if waited_s > 0:
            self._quota_wait.inc(waited_s)

    def commit(self, outcome: str, duration_s: float) -> None:
        """Count and time the end of one Kafka transaction; `outcome` is `committed`, `aborted` or `unknown`."""
        self._commits.labels(outcome).inc()
        self._commit_seconds.observe(duration_s)

    def connections(self, counts: Mapping[str, int]) -> None:
        """Set how many connections are in each state; a state that is not named has none."""
        self._connections.clear()
        for state, count in counts.items():
            self._connections.labels(state).set(count)

    def partitions_owned(self, count: int) -> None:
        """Set how many partitions this worker owns."""
        self._partitions.set(count)

    def object_store(self, *, usable: bool) -> None:
        """Set whether the object store can be used."""
        self._object_store.set(usable)

    def clock_offset(self, seconds: float | None) -> None:
        """Set how far our clock is ahead of Google's, in seconds."""
        self._clock_offset.set(math.nan if seconds is None else seconds)

    def notification(self, outcome: str) -> None:
        """Count a notification; `outcome` is `accepted`, `confirmed`, `passed_on`, or why it was dropped."""
        self._notifications.labels(outcome).inc()

    def push(self, *, on: bool) -> None:
        """Set whether notifications can come."""
        self._push.set(on)

    def turns(self, running: int, waiting: int, longest_wait_s: float) -> None:
        """Set how many turns are under way, how many wait for one, and how long the first of these has waited."""
        self._turns.set(running)
        self._waiting.set(waiting)
        self._longest_wait.set(longest_wait_s)

    def sync_ended(self, kind: str, outcome: str, duration_s: float) -> None:
        """Time one sync: `kind` is `full` or `incremental`, `outcome` is `completed` or `incomplete`."""
        self._sync_seconds.labels(kind, outcome).observe(duration_s)

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """Write all metrics in the form that the scraper accepts (an HTTP Accept header); return it with its type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type
