"""Metrics: the specification's names, and what each call counts."""

from google_drive_worker.observability.metrics import Metrics


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    """The present value of one sample."""
    return metrics.registry.get_sample_value(name, labels)


def test_the_specification_s_four_metrics() -> None:
    """Each counts under its own name, with the suffix that Prometheus gives counters."""
    metrics = Metrics()
    metrics.message_processed("integration.trigger")
    metrics.message_failed("integration.trigger", 2)
    metrics.records_produced("file", "upsert", 100)
    metrics.records_produced("file", "upsert")
    metrics.errors_produced("invalid_message")
    page = metrics.exposition()[0].decode()
    assert 'messages_processed_total{topic="integration.trigger"} 1.0' in page
    assert 'messages_failed_total{topic="integration.trigger"} 2.0' in page
    assert 'records_produced_total{operation="upsert",type="file"} 101.0' in page
    assert 'errors_produced_total{category="invalid_message"} 1.0' in page
    assert "_created" not in page


def test_calls_and_commits_are_counted_and_timed() -> None:
    """Each request and each transaction counts by outcome and falls into its bucket."""
    metrics = Metrics()
    metrics.api_call("files.list", "ok", 0.3)
    metrics.api_call("files.list", "userRateLimitExceeded", 0.01)
    metrics.commit("committed", 0.02)
    metrics.sync_ended("full", "completed", 12.0)
    assert sample(metrics, "google_drive_api_calls_total", method="files.list", outcome="ok") == 1
    assert sample(metrics, "google_drive_api_call_seconds_count", method="files.list") == 2
    assert sample(metrics, "google_drive_api_call_seconds_bucket", method="files.list", le="0.25") == 1
    assert sample(metrics, "google_drive_commits_total", outcome="committed") == 1
    assert sample(metrics, "google_drive_commit_seconds_sum") == 0.02
    assert sample(metrics, "google_drive_sync_seconds_count", kind="full", outcome="completed") == 1


def test_gauges_show_the_present() -> None:
    """A state that no connection is in any more disappears."""
    metrics = Metrics()
    metrics.connections({"syncing": 3, "parked": 1})
    metrics.connections({"syncing": 2})
    metrics.partitions_owned(4)
    metrics.turns(10, 30, 2.5)
    assert sample(metrics, "google_drive_connections", state="syncing") == 2
    assert sample(metrics, "google_drive_connections", state="parked") is None
    assert sample(metrics, "google_drive_partitions_owned") == 4
    assert sample(metrics, "google_drive_turns") == 10
    assert sample(metrics, "google_drive_turns_waiting") == 30
    assert sample(metrics, "google_drive_turns_longest_wait_seconds") == 2.5


def test_two_workers_in_one_process_count_apart() -> None:
    """A registry belongs to its object."""
    one, other = Metrics(), Metrics()
    one.message_processed("t")
    assert sample(other, "messages_processed_total", topic="t") is None
