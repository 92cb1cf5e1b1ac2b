"""The floor: the least that any program in Python must do to bring these pages to Kafka.

One process (`python -m benchmarks.floor ORIGIN BROKERS TOPIC`): HTTP over TLS by a bare asyncio protocol with
httptools, isal's gunzip, `msgspec.Raw` to split the page, the file's own bytes put into an envelope without being
decoded, an idempotent producer. The next page is asked for before the present one is produced. No transactions, no
checkpoint, no headers, no error handling, no limit on anything; the producer as it comes but for idempotence and lz4.

Further arguments make it harder to match: with `batched` it fills its batches as the worker does, which is a third
cheaper; with `headers` each message has the three headers that the contract asks for, which no program can leave out.
"""

import asyncio
import ssl
import sys
from typing import cast

import httptools
import msgspec
import uvloop
from confluent_kafka import Producer
from isal import isal_zlib

from benchmarks.measure import Result, peak_mb_here, result, usage_here
from google_drive_worker.client.fields import FILES_PAGE_FIELDS

_KEY = b"conn_bench"
_SOURCE = ("source", b"google-drive")
_CONTENT_TYPE = ("content-type", b"application/json")
_ID_AT = len(b'{"id":"')
_HEAD = (
    b'{"message_id":"0e5a6b7c-3d2e-4f1a-9b8c-7d6e5f4a3b2c","customer_id":"cust_bench","integration_id":"google-drive",'
    b'"integration_connection_id":"conn_bench","resource_type":"file","resource_id":"'
)
_MIDDLE = b'","idempotency_key":"google-drive:conn_bench:file:'
_TAIL = (
    b'","operation":"upsert","sync_id":"0192f0c1-2345-7abc-8def-0123456789ab","produced_at":"2025-01-20T10:00:00.000Z",'
    b'"schema_version":"1.0","data":'
)


class _Page(msgspec.Struct, rename="camel"):
    files: list[msgspec.Raw]
    next_page_token: str | None = None


_decode = msgspec.json.Decoder(_Page).decode


class _Client(asyncio.Protocol):
    """One kept-alive connection, one answer at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to ask."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        """Keep a part of the body."""
        self._body.append(data)

    def on_message_complete(self) -> None:
        """Hand the body over, and be ready for the next answer."""
        body, self._body = b"".join(self._body), []
        self._parser = httptools.HttpResponseParser(self)
        if self._answer is not None:
            self._answer.set_result(body)

    def get(self, target: str) -> asyncio.Future[bytes]:
        """Send a request; its body comes as it was sent."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(
            f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n".encode("ascii")
        )
        return self._answer


async def run(origin: str, brokers: str, topic: str, *extras: str) -> Result:
    """Bring one listing to Kafka; `extras` are among `batched` and `headers`."""
    headers = "headers" in extras
    batching = {"linger.ms": 100} if "batched" in extras else {}
    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "enable.idempotence": True,
            "compression.type": "lz4",
            "delivery.report.only.error": True,
            **batching,
        }
    )
    host, _, port = origin.removeprefix("https://").partition(":")
    _, client = await asyncio.get_running_loop().create_connection(
        _Client, host, int(port), ssl=ssl.create_default_context()
    )
    await client.get("/drive/v3/changes/startPageToken")
    target = f"/drive/v3/files?pageSize=1000&fields={FILES_PAGE_FIELDS}"
    records = 0
    begin = usage_here()
    answer: asyncio.Future[bytes] | None = client.get(target)
    while answer is not None:
        page = _decode(isal_zlib.decompress(await answer, 31))
        answer = client.get(f"{target}&pageToken={page.next_page_token}") if page.next_page_token else None
        for file in page.files:
            data = bytes(file)
            file_id = data[_ID_AT : data.index(b'"', _ID_AT)]
            value = b"".join((_HEAD, file_id, _MIDDLE, file_id, _TAIL, data, b"}"))
            while True:
                try:
                    if headers:
                        own = ("idempotency_key", b"google-drive:conn_bench:file:" + file_id)
                        producer.produce(topic, value, _KEY, headers=[_SOURCE, own, _CONTENT_TYPE])
                    else:
                        producer.produce(topic, value, _KEY)
                except BufferError:
                    producer.poll(0.05)
                else:
                    break
        producer.poll(0)
        records += len(page.files)
    producer.flush()
    return result(", ".join(("floor", *extras)), records, begin, usage_here(), peak_mb_here())


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(run(*sys.argv[1:]))))
