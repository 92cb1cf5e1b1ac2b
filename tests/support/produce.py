"""Writing to a topic as the platform does: Java's partitioner, one message at a time, acknowledged."""

from collections.abc import Iterable

from confluent_kafka import KafkaError, KafkaException, Message, Producer


def send(
    bootstrap_servers: str,
    topic: str,
    messages: Iterable[tuple[str | bytes | None, str | bytes | None]],
    *,
    partition: int = -1,
    deadline_s: float = 30.0,
) -> None:
    """Send (key, value) pairs in order and wait until the broker has them all.

    `partition` -1 leaves it to the key. Raises `KafkaException` where one is refused, `TimeoutError` after
    `deadline_s`.
    """
    failures: list[KafkaError] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failures.append(error)

    producer = Producer(
        {
            "bootstrap.servers": bootstrap_servers,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "linger.ms": 1,
            "log_level": 0,
            "message.max.bytes": 16 * 1024 * 1024,
        }
    )
    for key, value in messages:
        producer.produce(topic, key=key, value=value, partition=partition, on_delivery=delivered)
        producer.poll(0)
    if producer.flush(deadline_s):
        raise TimeoutError(f"{topic}: not all messages were taken in {deadline_s} s")
    if failures:
        raise KafkaException(failures[0])
