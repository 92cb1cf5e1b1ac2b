"""The commands as a person runs them: what they print, and how they end."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from drive_simulator.corpus.generator import CorpusPlan, generate
from google_drive_worker import __version__
from google_drive_worker.domain.partitioning import partition_of
from support.commands import command
from support.consume import partitions_of, read_all
from support.mirroring import FIRST, staged
from support.ports import free_ports
from support.topics import Topics
from support.worker_process import clean_environment, worker_process

DEADLINE_S = 60.0


def _drop(topics: Topics, *names: str) -> None:
    client = AdminClient({"bootstrap.servers": topics.bootstrap_servers})
    for gone in client.delete_topics(list(names), operation_timeout=DEADLINE_S).values():
        gone.result(DEADLINE_S)
    while set(names) & client.list_topics(timeout=DEADLINE_S).topics.keys():
        client.poll(0.05)


@pytest.fixture
def stateless(topics: Topics) -> Topics:
    """The platform's four topics, without ours."""
    _drop(topics, topics.state, topics.items)
    return topics


@pytest.mark.kafka
def test_topics_makes_our_topic_and_finds_the_others(stateless: Topics) -> None:
    """They are made, compacted and partitioned as the triggers are; a second run finds them and makes none."""
    first = command("topics", environment=stateless.environment)
    assert (first.returncode, first.stderr) == (0, "")
    assert f"created: {stateless.state}, 3 partitions, compacted" in first.stdout
    assert f"created: {stateless.items}, 3 partitions, compacted" in first.stdout
    assert partitions_of(stateless.bootstrap_servers, stateless.state) == [0, 1, 2]
    assert partitions_of(stateless.bootstrap_servers, stateless.items) == [0, 1, 2]
    second = command("topics", environment=stateless.environment)
    assert (second.returncode, second.stderr) == (0, "")
    assert "created" not in second.stdout
    assert second.stdout.count("found: ") == 6


@pytest.mark.kafka
def test_topics_makes_all_that_is_missing_where_there_is_no_platform(topics: Topics) -> None:
    """With --platform a bare Kafka is made ready, and a second time there is nothing left to do."""
    _drop(topics, topics.trigger, topics.webhook, topics.data, topics.errors, topics.state, topics.items)
    first = command("topics", "--platform", environment=topics.environment)
    assert first.returncode == 0, first.stderr
    assert f"found: {topics.trigger}, 4 partitions" in first.stdout
    assert f"created: {topics.state}, 4 partitions, compacted" in first.stdout
    second = command("topics", "--platform", environment=topics.environment)
    assert second.returncode == 0, second.stderr
    assert "created" not in second.stdout


def test_topics_check_makes_nothing_and_names_what_is_missing(stateless: Topics) -> None:
    """With --check the missing topics are named, a line each, and the command ends with 1."""
    _drop(stateless, stateless.errors)
    found = command("topics", "--check", environment=stateless.environment)
    assert found.returncode == 1
    wrong = found.stderr.splitlines()
    assert len(wrong) == 3
    assert any(f"{stateless.errors} (KAFKA_TOPIC_ERRORS) is missing" in line for line in wrong)
    assert any(f"{stateless.state} (KAFKA_TOPIC_STATE) is missing" in line for line in wrong)
    assert any(f"{stateless.items} (KAFKA_TOPIC_ITEMS) is missing" in line for line in wrong)
    assert all(line.startswith("wrong: ") for line in wrong)


@pytest.mark.kafka
def test_a_topic_that_does_not_fit_is_named(topics: Topics) -> None:
    """A state topic that is not compacted, or has other partitions than the triggers, is wrong."""
    mixed = {**topics.environment, "KAFKA_TOPIC_STATE": topics.webhook, "KAFKA_TOPIC_WEBHOOK": topics.state}
    found = command("topics", environment=mixed)
    assert found.returncode == 1
    assert f"{topics.webhook} has cleanup.policy=delete" in found.stderr


def test_topics_without_a_broker_says_where_it_looked() -> None:
    """One line names the address and the variable; no traceback."""
    nowhere = f"127.0.0.1:{free_ports(1)[0]}"
    found = command("topics", environment={"KAFKA_BOOTSTRAP_SERVERS": nowhere})
    assert found.returncode == 1
    wrong = [line for line in found.stderr.splitlines() if line.startswith("wrong: ")]
    assert f"no Kafka broker answers at {nowhere} (KAFKA_BOOTSTRAP_SERVERS)" in wrong[0]
    assert "Traceback" not in found.stderr


@pytest.mark.kafka
def test_trigger_asks_for_a_sync(topics: Topics, tmp_path: Path) -> None:
    """It writes one trigger with the connection's customer to its partition, and the worker takes it."""
    with staged(generate(CorpusPlan(files=50)), topics, tmp_path) as stage, stage.worker():
        sent = command("trigger", FIRST, "--type", "full_sync", environment=stage.environment)
        assert (sent.returncode, sent.stderr) == (0, "")
        home = partition_of(FIRST, topics.partitions)
        assert f"full_sync of {FIRST} asked for: {topics.trigger}, partition {home}, offset 0" in sent.stdout
        stage.settle(FIRST)
        stage.assert_equal()
        (message,) = read_all(topics.bootstrap_servers, topics.trigger)
        assert (message.partition, message.key) == (home, FIRST.encode())

        stranger = command("trigger", "conn_nobody", environment=stage.environment)
        assert stranger.returncode == 2
        assert stranger.stderr == "error: CONNECTIONS_FILE holds no connection of that id\n"


def test_trigger_needs_to_know_the_customer() -> None:
    """Without --customer-id, a file or certificates, one line says what to set."""
    found = command("trigger", FIRST)
    assert (found.returncode, found.stdout) == (2, "")
    (line,) = found.stderr.splitlines()
    assert line.startswith("error: CONTROL_PLANE_MTLS_CERT_PATH: there is no file /etc/certs/client.crt; ")
    assert line.endswith("or set CONNECTIONS_FILE instead")


def test_version_and_help() -> None:
    """The version is printed alone; the help names every command and where to begin."""
    assert command("version").stdout == f"{__version__}\n"
    shown = command("--help")
    assert shown.returncode == 0
    for name in ("check", "demo", "run", "topics", "trigger", "version"):
        assert f"\n  {name} " in shown.stdout
        assert command(name, "--help").returncode == 0
    assert "google-drive-worker demo" in shown.stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GDRIVE_PAGE_SIZE", "5000"),
        ("GDRIVE_API_BASE_URL", "http://example.com/drive/v3"),
        ("HEALTH_PORT", "many"),
        ("KAFKA_TOPIC_DATA", "no spaces"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line(name: str, value: str) -> None:
    """The line names the variable and its value and says what to set; the exit status is 2."""
    settings = {name: value, "CONNECTIONS_FILE": "connections.toml"}
    found = command("run", environment=settings)
    assert (found.returncode, found.stdout) == (2, "")
    (line,) = found.stderr.splitlines()
    last = json.loads(line)
    assert (last["level"], last["event"], last["code"]) == ("critical", "worker_failed", "misconfigured")
    assert (last["classification"], last["exit_status"]) == ("terminal", 2)
    assert last["message"].startswith(f"{name}={value} ")
    assert "set " in last["message"]
    shown = command("run", environment={**settings, "LOG_FORMAT": "Console"})
    assert (shown.returncode, shown.stdout, shown.stderr) == (2, "", f"error: {last['message']}\n")


ENDS = """
import sys, threading
from confluent_kafka import KafkaError, KafkaException
from google_drive_worker.cli import end_in_a_log_line
from google_drive_worker.utils.errors import Fenced, Terminal

class Panic(BaseException):
    pass

class Odd:
    def __del__(self):
        raise ValueError("CANARY of an object")

def in_a_thread():
    raise ValueError("CANARY of a thread")

with end_in_a_log_line():
    thread = threading.Thread(target=in_a_thread, name="one of ours")
    thread.start()
    thread.join()
    Odd()
    raise {problem}
"""
"""A worker's end by any exception, after troubles that Python writes to standard error as text."""


@pytest.mark.parametrize(
    ("problem", "code", "status", "said"),
    [
        ("Terminal('a person has to look')", "terminal", 2, "a person has to look"),
        ("BaseExceptionGroup('', [Fenced('another owner')])", "fenced", 1, "the worker ended: another owner"),
        ("ExceptionGroup('', [ValueError('CANARY')])", "internal_error", 1, "the worker ended: ValueError"),
        ("ValueError('CANARY')", "internal_error", 1, "the worker ended: ValueError at <module>"),
        ("Panic('CANARY')", "internal_error", 1, "the worker ended: Panic at <module>"),
        ("KeyboardInterrupt", "interrupted", 130, "interrupted before the worker ran"),
        ("KafkaException(KafkaError(-185))", "kafka_refused", 1, "Kafka refuses: "),
    ],
)
def test_whatever_a_worker_ends_of_its_last_line_is_json(problem: str, code: str, status: int, said: str) -> None:
    """So is every line before; no traceback, and no exception's own text, which may hold anything."""
    words = [sys.executable, "-c", ENDS.replace("{problem}", problem)]
    found = subprocess.run(words, capture_output=True, text=True, env=clean_environment(), timeout=60, check=False)
    assert (found.returncode, found.stdout) == (status, "")
    in_thread, at_end, last = (json.loads(line) for line in found.stderr.splitlines())
    assert (in_thread["event"], in_thread["thread"]) == ("uncaught_exception", "one of ours")
    assert in_thread["message"].startswith("ValueError at in_a_thread")
    assert at_end["message"].startswith("ValueError at __del__")
    assert (last["event"], last["code"], last["exit_status"]) == ("worker_failed", code, status)
    assert last["message"].startswith(said)
    assert "CANARY" not in found.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_that_is_stopped_writes_nothing_but_json(tmp_path: Path, number: signal.Signals) -> None:
    """By Ctrl-C too, here while it waits for a broker."""
    nowhere = {
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_ports(1)[0]}",
        "CONNECTIONS_FILE": str(tmp_path / "connections.toml"),
    }
    with worker_process(nowhere, tmp_path / "worker.log") as worker:
        worker.start()
        worker.wait_for("not_ready", condition="kafka")
        worker.signal(number)
        assert worker.terminate() == 0
        for line in worker.text().splitlines():
            assert {"timestamp", "level", "event"} <= json.loads(line).keys()


def test_a_port_that_is_taken_is_the_last_line(tmp_path: Path) -> None:
    """What is found after the start ends in the same way."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        settings = {"HEALTH_HOST": "127.0.0.1", "HEALTH_PORT": port, "CONNECTIONS_FILE": str(tmp_path / "c.toml")}
        found = command("run", environment=settings)
    assert found.returncode == 2
    last = json.loads(found.stderr.splitlines()[-1])
    assert (last["event"], last["code"]) == ("worker_failed", "misconfigured")
    assert f"HEALTH_PORT={port} can't be listened on" in last["message"]


def test_check_says_what_is_wrong_and_how_to_mend_it() -> None:
    """A line for each thing, that names the variable; nothing is needed for it."""
    nobody = f"127.0.0.1:{free_ports(1)[0]}"
    nothing = {"KAFKA_BOOTSTRAP_SERVERS": nobody, "AWS_EC2_METADATA_DISABLED": "true"}
    found = command("check", environment=nothing)
    assert (found.returncode, found.stdout) == (1, "")
    kafka, connections, store = found.stderr.splitlines()
    assert "KAFKA_BOOTSTRAP_SERVERS" in kafka
    assert "CONTROL_PLANE_MTLS_CERT_PATH: there is no file" in connections
    assert store.startswith("wrong: object store clustera-integrations: no credentials for the object store: ")


@pytest.mark.kafka
def test_check_finds_a_sound_set_up_sound(topics: Topics, tmp_path: Path) -> None:
    """One line each, and nothing else is written."""
    with staged(generate(CorpusPlan(files=10)), topics, tmp_path) as stage:
        found = command("check", environment=stage.environment)
        assert (found.returncode, found.stderr) == (0, "")
        assert [line.split(" ")[:2] for line in found.stdout.splitlines()] == [
            ["ok:", "Kafka"],
            ["ok:", "connections"],
            ["ok:", "object"],
        ]
