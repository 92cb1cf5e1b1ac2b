"""Kafka without a broker: the mock cluster inside librdkafka, which confluent-kafka's wheel carries.

It speaks Kafka's protocol on a local port, from a thread of its own in C, so that a demonstration needs nothing
installed. What differs from a broker was measured with librdkafka 2.16 and decides how it may be used:

- **It keeps 5 MiB a partition** (compressed, as produced) and drops whole batches from the front without a word. A
  reader that starts before the producers and fetches far ahead loses nothing (220 MB at 380 MB/s came through whole);
  one with `auto.offset.reset=error` gets `_AUTO_OFFSET_RESET` the moment it asks for what was dropped, while with
  `earliest` it would silently jump. Nothing else about a loss can be seen.
- Transactions run through every call (`init_transactions`, `send_offsets_to_transaction` with a cooperative-sticky
  group's metadata, commit, abort; some 2 ms a transaction), and a commit or abort leaves one marker in each partition,
  which takes an offset like a broker's. But read_committed readers **see open and aborted records**, the end offset is
  the log's end, and a zombie with an old epoch **is not fenced**.
- Offsets sent in a transaction **are not stored**: `committed()` stays at -1001, and a partition that is assigned anew
  is read from its beginning. Offsets that a consumer commits itself are stored.
- No topic is created, described or altered by admin calls: they time out. `list_topics` and `list_offsets` work.
- A topic that nobody made springs up with four partitions when anybody asks for its metadata.
- Nothing is compacted, and nothing expires but by size.
- The first rebalance of a group waits 3 s unless told otherwise; here it does not.

So it proves nothing about exactly-once. Source: librdkafka's `rdkafka_mock.h`, and the tests of this module.
"""

import ctypes
import ctypes.util
from pathlib import Path
from types import TracebackType
from typing import Self

import confluent_kafka

RETAINED_BYTES = 5 * 1024 * 1024
"""What a partition holds before its oldest batches go."""

_PRODUCER = 0
_OK = 0
_ERROR_TEXT_BYTES = 512


class EmbeddedKafkaUnavailable(Exception):
    """The mock cluster can't be had here; the text says why and what to use instead."""


class EmbeddedKafka:
    """One mock broker on a free local port, from `__enter__` to `__exit__`.

    Raises `EmbeddedKafkaUnavailable` on entry where librdkafka can't be found or does not start.
    """

    def __init__(self) -> None:
        self._library: ctypes.CDLL | None = None
        self._handle: int | None = None
        self._cluster: int | None = None
        self._address = ""

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients; valid while it runs."""
        return self._address

    def __enter__(self) -> Self:
        library = _load()
        self._library = library
        self._handle = _new_handle(library)
        self._cluster = library.rd_kafka_mock_cluster_new(self._handle, 1)
        if not self._cluster:
            self.close()
            raise EmbeddedKafkaUnavailable("librdkafka's mock cluster did not start; set KAFKA_BOOTSTRAP_SERVERS")
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        self._address = library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def create_topic(self, name: str, partitions: int) -> None:
        """Make a topic before anybody asks for it. Raises `ValueError` where it exists or the count is no count."""
        if self._library is None or self._cluster is None:
            raise RuntimeError("the embedded Kafka is not running")
        if self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1) != _OK:
            raise ValueError(f"the embedded Kafka refused topic {name!r} with {partitions} partitions")

    def close(self) -> None:
        """Drop the cluster and all that it holds; clients that are still open see a broker that is gone."""
        library, self._library = self._library, None
        cluster, self._cluster = self._cluster, None
        handle, self._handle = self._handle, None
        self._address = ""
        if library is None:
            return
        if cluster:
            library.rd_kafka_mock_cluster_destroy(cluster)
        if handle:
            library.rd_kafka_destroy(handle)


def _library_path() -> str:
    """Where librdkafka is: beside the wheel (Linux and Windows, macOS), else the system's."""
    package = Path(confluent_kafka.__file__).parent
    for directory, pattern in (
        (package.parent / "confluent_kafka.libs", "librdkafka*"),
        (package / ".dylibs", "librdkafka*"),
    ):
        for found in sorted(directory.glob(pattern)):
            return str(found)
    if (installed := ctypes.util.find_library("rdkafka")) is not None:
        return installed
    raise EmbeddedKafkaUnavailable("librdkafka was not found beside confluent-kafka; set KAFKA_BOOTSTRAP_SERVERS")


def _load() -> ctypes.CDLL:
    path = _library_path()
    try:
        library = ctypes.CDLL(path)
        pointer, text, size, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int
        signatures = {
            "rd_kafka_conf_new": (pointer, []),
            "rd_kafka_conf_set": (number, [pointer, text, text, text, size]),
            "rd_kafka_new": (pointer, [number, pointer, text, size]),
            "rd_kafka_destroy": (None, [pointer]),
            "rd_kafka_mock_cluster_new": (pointer, [pointer, number]),
            "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
            "rd_kafka_mock_cluster_destroy": (None, [pointer]),
            "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [pointer, ctypes.c_int32]),
            "rd_kafka_mock_topic_create": (number, [pointer, text, number, number]),
        }
        for name, (result, arguments) in signatures.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as problem:
        raise EmbeddedKafkaUnavailable(
            f"librdkafka at {path} has no mock cluster ({problem}); set KAFKA_BOOTSTRAP_SERVERS"
        ) from None
    return library


def _new_handle(library: ctypes.CDLL) -> int:
    """Make the client that the cluster lives in; it connects to nothing itself."""
    error = ctypes.create_string_buffer(_ERROR_TEXT_BYTES)
    configuration = library.rd_kafka_conf_new()
    # Without this it warns on standard error that it has no brokers, which is so on purpose.
    library.rd_kafka_conf_set(configuration, b"log_level", b"3", error, _ERROR_TEXT_BYTES)
    handle: int | None = library.rd_kafka_new(_PRODUCER, configuration, error, _ERROR_TEXT_BYTES)
    if not handle:
        reason = error.value.decode(errors="replace")
        raise EmbeddedKafkaUnavailable(f"librdkafka did not start ({reason}); set KAFKA_BOOTSTRAP_SERVERS")
    return handle
