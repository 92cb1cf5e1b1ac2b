"""The topics: whether they are there and fit together, and the making of our own."""

from collections.abc import Mapping
from typing import NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.cimpl import NewTopic

STATE_CONFIG = {
    "cleanup.policy": "compact",
    "max.message.bytes": "8388608",  # a checkpoint of a connection with ten thousand shared drives has about 1 MB
    "segment.bytes": "67108864",  # what is in the open segment is not compacted
    "segment.ms": "3600000",
    "min.cleanable.dirty.ratio": "0.1",  # checkpoints are rewritten all the time: compact early, restore fast
}
"""Of the state topic, as `create_state_topic` makes it."""


LEAST_MESSAGE_BYTES = 1_000_000
"""What a topic must take in one message: a larger record is left out by the worker itself."""


class TopicNames(NamedTuple):
    """The topics by their role; all but `state` are the platform's."""

    trigger: str
    webhook: str
    data: str
    errors: str
    state: str


class Survey(NamedTuple):
    """What is there: `partitions` by topic, of those that exist, and what is wrong, a sentence each."""

    partitions: dict[str, int]
    problems: list[str]


def survey(client: AdminClient, brokers: str, names: TopicNames, timeout_s: float) -> Survey:
    """Look at the brokers. Blocks up to `timeout_s`; never raises for what it finds, nor for finding no broker."""
    try:
        metadata = client.list_topics(timeout=timeout_s)
    except KafkaException as problem:
        return Survey({}, [f"no Kafka broker answers at {brokers} (KAFKA_BOOTSTRAP_SERVERS): {problem.args[0].str()}"])
    partitions = {
        name: len(topic.partitions) for name, topic in metadata.topics.items() if topic.error is None and name in names
    }
    return Survey(partitions, _problems(names, partitions))


def _problems(names: TopicNames, partitions: Mapping[str, int]) -> list[str]:
    problems = [
        f"the topic {name} (KAFKA_TOPIC_{role.upper()}) is missing; the platform creates it"
        for role, name in names._asdict().items()
        if name not in partitions and role not in {"state", "webhook"}
    ]
    if names.state not in partitions:
        problems.append(
            f"the topic {names.state} (KAFKA_TOPIC_STATE) is missing; `google-drive-worker topics` creates it"
        )
    elif names.trigger in partitions and partitions[names.state] != partitions[names.trigger]:
        problems.append(
            f"the topic {names.state} has {partitions[names.state]} partitions and {names.trigger} has "
            f"{partitions[names.trigger]}; they must have as many"
        )
    return problems


def create_state_topic(
    client: AdminClient, name: str, partitions: int, replication_factor: int, timeout_s: float
) -> None:
    """Create our own topic, compacted. Blocks; raises `KafkaException` where the broker refuses."""
    topic = NewTopic(name, num_partitions=partitions, replication_factor=replication_factor, config=STATE_CONFIG)
    for created in client.create_topics([topic], operation_timeout=timeout_s).values():
        created.result(timeout_s)


def setting_problems(client: AdminClient, names: TopicNames, timeout_s: float) -> list[str]:
    """What is wrong with the settings of topics that exist, a sentence each. Blocks; needs the right to describe."""
    topics = (names.state, names.data, names.errors)
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in topics]
    found: dict[str, dict[str, str]] = {}
    for resource, described in client.describe_configs(resources, request_timeout=timeout_s).items():
        found[resource.name] = {key: str(entry.value) for key, entry in described.result(timeout_s).items()}
    problems = []
    if "compact" not in found[names.state].get("cleanup.policy", ""):
        problems.append(
            f"the topic {names.state} is not compacted: checkpoints would expire; set cleanup.policy=compact"
        )
    problems += [
        f"the topic {name} takes messages of {size} bytes at most; set max.message.bytes={LEAST_MESSAGE_BYTES} or more"
        for name in topics
        if (size := int(found[name].get("max.message.bytes", LEAST_MESSAGE_BYTES))) < LEAST_MESSAGE_BYTES
    ]
    if "compact" in found[names.data].get("cleanup.policy", ""):
        problems.append(f"the topic {names.data} is compacted by connection: records would vanish; set delete")
    return problems
