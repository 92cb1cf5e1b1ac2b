"""What the worker needs may come after the worker: it says what is missing, and begins when it is there."""

import json
from pathlib import Path
from typing import Any

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from support.kafka_broker import KafkaBroker
from support.mirroring import FIRST, Stage, staged
from support.topics import Topics, create_topics, delete_topics
from support.worker_process import WorkerProcess

pytestmark = pytest.mark.kafka


def _said(worker: WorkerProcess, condition: str) -> list[str]:
    return [line["message"] for line in worker.lines("not_ready", condition=condition)]


def _wait_not_ready(worker: WorkerProcess, condition: str) -> dict[str, Any]:
    """Wait until the worker has said so once, and return what /health/ready says."""
    worker.wait_for("not_ready", condition=condition)
    status, answer = worker.health()
    assert (status, answer["status"]) == (503, "not_ready")
    assert worker.health("/health/live") == (200, {"status": "alive"})
    return dict(answer["reasons"])


def _assert_mended(stage: Stage, worker: WorkerProcess) -> None:
    worker.wait_ready()
    stage.sync(FIRST, "full_sync")
    stage.assert_equal()
    assert "Traceback" not in worker.text()
    assert worker.terminate() == 0


def test_no_connections_file(topics: Topics, tmp_path: Path) -> None:
    """One line names the variable and the path; the worker begins once the file is there."""
    with staged(generate(CorpusPlan(files=50)), topics, tmp_path) as stage, stage.worker(start=False) as worker:
        stage.connections_file.unlink()
        worker.start()
        reason = _wait_not_ready(worker, "connections")["connections"]
        assert str(stage.connections_file) in reason
        assert "CONNECTIONS_FILE" in reason
        assert _said(worker, "connections") == [reason]
        stage.simulator.write_connections(stage.connections_file)
        _assert_mended(stage, worker)


def test_no_topics(kafka_bootstrap: str, topics: Topics, tmp_path: Path) -> None:
    """A line for each names the topic, its variable and who makes it; the worker begins once they are there."""
    late = Topics(kafka_bootstrap, f"{topics.prefix}-late", topics.partitions)
    world = generate(CorpusPlan(files=50))
    with staged(world, topics, tmp_path) as stage, stage.worker(late.environment, start=False) as worker:
        worker.start()
        _wait_not_ready(worker, "kafka")
        said = _said(worker, "kafka")
        assert len(said) == 5
        for variable, name in (("TRIGGER", late.trigger), ("DATA", late.data), ("ERRORS", late.errors)):
            assert f"the topic {name} (KAFKA_TOPIC_{variable}) is missing; the platform creates it" in said
        assert any(late.state in line and "google-drive-worker topics" in line for line in said)
        create_topics(kafka_bootstrap, prefix=late.prefix)
        try:
            worker.wait_ready()
            worker.wait_for("partition_opened")
            assert "Traceback" not in worker.text()
            assert worker.terminate() == 0
        finally:
            delete_topics(late)


def test_no_broker(private_broker: KafkaBroker, tmp_path: Path) -> None:
    """One line names the address and its variable; the worker begins once a broker answers there."""
    topics = create_topics(private_broker.bootstrap_servers)
    with staged(generate(CorpusPlan(files=50)), topics, tmp_path) as stage, stage.worker(start=False) as worker:
        private_broker.stop()
        worker.start()
        reason = _wait_not_ready(worker, "kafka")["kafka"]
        assert f"no Kafka broker answers at {private_broker.bootstrap_servers} (KAFKA_BOOTSTRAP_SERVERS)" in reason
        assert len(_said(worker, "kafka")) == 1
        private_broker.start()
        _assert_mended(stage, worker)


def test_a_stop_while_something_is_missing(topics: Topics, tmp_path: Path) -> None:
    """SIGTERM ends a worker that waits, at once and with 0."""
    with staged(generate(CorpusPlan(files=50)), topics, tmp_path) as stage, stage.worker(start=False) as worker:
        stage.connections_file.unlink()
        worker.start()
        _wait_not_ready(worker, "connections")
        assert worker.terminate() == 0


def test_every_log_line_is_json(topics: Topics, tmp_path: Path) -> None:
    """From the start to the stop each line is an object with a time, a level and an event, secrets in none."""
    with staged(generate(CorpusPlan(files=50)), topics, tmp_path) as stage, stage.worker() as worker:
        stage.sync(FIRST, "full_sync")
        assert worker.terminate() == 0
        for line in worker.text().splitlines():
            assert {"timestamp", "level", "event"} <= json.loads(line).keys()
        assert "refresh_token" not in worker.text()
        assert (stage.simulator.accounts[FIRST].refresh_token or "?") not in worker.text()
