"""How the worker's Kafka clients are made from the settings: who it is to brokers, and what its producers promise."""

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from google_drive_worker.config import Settings
from google_drive_worker.domain.message import StoredPartition
from google_drive_worker.index.partition_index import PartitionIndex
from google_drive_worker.index.slots import Slot, boot_id
from google_drive_worker.index.store import Identity, LocalStore, leave_clean, open_store
from google_drive_worker.kafka.item_log import OffsetOutOfRange, committed_end, replay, topic_identity
from google_drive_worker.kafka.state_store import restore
from google_drive_worker.kafka.topics import BrokerTrouble, TopicNames
from google_drive_worker.kafka.transactions import BatchLimit, GroupMetadata, TransactionalWriter
from google_drive_worker.utils.errors import Retryable

BROKER_TIMEOUT_S = 10.0
"""For each call to the broker. One that is away for longer costs a partition its writer, which is made anew."""


IDENTITY_S = 3.0
"""How long brokers are asked for a topic's id. Those before 3.1 have none, and embedded ones don't answer."""


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
        items=settings.kafka_topic_items,
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
        items_topic=settings.kafka_topic_items,
        group_metadata=group_metadata,
        batches=batches,
        timeout_s=BROKER_TIMEOUT_S,
    )


def restore_partition(settings: Settings, number: int) -> StoredPartition:
    """Read what is committed of a partition; blocks, and raises as `state_store.restore` does."""
    config = {**kafka_config(settings), "group.id": settings.kafka_consumer_group_id}
    return restore(config, settings.kafka_topic_trigger, settings.kafka_topic_state, number, BROKER_TIMEOUT_S)


class StoredIndex:
    """A partition's item index over its local store, read up to what is committed. Made by `IndexOpener`."""

    def __init__(self, store: LocalStore, directory: Path, end: Callable[[], int]) -> None:
        self.index = PartitionIndex(store)
        self._store = store
        self._directory = directory
        self._end = end

    def close(self, *, is_settled: bool) -> None:
        """Let go of the store; where all that was written is in it, the next opening goes on from the topic's end."""
        offset: int | None = None
        if is_settled:
            with contextlib.suppress(Retryable):
                offset = self._end()
        self._store.close(offset)
        if offset is not None:
            leave_clean(self._directory)


class IndexOpener:
    """Opens the item indexes of a worker's partitions, each over a store of its own in the worker's slot."""

    def __init__(self, settings: Settings, slot: Slot) -> None:
        self._settings = settings
        self._slot = slot
        self._topic = settings.kafka_topic_items
        self._config = {**kafka_config(settings), "group.id": settings.kafka_consumer_group_id}
        self._lock = threading.Lock()
        self._changelog: tuple[str, str] | None = None

    def open(self, number: int) -> StoredIndex:
        """Open a partition's index and read its changelog to the committed end. Blocks.

        To be called after `init_transactions`, as `restore_partition`. Raises `Retryable`, `StateDiskFull` among it.
        """
        identity = Identity(*self._identity(), number, boot_id())
        directory = self._slot.partition_directory(f"{self._settings.kafka_consumer_group_id}-{self._topic}-{number}")
        store = open_store(directory, identity)
        try:
            try:
                self._replay(number, store.offset(), store)
            except OffsetOutOfRange:
                store.close()
                store = open_store(directory, identity)
                self._replay(number, None, store)
            store.mark(None)
        except BaseException:
            store.close()
            raise
        return StoredIndex(store, directory, lambda: committed_end(self._config, self._topic, number, BROKER_TIMEOUT_S))

    def _replay(self, number: int, offset: int | None, store: LocalStore) -> None:
        replay(self._config, self._topic, number, offset, store.apply, BROKER_TIMEOUT_S)

    def _identity(self) -> tuple[str, str]:
        """Asked once: the worker starts again where its topics change. Where brokers don't tell, no store fits."""
        with self._lock:
            if self._changelog is None:
                admin, _ = admin_client(self._settings)
                self._changelog = topic_identity(admin, self._topic, BROKER_TIMEOUT_S, IDENTITY_S)
            return self._changelog


class Openers(NamedTuple):
    """How a partition is opened. A build for tests has others, to show that each fence is needed."""

    new_writer: Callable[[Settings, int, GroupMetadata, BatchLimit], TransactionalWriter] = new_writer
    restore: Callable[[Settings, int], StoredPartition] = restore_partition


OPENERS = Openers()
"""The worker's own, with every fence."""
