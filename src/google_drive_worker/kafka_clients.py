"""How the worker's Kafka clients are made from the settings: who it is to brokers, and what its producers promise."""

from collections.abc import Callable
from typing import Any, NamedTuple

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from google_drive_worker.config import Settings
from google_drive_worker.kafka.state_store import Restored, restore
from google_drive_worker.kafka.topics import BrokerTrouble, TopicNames
from google_drive_worker.kafka.transactions import BatchLimit, GroupMetadata, TransactionalWriter

BROKER_TIMEOUT_S = 10.0
"""For each call to the broker. One that is away for longer costs a partition its writer, which is made anew."""


def kafka_config(settings: Settings) -> dict[str, Any]:
    """What every Kafka client of ours is made with."""
    return {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "client.id": "google-drive-worker",
        # librdkafka's own log is silent: it is not JSON, and a `logger` given to confluent-kafka 2.16 can block a
        # transaction for good when a broker goes away. What matters comes as errors, and as the consumer's error_cb.
        "log_level": 0,
        "topic.metadata.refresh.interval.ms": 30_000,
        **_security_config(settings),
    }


def _security_config(settings: Settings) -> dict[str, str]:
    """How the brokers are told who we are, and held to being who they say: nothing where all is in the clear."""
    password, protocol = settings.kafka_sasl_password, settings.kafka_security_protocol
    if protocol == "PLAINTEXT":
        return {}
    config: dict[str, str] = {"security.protocol": protocol}
    if protocol.startswith("SASL") and settings.kafka_sasl_username is not None and password is not None:
        config |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_sasl_username,
            "sasl.password": password.get_secret_value(),
        }
    if "SSL" in protocol:
        paths = {
            "ssl.ca.location": settings.kafka_ssl_ca_path,
            "ssl.certificate.location": settings.kafka_ssl_cert_path,
            "ssl.key.location": settings.kafka_ssl_key_path,
        }
        config |= {name: str(path) for name, path in paths.items() if path is not None}
        config["ssl.endpoint.identification.algorithm"] = "https"  # the certificate has to name the broker's host
    return config


def admin_client(settings: Settings) -> tuple[AdminClient, BrokerTrouble]:
    """A client to look at the brokers with, and what it learns of why they don't let us in."""
    trouble = BrokerTrouble()
    # The client's stubs know no callback among its settings.
    config: Any = {**kafka_config(settings), "error_cb": trouble}
    return AdminClient(config), trouble


def producer_config(settings: Settings) -> dict[str, Any]:
    """What a producer is made with; the partitioner is the Java producers', which the platform keys by."""
    return {
        **kafka_config(settings),
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "linger.ms": 100,  # for full batches; a commit does not wait for it, since librdkafka's flush sends at once
        "message.max.bytes": 8 << 20,
        "transaction.timeout.ms": settings.kafka_transaction_timeout_ms,
        "delivery.report.only.error": True,
    }


def topic_names(settings: Settings) -> TopicNames:
    """The topics by their role."""
    return TopicNames(
        trigger=settings.kafka_topic_trigger,
        webhook=settings.kafka_topic_webhook,
        data=settings.kafka_topic_data,
        errors=settings.kafka_topic_errors,
        state=settings.kafka_topic_state,
    )


def new_writer(
    settings: Settings, number: int, group_metadata: GroupMetadata, batches: BatchLimit
) -> TransactionalWriter:
    """The writer of a partition. Its transactional id is the partition's, whoever owns it: that is the first fence."""
    return TransactionalWriter(
        producer_config(settings),
        transactional_id=f"{settings.kafka_consumer_group_id}-{settings.kafka_topic_trigger}-{number}",
        position=TopicPartition(settings.kafka_topic_trigger, number),
        state_topic=settings.kafka_topic_state,
        group_metadata=group_metadata,
        batches=batches,
        timeout_s=BROKER_TIMEOUT_S,
    )


def restore_partition(settings: Settings, number: int) -> Restored:
    """Read what is committed of a partition; blocks, and raises as `state_store.restore` does."""
    config = {**kafka_config(settings), "group.id": settings.kafka_consumer_group_id}
    return restore(config, settings.kafka_topic_trigger, settings.kafka_topic_state, number, BROKER_TIMEOUT_S)


class Openers(NamedTuple):
    """How a partition is opened. A build for tests has others, to show that each fence is needed."""

    new_writer: Callable[[Settings, int, GroupMetadata, BatchLimit], TransactionalWriter] = new_writer
    restore: Callable[[Settings, int], Restored] = restore_partition


OPENERS = Openers()
"""The worker's own, with every fence."""
