"""Fixtures for all tests: a real Kafka broker, and topics of a test's own."""

import os
from collections.abc import Iterator

import pytest

from support.kafka_broker import KafkaBroker, KafkaUnavailable, missing
from support.recordings import recordings  # noqa: F401 - every test uses it
from support.strangers import unproven
from support.topics import Topics, create_topics, delete_topics

_lack = pytest.StashKey[str]()


def _required() -> bool:
    return os.environ.get("REQUIRE_KAFKA", "") not in {"", "0"}


def _give_up(config: pytest.Config, lack: str) -> None:
    """Skip the test, or fail it where a broker is required; the run's last lines say why."""
    config.stash[_lack] = lack
    if _required():
        pytest.fail(f"REQUIRE_KAFKA is set, but there is no broker: {lack}", pytrace=False)
    pytest.skip(f"no Kafka broker: {lack}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that needs a broker is not begun where there can be none."""
    if item.get_closest_marker("kafka") is None or os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return
    if (lack := item.config.stash.get(_lack, None) or missing()) is not None:
        _give_up(item.config, lack)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say it loudly where the tests on a real broker, or with clients that we did not write, did not run."""
    if (lack := config.stash.get(_lack, None)) is not None:
        line = f"!!!!! NOT PROVEN: the tests on a real Kafka broker did NOT run: {lack}."
        terminalreporter.write_line(f"{line} Set KAFKA_BOOTSTRAP_SERVERS, or install Java 17 and Maven !!!!!", red=True)
    # From the reports, which come from every process of the run.
    for lack in unproven(terminalreporter.getreports("skipped")):
        line = f"!!!!! NOT PROVEN: the simulator was NOT held against {lack}. Run `make strangers` !!!!!"
        terminalreporter.write_line(line, red=True)


@pytest.fixture(scope="session")
def kafka_bootstrap(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of the broker that the whole run shares: the environment's, or one of our own."""
    if address := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield address
        return
    try:
        broker = KafkaBroker()
    except KafkaUnavailable as problem:
        _give_up(request.config, str(problem))
        return
    with broker:
        yield broker.bootstrap_servers


@pytest.fixture(scope="session")
def brokers_can_start(request: pytest.FixtureRequest) -> None:
    """For tests with brokers of their own, whatever the environment names: they are not run where none can start."""
    if (lack := missing()) is not None:
        _give_up(request.config, lack)


@pytest.fixture
def private_broker(request: pytest.FixtureRequest) -> Iterator[KafkaBroker]:
    """A started broker for one test alone, to stop, kill and restart; costs some seconds."""
    try:
        broker = KafkaBroker()
    except KafkaUnavailable as problem:
        _give_up(request.config, str(problem))
        return
    with broker:
        yield broker


@pytest.fixture
def topics(kafka_bootstrap: str) -> Iterator[Topics]:
    """The platform's five topics, three partitions each, under this test's own prefix; dropped after it."""
    made = create_topics(kafka_bootstrap)
    yield made
    delete_topics(made)
