"""The transactional writer of one partition: records, checkpoints and the consumer's position, all or nothing.

The steps of a commit:

1. begin;
2. produce the messages, in their order;
3. produce the changes of the item index to the items topic and those of the state to the state topic, into the
   partitions of the same number;
4. send the position in the trigger topic, with the consumer's group metadata: sent each time, also unchanged, because a
   worker whose group generation is over is refused here;
5. commit.

A zombie is fenced twice: by step 4, and by the new owner's `init_transactions`, which ends the old producer's epoch.
Where nobody knows whether a commit took place (a timeout), the caller makes the writer anew: `init_transactions`
settles it one way or the other, and the committed state tells which. Sources: KIP-98, KIP-447, librdkafka's guide to
transactions.
"""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from google_drive_worker.domain.message import ANY_PARTITION, Batch, Headers, KeyedValue, RecordBatch
from google_drive_worker.messages.record import IDEMPOTENCY_KEY_AT, output_headers
from google_drive_worker.utils.errors import Fenced, InstanceFenced, Retryable

COMMIT_TRIES = 5
"""How often one batch is tried: a rebalance under way aborts a commit or two, and the next one goes through."""

ABORT_REST_S = 0.2
"""Between an aborted commit and the next try: the time a rebalance needs to hand out the new generation."""

_FENCED = {
    KafkaError._FENCED,  # noqa: SLF001 - confluent-kafka spells librdkafka's own codes so
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
}

_EXPELLED = {KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID}
"""The group has another generation: a rebalance under way, or one that the worker did not take part in."""

BATCH_BYTES = 2 << 20
"""How large a batch of messages may be before it is compressed: twice librdkafka's own default, since half as many
requests leave its thread half the time to spin in. Brokers take 1 MB, compressed; records come to a seventh or less."""

SMALLEST_BATCH_BYTES = 64 << 10
"""Where it ends to halve it: what is refused now is one message, and not the batch."""


class BatchLimit:
    """How large the producers of one worker make their batches; a broker that refuses one has it halved."""

    def __init__(self, size_bytes: int = BATCH_BYTES) -> None:
        self.size_bytes = size_bytes

    def refused(self) -> None:
        """A batch was too large for the broker."""
        self.size_bytes = max(SMALLEST_BATCH_BYTES, self.size_bytes // 2)


GroupMetadata = Callable[[], Any]
"""Gives the consumer's group metadata, an opaque value of confluent-kafka's. Raises `Fenced` outside of the group."""


class TransactionalWriter:
    """Writes one partition's batches. Every call blocks and belongs to one thread, the partition's own.

    `config` is the producer's; `timeout_s` bounds each call to the broker. `batches` is shared by the worker's writers.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        transactional_id: str,
        position: TopicPartition,
        state_topic: str,
        items_topic: str,
        group_metadata: GroupMetadata,
        batches: BatchLimit,
        timeout_s: float,
    ) -> None:
        self._batches = batches
        self._config = {**config, "transactional.id": transactional_id}
        self._trigger_topic = position.topic
        self._partition = position.partition
        self._state_topic = state_topic
        self._items_topic = items_topic
        self._group_metadata = group_metadata
        self._timeout_s = timeout_s
        self._producer: Producer | None = None
        self._given_up = False

    def open(self) -> None:
        """Take the partition's transactional id: whoever held it can commit nothing more.

        Raises `Retryable` where the broker does not answer in time.
        """
        producer = Producer({**self._config, "batch.size": self._batches.size_bytes})
        try:
            _retrying(producer.init_transactions, self._timeout_s)
        except KafkaException as problem:
            raise _verdict(problem) from problem
        if self._given_up:
            raise Fenced("the partition was let go of while its writer was opened")
        self._producer = producer

    def give_up(self) -> None:
        """Let nothing more be tried, from any thread: the partition is not ours any more, or not by this writer."""
        self._given_up = True

    def close(self) -> None:
        """Let go of the producer, for good; what is not committed is given up."""
        self.give_up()
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaException):  # a fenced producer says so once more
                producer.purge()
                producer.flush(0)

    def commit(self, batch: Batch) -> None:
        """Write the batch in one transaction.

        Raises `Fenced` where another worker owns the partition, `InstanceFenced` where one has this worker's identity
        in the group, and `Retryable` where the outcome is not known or the broker refuses on and on. After any, this
        writer is done with.
        """
        for left in reversed(range(COMMIT_TRIES)):
            try:
                self._try_commit(batch)
            except KafkaException as problem:
                error = problem.args[0]
                if error.fatal() or error.code() in _FENCED or not error.txn_requires_abort():
                    raise _verdict(problem) from problem
                if error.code() == KafkaError.FENCED_INSTANCE_ID:
                    raise _verdict(problem) from problem  # nothing to be gained by trying again
                self._abort()
                if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                    self._batches.refused()  # a producer's batches can't be made smaller: the next one's are
                    raise Retryable(
                        f"the broker refused a batch of messages as too large; trying {self._batches.size_bytes} bytes",
                        code="batch_too_large",
                    ) from problem
                if not left:
                    raise _verdict(problem) from problem
                time.sleep(ABORT_REST_S)
            else:
                return

    def _try_commit(self, batch: Batch) -> None:
        producer = self._required()
        if self._given_up:
            raise Fenced("the partition was let go of while its writer was trying")
        producer.begin_transaction()
        self._produce(producer, batch)
        offsets = [TopicPartition(self._trigger_topic, self._partition, batch.position)]
        metadata = self._group_metadata()
        _retrying(lambda left_s: producer.send_offsets_to_transaction(offsets, metadata, left_s), self._timeout_s)
        _retrying(producer.commit_transaction, self._timeout_s)

    def _produce(self, producer: Producer, batch: Batch) -> None:
        try:
            for message in batch.messages:
                if isinstance(message, RecordBatch):
                    _produce_records(producer, message)
                else:
                    _produce(producer, *message)
            self._produce_own(producer, self._items_topic, batch.items)
            self._produce_own(producer, self._state_topic, batch.state)
        except KafkaException as problem:
            if problem.args[0].code() == KafkaError._STATE:  # noqa: SLF001 - librdkafka's own code, in its spelling
                producer.commit_transaction(self._timeout_s)  # the transaction has failed already, and this tells why
            raise

    def _produce_own(self, producer: Producer, topic: str, values: Sequence[KeyedValue]) -> None:
        for key, value in values:
            _produce(producer, topic, key, value, _NO_HEADERS, self._partition)

    def _abort(self) -> None:
        producer = self._required()
        try:
            _retrying(producer.abort_transaction, self._timeout_s)
        except KafkaException as problem:
            raise _verdict(problem) from problem

    def _required(self) -> Producer:
        if self._producer is None:
            raise Fenced("the partition's writer is closed")
        return self._producer


_NO_HEADERS: Headers = []


def _produce_records(producer: Producer, batch: RecordBatch) -> None:
    """As `_produce` for each; they share all but value and one header, which is half of what a call costs.

    Every argument stands in its place: confluent-kafka makes a string and hashes it for each that might have been
    named, a sixth of the call.
    """
    produce, topic, key, headers = producer.produce, batch.topic, batch.key, output_headers(b"")
    for value, idempotency_key in zip(batch.values, batch.idempotency_keys, strict=True):
        headers[IDEMPOTENCY_KEY_AT] = ("idempotency_key", idempotency_key)
        try:
            produce(topic, value, key, ANY_PARTITION, None, None, 0, headers)
        except BufferError:
            _produce(producer, topic, key, value, headers)


def _produce(
    producer: Producer,
    topic: str,
    key: bytes | None,
    value: bytes | None,
    headers: Headers,
    partition: int = ANY_PARTITION,
) -> None:
    while True:
        try:
            producer.produce(topic, value, key, partition, headers=headers)
        except BufferError:
            producer.poll(0.1)  # the local queue is full: let some of it go out
        else:
            return


def _retrying(call: Callable[[float], Any], timeout_s: float) -> None:
    """Call until it goes through: librdkafka lets a call that failed retriably be resumed by calling it again."""
    ends_s = time.monotonic() + timeout_s
    while True:
        try:
            call(max(0.1, ends_s - time.monotonic()))
        except KafkaException as problem:
            error = problem.args[0]
            if error.fatal() or error.txn_requires_abort() or not error.retriable() or time.monotonic() >= ends_s:
                raise
        else:
            return


def _verdict(problem: KafkaException) -> Fenced | Retryable:
    error = problem.args[0]
    if error.code() == KafkaError.FENCED_INSTANCE_ID:
        return InstanceFenced(
            "another worker joined the consumer group under this one's KAFKA_GROUP_INSTANCE_ID; "
            "give each worker an id of its own"
        )
    if error.code() in _FENCED or error.fatal():
        return Fenced(f"another worker took the partition over: {error.str()}")
    if error.code() in _EXPELLED:
        return Fenced(f"the consumer group went on without this worker: {error.str()}")
    return Retryable(f"the transaction did not go through: {error.str()}", code="kafka_unavailable")
