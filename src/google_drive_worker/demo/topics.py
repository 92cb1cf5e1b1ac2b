"""The Kafka of the demonstration: embedded, or a real broker with topics of the demonstration's own."""

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from google_drive_worker.demo.embedded_kafka import EmbeddedKafka
from google_drive_worker.utils.errors import Misconfigured

PARTITIONS = 4
DEADLINE_S = 15.0


@dataclass(frozen=True, slots=True)
class DemoKafka:
    """Where it is, and what the topics and the group are called there."""

    bootstrap_servers: str
    embedded: bool
    prefix: str
    partitions: int = PARTITIONS

    @property
    def trigger(self) -> str:
        """`integration.trigger`."""
        return f"{self.prefix}integration.trigger"

    @property
    def webhook(self) -> str:
        """`webhook.raw`."""
        return f"{self.prefix}webhook.raw"

    @property
    def data(self) -> str:
        """`ingestion.data`."""
        return f"{self.prefix}ingestion.data"

    @property
    def errors(self) -> str:
        """`integration.errors`."""
        return f"{self.prefix}integration.errors"

    @property
    def state(self) -> str:
        """`google-drive.state`."""
        return f"{self.prefix}google-drive.state"

    @property
    def items(self) -> str:
        """`google-drive.items`."""
        return f"{self.prefix}google-drive.items"

    @property
    def all_topics(self) -> tuple[str, ...]:
        """All six."""
        return (self.trigger, self.webhook, self.data, self.errors, self.state, self.items)

    @property
    def environment(self) -> dict[str, str]:
        """The worker's settings that lead there."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "KAFKA_CONSUMER_GROUP_ID": f"{self.prefix}google-drive-worker",
            "KAFKA_TOPIC_TRIGGER": self.trigger,
            "KAFKA_TOPIC_WEBHOOK": self.webhook,
            "KAFKA_TOPIC_DATA": self.data,
            "KAFKA_TOPIC_ERRORS": self.errors,
            "KAFKA_TOPIC_STATE": self.state,
            "KAFKA_TOPIC_ITEMS": self.items,
        }

    def send(self, topic: str, key: str, value: bytes) -> None:
        """Write one message as the platform would and wait until it is taken. Raises `TimeoutError`."""
        producer = Producer({"bootstrap.servers": self.bootstrap_servers, "partitioner": "murmur2_random"})
        producer.produce(topic, value, key)
        if producer.flush(DEADLINE_S):
            raise TimeoutError(f"{topic}: the message was not taken within {DEADLINE_S:.0f} s")


@contextlib.contextmanager
def demo_kafka(bootstrap_servers: str | None, *, keep: bool = False) -> Iterator[DemoKafka]:
    """Provide Kafka with empty topics: embedded, or (`bootstrap_servers`) on that cluster under a prefix of their own.

    On a real cluster the topics are dropped at the end unless `keep`. Raises `EmbeddedKafkaUnavailable`, and
    `Misconfigured` where a real cluster does not answer or refuses.
    """
    if bootstrap_servers is None:
        with EmbeddedKafka() as embedded:
            kafka = DemoKafka(embedded.bootstrap_servers, embedded=True, prefix="")
            for topic in kafka.all_topics:
                embedded.create_topic(topic, kafka.partitions)
            yield kafka
        return
    kafka = DemoKafka(bootstrap_servers, embedded=False, prefix=f"demo-{uuid.uuid4().hex[:8]}.")
    client = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    compacted = {"cleanup.policy": "compact"}
    wanted = [
        NewTopic(topic, kafka.partitions, config=compacted if topic in {kafka.state, kafka.items} else {})
        for topic in kafka.all_topics
    ]
    try:
        for created in client.create_topics(wanted, request_timeout=DEADLINE_S).values():
            created.result()
    except KafkaException as problem:
        raise Misconfigured(
            f"KAFKA_BOOTSTRAP_SERVERS={bootstrap_servers}: the cluster there did not make the demonstration's topics "
            f"({problem.args[0].str()}); start it, set another, or unset the variable to use the embedded Kafka"
        ) from None
    try:
        yield kafka
    finally:
        if not keep:
            for dropped in client.delete_topics(list(kafka.all_topics), request_timeout=DEADLINE_S).values():
                dropped.exception()
