"""Topics of a test's own, so that tests share one broker and never meet."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

from confluent_kafka.admin import AdminClient, TopicMetadata  # type: ignore[attr-defined]
from confluent_kafka.cimpl import NewTopic

CREATE_DEADLINE_S = 30.0
LARGEST_TRIGGER_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Topics:
    """The names that one test gives to its worker, and where they are."""

    bootstrap_servers: str
    prefix: str
    partitions: int

    @property
    def trigger(self) -> str:
        """`integration.trigger`."""
        return f"{self.prefix}.integration.trigger"

    @property
    def webhook(self) -> str:
        """`webhook.raw`."""
        return f"{self.prefix}.webhook.raw"

    @property
    def data(self) -> str:
        """`ingestion.data`."""
        return f"{self.prefix}.ingestion.data"

    @property
    def errors(self) -> str:
        """`integration.errors`."""
        return f"{self.prefix}.integration.errors"

    @property
    def state(self) -> str:
        """`google-drive.state`, compacted."""
        return f"{self.prefix}.google-drive.state"

    @property
    def items(self) -> str:
        """`google-drive.items`, compacted."""
        return f"{self.prefix}.google-drive.items"

    @property
    def group_id(self) -> str:
        """The worker's consumer group, and a fit prefix for its transactional ids."""
        return f"{self.prefix}.google-drive-worker"

    @property
    def environment(self) -> dict[str, str]:
        """The worker's Kafka settings as environment variables."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "KAFKA_CONSUMER_GROUP_ID": self.group_id,
            "KAFKA_TOPIC_TRIGGER": self.trigger,
            "KAFKA_TOPIC_WEBHOOK": self.webhook,
            "KAFKA_TOPIC_DATA": self.data,
            "KAFKA_TOPIC_ERRORS": self.errors,
            "KAFKA_TOPIC_STATE": self.state,
            "KAFKA_TOPIC_ITEMS": self.items,
        }


def create_topics(
    bootstrap_servers: str,
    *,
    partitions: int = 3,
    prefix: str | None = None,
    state_config: Mapping[str, str] | None = None,
) -> Topics:
    """Create all topics, the platform's and the worker's, under a prefix of their own; `state_config` goes over the
    state topic's.

    The trigger and webhook topics take messages of up to 8 MiB, so that tests can send the worker what is too big.
    Raises `KafkaException` where the broker refuses.
    """
    topics = Topics(bootstrap_servers, prefix or f"t-{uuid.uuid4().hex[:12]}", partitions)
    large = {"max.message.bytes": str(LARGEST_TRIGGER_BYTES)}
    configs: dict[str, dict[str, str]] = {
        topics.trigger: large,
        topics.webhook: large,
        topics.data: {},
        topics.errors: {"max.message.bytes": str(2 * LARGEST_TRIGGER_BYTES)},
        topics.state: {"cleanup.policy": "compact", **(state_config or {})},
        topics.items: {"cleanup.policy": "compact"},
    }
    client = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    wanted = [NewTopic(name, num_partitions=partitions, config=config) for name, config in configs.items()]
    for created in client.create_topics(wanted, operation_timeout=CREATE_DEADLINE_S).values():
        created.result(CREATE_DEADLINE_S)
    _wait_until_known(client, set(configs))
    return topics


def _wait_until_known(client: AdminClient, names: set[str]) -> None:
    """A broker knows a topic that its controller has made only a moment later."""
    deadline = monotonic() + CREATE_DEADLINE_S
    while monotonic() < deadline:
        found = client.list_topics(timeout=CREATE_DEADLINE_S).topics
        if all(name in found and _has_leaders(found[name]) for name in names):
            return
        client.poll(0.05)
    raise TimeoutError(f"the broker does not know its new topics: {names}")


def _has_leaders(topic: TopicMetadata) -> bool:
    return topic.error is None and all(partition.leader >= 0 for partition in topic.partitions.values())


def delete_topics(topics: Topics) -> None:
    """Ask the broker to drop them all; the answer is not waited for longer than it takes to send."""
    client = AdminClient({"bootstrap.servers": topics.bootstrap_servers})
    names = [topics.trigger, topics.webhook, topics.data, topics.errors, topics.state, topics.items]
    for gone in client.delete_topics(names, operation_timeout=CREATE_DEADLINE_S).values():
        gone.exception(CREATE_DEADLINE_S)
