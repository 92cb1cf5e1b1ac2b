"""Keys go where Kafka's Java producers put them."""

import pytest

from google_drive_worker.domain.partitioning import murmur2, partition_of

KNOWN = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}
"""Hashes as signed 32-bit numbers, from Kafka's own `UtilsTest.testMurmur2`."""


@pytest.mark.parametrize(("key", "signed"), KNOWN.items())
def test_hashes_are_javas(key: str, signed: int) -> None:
    """The known hashes of Kafka's own test come out, for every length of tail."""
    assert murmur2(key.encode()) == signed & 0xFFFFFFFF


@pytest.mark.parametrize(("key", "signed"), KNOWN.items())
def test_the_partition_is_the_positive_hash_modulo_their_number(key: str, signed: int) -> None:
    """As in `Utils.toPositive(murmur2(key)) % partitions` of the Java client."""
    for partitions in (1, 3, 7, 100):
        assert partition_of(key, partitions) == (signed & 0x7FFFFFFF) % partitions
