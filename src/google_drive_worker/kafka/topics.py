"""The topics: whether they are there and fit together, and the making of our own."""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata  # type: ignore[attr-defined]
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.cimpl import NewTopic

STATE_CONFIG = {
    "cleanup.policy": "compact",
    "max.message.bytes": "8388608",  # a checkpoint of a connection with ten thousand shared drives has about 1 MB
    "segment.bytes": "67108864",  # what is in the open segment is not compacted
    "segment.ms": "3600000",
    "min.cleanable.dirty.ratio": "0.1",  # checkpoints are rewritten all the time: compact early, restore fast
}
"""Of the state topic, as `create_own_topic` makes it."""


ITEMS_CONFIG = {
    "cleanup.policy": "compact",
    "delete.retention.ms": "604800000",  # a store that is older is built again: it may have missed a tombstone
    "segment.bytes": "67108864",
    "segment.ms": "43200000",
    "min.cleanable.dirty.ratio": "0.3",
    "max.compaction.lag.ms": "604800000",  # what is erased is gone then
}
"""Of the items topic, as `create_own_topic` makes it."""

_LOOK_AGAIN_S = 0.05

FIRST_LOOK_S = 1.0
"""After which a survey asks what keeps it from an answer, before it goes on waiting for one."""

LEAST_MESSAGE_BYTES = 1_000_000
"""What a topic must take in one message: a larger record is left out by the worker itself."""


class TopicNames(NamedTuple):
    """The topics by their role; all but `state` and `items` are the platform's."""

    trigger: str
    webhook: str
    data: str
    errors: str
    state: str
    items: str


class Survey(NamedTuple):
    """What is there: `partitions` by topic, of those that exist, and what is wrong, a sentence each.

    `answered`: whether any broker did.
    """

    partitions: dict[str, int]
    problems: list[str]
    answered: bool = True


class BrokerTrouble:
    """A client's `error_cb` that keeps why brokers and we don't trust each other: calls say only that none answered.

    Kafka's text names the broker and what it holds against the other side, never a password.
    """

    def __init__(self) -> None:
        self.text: str | None = None  # of the last one

    def __call__(self, error: KafkaError) -> None:
        """Keep it, if it is of that kind."""
        if error.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001 - confluent-kafka spells librdkafka's codes so
            self.text = f"{error.str()} (KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD, KAFKA_SASL_MECHANISM)"
        # With TLS 1.3 a broker refuses our certificate only after the handshake: that comes as a broken connection.
        alerted = error.code() == KafkaError._TRANSPORT and "SSL alert" in error.str()  # noqa: SLF001
        if alerted or error.code() == KafkaError._SSL:  # noqa: SLF001
            self.text = f"{error.str()} (KAFKA_SSL_CA_PATH, KAFKA_SSL_CERT_PATH, KAFKA_SSL_KEY_PATH)"


def survey(
    client: AdminClient, brokers: str, names: TopicNames, timeout_s: float, trouble: BrokerTrouble | None = None
) -> Survey:
    """Look at the brokers. Blocks up to `timeout_s`; never raises for what it finds, nor for finding no broker.

    `trouble` is the client's `error_cb`; where it learns of something, that ends the wait early.
    """
    try:
        metadata = _list_topics(client, timeout_s, trouble)
    except KafkaException as problem:
        reason = (trouble and trouble.text) or problem.args[0].str()
        return Survey({}, [f"no Kafka broker answers at {brokers} (KAFKA_BOOTSTRAP_SERVERS): {reason}"], answered=False)
    partitions = {
        name: len(topic.partitions) for name, topic in metadata.topics.items() if topic.error is None and name in names
    }
    return Survey(partitions, _problems(names, partitions))


def _list_topics(client: AdminClient, timeout_s: float, trouble: BrokerTrouble | None) -> ClusterMetadata:
    if trouble is not None:
        with suppress(KafkaException):
            return client.list_topics(timeout=min(FIRST_LOOK_S, timeout_s))
        client.poll(0)  # calls `trouble`
        if trouble.text is not None:
            timeout_s = 0.0
    return client.list_topics(timeout=max(timeout_s - FIRST_LOOK_S, 0.01))


def _problems(names: TopicNames, partitions: Mapping[str, int]) -> list[str]:
    problems = [
        f"the topic {name} (KAFKA_TOPIC_{role.upper()}) is missing; the platform creates it"
        for role, name in names._asdict().items()
        if name not in partitions and role not in {"state", "items", "webhook"}
    ]
    for role, name in (("STATE", names.state), ("ITEMS", names.items)):
        if name not in partitions:
            problems.append(
                f"the topic {name} (KAFKA_TOPIC_{role}) is missing; `google-drive-worker topics` creates it"
            )
        elif names.trigger in partitions and partitions[name] != partitions[names.trigger]:
            problems.append(
                f"the topic {name} has {partitions[name]} partitions and {names.trigger} has "
                f"{partitions[names.trigger]}; they must have as many"
            )
    return problems


def create_own_topic(
    client: AdminClient,
    name: str,
    config: dict[str, str],
    partitions: int,
    replication_factor: int,
    timeout_s: float,
) -> None:
    """Create a topic of our own, compacted. Blocks; raises `KafkaException` where the broker refuses."""
    topic = NewTopic(name, num_partitions=partitions, replication_factor=replication_factor, config=config)
    _create(client, [topic], timeout_s)


def create_platform_topics(
    client: AdminClient, names: Iterable[str], partitions: int, replication_factor: int, timeout_s: float
) -> None:
    """Create topics as brokers make them by default, where there is no platform. Blocks; raises `KafkaException`."""
    wanted = [NewTopic(name, num_partitions=partitions, replication_factor=replication_factor) for name in names]
    _create(client, wanted, timeout_s)


def _create(client: AdminClient, wanted: list[NewTopic], timeout_s: float) -> None:
    """Create them, and wait up to `timeout_s` until the broker that is asked knows of them: it learns of it later."""
    created = client.create_topics(wanted, operation_timeout=timeout_s)
    for outcome in created.values():
        outcome.result(timeout_s)
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        found = client.list_topics(timeout=timeout_s).topics
        if all(name in found and found[name].error is None for name in created):
            return
        client.poll(_LOOK_AGAIN_S)


def setting_problems(client: AdminClient, names: TopicNames, timeout_s: float) -> list[str]:
    """What is wrong with the settings of topics that exist, a sentence each. Blocks; needs the right to describe."""
    topics = (names.state, names.items, names.data, names.errors)
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in topics]
    found: dict[str, dict[str, str]] = {}
    for resource, described in client.describe_configs(resources, request_timeout=timeout_s).items():
        found[resource.name] = {key: str(entry.value) for key, entry in described.result(timeout_s).items()}
    problems = []
    problems += [
        f"the topic {name} has cleanup.policy={policy}: what the worker knows would expire; set cleanup.policy=compact"
        for name in (names.state, names.items)
        if (policy := found[name].get("cleanup.policy", "compact")) != "compact"
    ]
    problems += [
        f"the topic {name} takes messages of {size} bytes at most; set max.message.bytes={LEAST_MESSAGE_BYTES} or more"
        for name in topics
        if (size := int(found[name].get("max.message.bytes", LEAST_MESSAGE_BYTES))) < LEAST_MESSAGE_BYTES
    ]
    if "compact" in found[names.data].get("cleanup.policy", ""):
        problems.append(f"the topic {names.data} is compacted by connection: records would vanish; set delete")
    return problems
