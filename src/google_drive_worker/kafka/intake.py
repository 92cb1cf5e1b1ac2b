"""The consumer, in a thread of its own: messages and rebalances in, positions and pauses out.

The thread polls all the time, also while partitions are paused, so that the group never takes the worker for dead.
What it hears it hands to the event loop and waits: the loop's pace is the consumer's. A partition just assigned is
paused until its owner has restored its state and calls `begin_at`.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from google_drive_worker.domain.message import Headers, Incoming
from google_drive_worker.domain.ports import TriggerListener
from google_drive_worker.utils.errors import Fenced, InstanceFenced, Retryable

POLL_S = 0.1
"""How long one poll waits: the longest that a command to the thread has to wait as well."""

BATCH = 500
"""Messages handed to the loop at a time."""

ORPHANED_S = 20.0
"""How long the client may be out of its group before another one takes its place.

A broker that is shutting down may answer that there are no brokers at all; librdkafka (seen with 2.16) then forgets
every broker, those to start from included, and never connects again (confluentinc/librdkafka#5301). This is longer than
joining takes: a member has its id at once, however long the others take. Where the brokers are really away, a new
client does no harm.
"""

HANDOVER_S = 60.0
"""How long the thread waits for the loop in a rebalance, well under `max.poll.interval.ms`."""

_MISSING = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}  # noqa: SLF001

_INSTANCE_FENCED = KafkaError(KafkaError.FENCED_INSTANCE_ID).str()


class Intake:
    """A `TriggerSource`: consumes one topic as a member of the group. `config` is the consumer's."""

    def __init__(self, config: Mapping[str, Any], topic: str, listener: TriggerListener) -> None:
        self._config = {
            **config,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "partition.assignment.strategy": "cooperative-sticky",
            "allow.auto.create.topics": False,
            "error_cb": self._on_error,
        }
        self._topic = topic
        self._listener = listener
        self._loop: asyncio.AbstractEventLoop | None = None
        self._commands: queue.SimpleQueue[Callable[[Consumer], None]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._failed: BaseException | None = None
        self._fatal: KafkaError | None = None
        self._metadata: Any = None
        # Tickets tell messages apart by the opening of their partition that they belong to: `wanted` is the loop's.
        self._wanted: dict[int, int] = {}
        self._current: dict[int, int] = {}
        self._later: list[Callable[[Consumer], None]] = []

    def start(self) -> None:
        """Join the group. To be called on the event loop that the listener lives on."""
        self._loop = asyncio.get_running_loop()
        first = Consumer(self._config)
        self._thread = threading.Thread(target=self._run, args=(first,), name="intake", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Leave the group in good order; the listener hears of every partition as revoked."""
        self._stopping.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    @property
    def failure(self) -> BaseException | None:
        """What ended the thread, if anything but `stop` did."""
        return self._failed

    def group_metadata(self) -> Any:
        """The group's metadata as the last poll left it, to be sent with offsets. From any thread.

        It is at most a poll old. One from before a rebalance is refused by the broker, which is what it is for.
        Raises `Fenced` where the worker is no member: offsets without a generation would be taken by the broker.
        """
        metadata = self._metadata
        if metadata is None:
            raise Fenced("the worker is no member of its consumer group")
        return metadata

    def begin_at(self, partition: int, offset: int) -> None:
        """Let the partition's messages come, from that offset on; what was on its way before is dropped."""
        ticket = self._next_ticket(partition)
        here = TopicPartition(self._topic, partition, offset)
        self._commands.put(lambda consumer: self._move(consumer, here, ticket))

    def hold(self, partition: int) -> None:
        """Let no more messages of the partition come until `begin_at`."""
        self._next_ticket(partition)
        self._commands.put(lambda consumer: consumer.pause([TopicPartition(self._topic, partition)]))

    def _next_ticket(self, partition: int) -> int:
        ticket = self._wanted.get(partition, 0) + 1
        self._wanted[partition] = ticket
        return ticket

    def _move(self, consumer: Consumer, here: TopicPartition, ticket: int) -> None:
        if self._wanted[here.partition] != ticket or not _is_assigned(consumer, here.partition):
            return
        try:
            consumer.seek(here)
            consumer.resume([here])
        except KafkaException as problem:  # an assignment that is not quite in force yet: at the next round
            self._tell(problem.args[0].str())
            self._later.append(lambda consumer: self._move(consumer, here, ticket))
        else:
            self._current[here.partition] = ticket

    def _run(self, consumer: Consumer) -> None:
        self._consume(consumer)
        while not self._stopping.is_set() and self._failed is None:
            self._tell(f"out of the group for {ORPHANED_S:.0f} s: another client takes this one's place")
            self._consume(Consumer(self._config))

    def _consume(self, consumer: Consumer) -> None:
        """Consume by this client until the end, or until it has lost its group for too long."""
        member_s = time.monotonic()
        try:
            consumer.subscribe(
                [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )
            while not self._stopping.is_set() and time.monotonic() - member_s < ORPHANED_S:
                self._run_commands(consumer)
                self._poll(consumer)
                self._raise_fatal()
                self._note_metadata(consumer)
                if self._metadata is not None:
                    member_s = time.monotonic()
        except BaseException as problem:
            self._failed = problem
        finally:
            self._leave(consumer)

    def _leave(self, consumer: Consumer) -> None:
        try:
            consumer.close()
        except Exception as problem:
            self._failed = self._failed or problem
        finally:
            self._metadata = None

    def _note_metadata(self, consumer: Consumer) -> None:
        # Consumer calls are for this thread alone: the client holds a lock while it polls.
        self._metadata = consumer.consumer_group_metadata() if consumer.memberid() else None

    def _run_commands(self, consumer: Consumer) -> None:
        for command in self._later:
            self._commands.put(command)
        self._later.clear()
        while True:
            try:
                command = self._commands.get_nowait()
            except queue.Empty:
                return
            try:
                command(consumer)
            except KafkaException as problem:  # the partition went away meanwhile
                self._tell(problem.args[0].str())

    def _poll(self, consumer: Consumer) -> None:
        current = dict(self._current)  # as it stands before the poll: a rebalance within it makes the messages old
        first = consumer.poll(POLL_S)
        if first is None:
            return
        messages: list[Incoming] = []
        for message in [first, *consumer.consume(BATCH, timeout=0)]:
            error = message.error()
            if error is None:
                messages.append(_incoming(message))
            elif error.code() in _MISSING:
                self._tell(f"the topic {self._topic} is missing")
            else:
                self._on_error(error)
        if messages:
            self._wait_for(self._deliver(messages, current))

    async def _deliver(self, messages: list[Incoming], current: dict[int, int]) -> None:
        """Hand on what is still wanted: messages from before a partition was opened anew come again by themselves."""
        wanted = self._wanted
        await self._listener.on_messages(
            [message for message in messages if current.get(message.partition) == wanted.get(message.partition)]
        )

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # Explicit offsets of 0 keep the client from asking for committed ones: `begin_at` moves to them.
        consumer.incremental_assign([TopicPartition(held.topic, held.partition, 0) for held in partitions])
        self._note_metadata(consumer)
        if partitions:
            consumer.pause(partitions)
            self._wait_for(self._listener.on_assigned([held.partition for held in partitions]))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # The rebalance has a new generation already: what is committed before letting go must carry it.
        self._note_metadata(consumer)
        self._wait_for(self._listener.on_revoked([held.partition for held in partitions]))
        consumer.incremental_unassign(partitions)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._metadata = None
        self._wait_for(self._listener.on_lost([held.partition for held in partitions]))
        consumer.incremental_unassign(partitions)

    def _wait_for(self, heard: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None  # noqa: S101 - start() set it
        asyncio.run_coroutine_threadsafe(heard, self._loop).result(HANDOVER_S)

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001 - librdkafka's own code, in its spelling
            self._fatal = error
        self._tell(error.str())

    def _raise_fatal(self) -> None:
        """Raise where the client can do nothing any more: it says so once, and is silent from then on."""
        if self._fatal is None:
            return
        if _INSTANCE_FENCED in self._fatal.str():  # the code that a fatal error is of is in its text alone
            raise InstanceFenced(
                "another worker joined the consumer group under this one's KAFKA_GROUP_INSTANCE_ID; "
                "give each worker an id of its own"
            )
        raise Retryable(f"the consumer can't go on: {self._fatal.str()}", code="kafka_unavailable")

    def _tell(self, problem: str) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._listener.on_trouble, problem)


def _is_assigned(consumer: Consumer, partition: int) -> bool:
    return any(held.partition == partition for held in consumer.assignment())


def _incoming(message: Message) -> Incoming:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None  # noqa: S101 - a message without an error has all three
    assert partition is not None  # noqa: S101
    assert offset is not None  # noqa: S101
    key, value = message.key(), message.value()
    return Incoming(topic, partition, offset, _bytes(key), _bytes(value), _headers(message))


def _headers(message: Message) -> Headers:
    headers = message.headers() or []
    return list(headers.items()) if isinstance(headers, dict) else headers


def _bytes(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
