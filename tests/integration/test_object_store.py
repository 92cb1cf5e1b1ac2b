"""The object store against a real S3 server process, and against a directory."""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from google_drive_worker.domain.connection import AccessToken, Connection, Secret, TemporaryKeys
from google_drive_worker.domain.ids import ConnectionId, CustomerId
from google_drive_worker.domain.objects import ObjectRef
from google_drive_worker.storage.setup import object_stores
from google_drive_worker.storage.store import BucketObjects, BucketStores
from google_drive_worker.utils.errors import ChecksumMismatch, Retryable, StoreUnavailable
from support.s3_server import BUCKET, KEYS, front_of, keys_in, s3_server, uploads_in

CONNECTION = Connection(
    connection_id=ConnectionId("conn_1"), customer_id=CustomerId("cust_1"), credentials=AccessToken(Secret("t"))
)
MB = 1 << 20
TEXT = "text/plain"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The S3 server's address."""
    with s3_server() as url:
        yield url


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The standard chain finds static keys, and nothing of this machine's."""
    for name, value in {**KEYS, "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": str(tmp_path / "none")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def stores(url: str | None, bucket: str = BUCKET, kms_key_id: str | None = None) -> BucketStores:
    """The store of that server."""
    return object_stores(bucket, region="us-east-1", endpoint_url=url, kms_key_id=kms_key_id)


@pytest.fixture(params=["s3", "directory"])
def store(request: pytest.FixtureRequest, server: str, tmp_path: Path) -> BucketObjects:
    """The connection's store, in S3 and in a directory that is not there yet."""
    made = stores(server) if request.param == "s3" else stores(None, (tmp_path / "new dir").as_uri())
    return made.open(CONNECTION)


async def stream(*parts: bytes, problem: Exception | None = None) -> AsyncIterator[bytes]:
    """A download that may fail at its end."""
    for part in parts:
        yield part
    if problem is not None:
        raise problem


async def test_an_object_is_there_when_it_was_put(store: BucketObjects) -> None:
    """Under its digest, below the customer; putting it again changes nothing."""
    ref = await store.put(b"hello", TEXT)
    assert ref == await store.put(b"hello", TEXT) == await store.find(ref.sha256, TEXT)
    assert (ref.size_bytes, ref.sha256) == (5, hashlib.sha256(b"hello").hexdigest())
    assert ref.uri.endswith(f"/cust_1/google-drive/objects/{ref.sha256[:2]}/{ref.sha256}")
    assert await store.find("0" * 64, TEXT) is None


@pytest.mark.parametrize("size", [0, 5, 8 * MB, 20 * MB + 1])
@pytest.mark.parametrize("known", [True, False])
async def test_a_stream_of_any_size_is_kept_whole(store: BucketObjects, size: int, known: bool) -> None:
    """Its checksum known beforehand or not."""
    parts = [bytes([number % 251]) * min(MB, size - at) for number, at in enumerate(range(0, size, MB))]
    sha256 = hashlib.sha256(b"".join(parts)).hexdigest()
    ref = await store.put_stream(stream(*parts), TEXT, sha256=sha256 if known else None)
    assert (ref.sha256, ref.size_bytes) == (sha256, size)
    assert await store.find(sha256, TEXT) == ref


async def test_of_a_stream_that_fails_nothing_is_seen(store: BucketObjects, server: str) -> None:
    """Neither of one that is cut, nor of one that is not what was announced; no upload is left behind."""
    parts = [b"x" * MB] * 12
    other = hashlib.sha256(b"other").hexdigest()
    for known in (other, None):
        with pytest.raises(Retryable, match="cut"):
            await store.put_stream(stream(*parts, problem=Retryable("cut")), TEXT, sha256=known)
    with pytest.raises(ChecksumMismatch):
        await store.put_stream(stream(*parts), TEXT, sha256=other)
    assert await store.find(other, TEXT) is None
    assert uploads_in(server) == []


@pytest.mark.parametrize("is_announced", [True, False])
async def test_an_upload_that_is_broken_off_lets_go_of_all_it_held(
    store: BucketObjects, server: str, is_announced: bool
) -> None:
    """By a stop in the middle of a download that brings nothing: no task, no half upload, no open download is left."""
    ended, silent = asyncio.Event(), asyncio.Event()

    async def download() -> AsyncGenerator[bytes, None]:
        try:
            for _ in range(20):
                yield bytes(MB)
            silent.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def put() -> None:
        async with aclosing(download()) as pieces:
            await store.put_stream(pieces, TEXT, sha256="0" * 64 if is_announced else None)

    before = asyncio.all_tasks()
    putting = asyncio.create_task(put())
    async with asyncio.timeout(20):
        await silent.wait()
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
    assert ended.is_set()
    assert asyncio.all_tasks() == before
    assert uploads_in(server) == []


async def test_a_note_leads_to_an_object_that_is_there(store: BucketObjects) -> None:
    """The last one counts; one whose object is gone, or that can't be read, counts for nothing."""
    first, second = await store.put(b"one", TEXT), await store.put(b"two", TEXT)
    assert await store.recall("topic ü/..") is None
    await store.note("topic ü/..", first)
    await store.note("topic ü/..", second)
    assert await store.recall("topic ü/..") == second
    await store.note("gone", ObjectRef(first.uri, 3, "1" * 64, TEXT))
    assert await store.recall("gone") is None


async def test_the_key_that_encrypts_is_asked_for(server: str) -> None:
    """In every way that an object comes about (S3 API, `x-amz-server-side-encryption-aws-kms-key-id`)."""
    with front_of(server) as front:
        store = stores(front.url, kms_key_id="alias/drive").open(CONNECTION)
        await store.put(b"small", TEXT)
        await store.put_stream(stream(b"y" * 9 * MB), TEXT, sha256=hashlib.sha256(b"y" * 9 * MB).hexdigest())
        begun = [seen for method, path, seen in front.seen if "uploadId" not in path and method in {"PUT", "POST"}]
    assert len(begun) == 2  # PutObject and CreateMultipartUpload
    for seen in begun:
        assert seen["x-amz-server-side-encryption"] == "aws:kms"
        assert seen["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/drive"
        assert seen["content-type"] == TEXT


async def test_a_storm_is_weathered_and_an_outage_told(server: str) -> None:
    """Some 503 are tried again; on and on they are one clear error that can be tried again later."""
    with front_of(server, failures=3) as front:
        store = stores(front.url).open(CONNECTION)
        ref = await store.put(b"in a storm", TEXT)
        front.status, front.code, front.failures = 403, "AccessDenied", 1
        with pytest.raises(Retryable, match=r"S3_BUCKET_NAME.*grant s3:PutObject") as caught:
            await store.put(b"refused", TEXT)
    assert ref.uri.removeprefix(f"s3://{BUCKET}/") in keys_in(server)
    assert caught.value.code == "object_store_unavailable"
    with pytest.raises(Retryable, match=r"can't be used at http://127\.0\.0\.1:1 "):
        await stores("http://127.0.0.1:1").open(CONNECTION).find("0" * 64, TEXT)


SKEW = (
    "<Message>The difference between the request time and the current time is too large. SECRET</Message>"
    "<RequestTime>20261130T190000Z</RequestTime><ServerTime>2026-11-30T18:00:00Z</ServerTime>"
)


@pytest.mark.parametrize("call", ["put", "find", "recall", "put_stream"])
@pytest.mark.parametrize(
    ("status", "code", "detail", "told"),
    [
        (301, "PermanentRedirect", "", f"the bucket {BUCKET} .* is in another region than us-east-1; set S3_REGION"),
        (307, "TemporaryRedirect", "", f"the bucket {BUCKET} .* is in another region than us-east-1; set S3_REGION"),
        (400, "AuthorizationHeaderMalformed", "", "in another region than us-east-1; set S3_REGION"),
        (403, "RequestTimeTooSkewed", SKEW, f"clock is wrong by 3600 s, ahead: .*{BUCKET}.*set the clock"),
        (403, "RequestTimeTooSkewed", "", "clock is wrong: .*set the clock"),
        (403, "RequestTimeTooSkewed", "<ServerTime>x</ServerTime>", "clock is wrong: .*set the clock"),
        (403, "AccessDenied", SKEW, "clock is wrong by 3600 s, ahead"),
        (403, "AccessDenied", "", "S3 does not let us into the bucket .*grant s3:PutObject"),
    ],
)
async def test_what_a_person_has_to_set_right_is_named(
    server: str, call: str, status: int, code: str, detail: str, told: str
) -> None:
    """The region, the clock, a grant: whichever call meets it first, HEAD, whose answers have no text, included."""
    with front_of(server, status=status, code=code, detail=detail, failures=100) as front:
        store = stores(front.url).open(CONNECTION)
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "put": lambda: store.put(b"x", TEXT),
            "find": lambda: store.find("0" * 64, TEXT),
            "recall": lambda: store.recall("topic"),
            "put_stream": lambda: store.put_stream(stream(b"x"), TEXT, sha256=hashlib.sha256(b"x").hexdigest()),
        }
        with pytest.raises(StoreUnavailable, match=told) as caught:
            await calls[call]()
    assert caught.value.code == "object_store_unavailable"
    assert "SECRET" not in caught.value.message
    assert "<" not in caught.value.message


async def test_keys_that_are_used_up_are_replaced_where_a_look_meets_it_first(server: str) -> None:
    """A HEAD's refusal does not say why; the GET after it does, and the object is found."""
    given: list[str] = []

    async def temporary(_: ConnectionId) -> TemporaryKeys:
        given.append(f"token-{len(given) + 1}")
        ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        return TemporaryKeys("testing", Secret("CANARY-secret"), Secret(given[-1]), ends)

    there = await stores(server).open(CONNECTION).put(b"looked for", TEXT)
    with front_of(server, rejected={"token-1"}) as front:
        own = object_stores(BUCKET, region="us-east-1", endpoint_url=front.url, temporary_keys=temporary)
        assert await own.open(CONNECTION).find(there.sha256, TEXT) == there
        assert given == ["token-1", "token-2"]
        assert await own.open(CONNECTION).find("0" * 64, TEXT) is None


async def test_a_temporary_directory_that_is_full_is_told(
    server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Exports wait there: it names the variable, and is no bug."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(StoreUnavailable, match="TMPDIR"):
        await stores(server).open(CONNECTION).put_stream(stream(b"x"), TEXT)


async def test_temporary_keys_that_are_used_up_are_replaced(server: str) -> None:
    """Before they end by the clock, and where S3 says so before that: the call goes through."""
    given: list[str] = []

    async def temporary(connection_id: ConnectionId) -> TemporaryKeys:
        assert connection_id == "conn_1"
        given.append(f"token-{len(given) + 1}")
        lasts = timedelta(seconds=-5 if len(given) == 1 else 3600)
        ends = (datetime.now(UTC) + lasts).isoformat()
        return TemporaryKeys("testing", Secret("CANARY-secret"), Secret(given[-1]), ends)

    with front_of(server, rejected={"token-1"}) as front:
        own = object_stores(BUCKET, region="us-east-1", endpoint_url=front.url, temporary_keys=temporary)
        await own.open(CONNECTION).put(b"one", TEXT)
        used = [headers.get("x-amz-security-token") for _, _, headers in front.seen]
        assert used == ["token-1", "token-2"]
        await own.open(CONNECTION).put(b"two", TEXT)
        assert given == used


async def test_an_upload_outlasts_its_keys(server: str) -> None:
    """A file may take longer than keys live: the parts that come after their end are written by new ones."""
    given: list[datetime] = []

    async def temporary(_: ConnectionId) -> TemporaryKeys:
        given.append(datetime.now(UTC) + (timedelta(hours=1) if given else timedelta(seconds=0.5)))
        return TemporaryKeys("testing", Secret("s"), Secret(f"token-{len(given)}"), given[-1].isoformat())

    with front_of(server) as front:

        async def download() -> AsyncIterator[bytes]:
            for _ in range(9):
                yield bytes(MB)
            async with asyncio.timeout(20):
                while "PUT" not in [method for method, _, _ in front.seen] or datetime.now(UTC) < given[0]:  # noqa: ASYNC110 - seen from outside
                    await asyncio.sleep(0.01)
            front.rejected.add("token-1")
            for _ in range(20):
                yield bytes(MB)

        own = object_stores(BUCKET, region="us-east-1", endpoint_url=front.url, temporary_keys=temporary)
        sha256 = hashlib.sha256(bytes(29 * MB)).hexdigest()
        ref = await own.open(CONNECTION).put_stream(download(), TEXT, sha256=sha256)
        used = {headers.get("x-amz-security-token") for _, _, headers in front.seen}
    assert ref.size_bytes == 29 * MB
    assert used == {"token-1", "token-2"}


async def test_keys_come_by_web_identity(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A mounted token is traded for keys at STS, as in Kubernetes."""
    for name in KEYS:
        monkeypatch.delenv(name)
    token = tmp_path / "token"
    token.write_text("a.web.identity")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/drive")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with front_of(server) as front:
        await stores(front.url).open(CONNECTION).put(b"by web identity", TEXT)
        assert front.seen[-1][2]["x-amz-security-token"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_takes_neither_contents_nor_signatures_elsewhere(server: str, status: int) -> None:
    """What is written goes to the configured server alone, and nothing that another host sees is signed."""
    with (
        front_of(server) as elsewhere,
        front_of(server, status=status, location=f"{elsewhere.url.replace('127.0.0.1', 'localhost')}/steal") as front,
    ):
        store = stores(front.url).open(CONNECTION)
        with pytest.raises(Retryable):
            await store.put(b"private content", TEXT)
        assert [path for method, path, _ in elsewhere.seen if method not in {"GET", "HEAD"}] == []
        assert not any("authorization" in headers for _, _, headers in elsewhere.seen)
        assert any("authorization" in headers for _, _, headers in front.seen)


def _no_bucket(server: str, _: Path, __: pytest.MonkeyPatch) -> BucketStores:
    return stores(server, "no-such-bucket")


def _no_keys(server: str, _: Path, monkeypatch: pytest.MonkeyPatch) -> BucketStores:
    for name in KEYS:
        monkeypatch.delenv(name)
    return stores(server)


def _no_directory(_: str, directory: Path, __: pytest.MonkeyPatch) -> BucketStores:
    (directory / "file").write_text("")
    return stores(None, (directory / "file").as_uri())


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (_no_bucket, "there is no bucket no-such-bucket; create it, or set S3_BUCKET_NAME"),
        (_no_keys, "no credentials for the object store: there are none; set AWS_ACCESS_KEY_ID"),
        (_no_directory, r"the directory .* \(S3_BUCKET_NAME\) can't be written"),
    ],
)
async def test_a_wrong_set_up_is_told_with_its_mend(
    server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken: Callable[[str, Path, pytest.MonkeyPatch], BucketStores],
    told: str,
) -> None:
    """In a line that names the variable, and holds no secret."""
    problem = await broken(server, tmp_path, monkeypatch).problem()
    assert re.match(told, problem or "")
    assert "\n" not in (problem or "")
    assert "CANARY" not in (problem or "")


async def test_a_worker_whose_connections_bring_their_keys_needs_none_of_its_own(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it has none is no problem then; a bucket that is missing still is one where it has some."""

    async def brought(_: ConnectionId) -> None:
        return None

    def missing() -> BucketStores:
        return object_stores("no-such-bucket", region="us-east-1", endpoint_url=server, temporary_keys=brought)

    assert (await missing().problem() or "").startswith("there is no bucket no-such-bucket")
    for name in KEYS:
        monkeypatch.delenv(name)
    assert await missing().problem() is None


async def test_a_sound_set_up_has_no_problem(server: str, tmp_path: Path) -> None:
    """What is written to see is small, and always the same."""
    assert await stores(server).problem() is None
    assert await stores(server).problem() is None
    assert len(keys_in(server, "google-drive-worker/")) == 1
    assert await stores(None, (tmp_path / "a" / "b").as_uri()).problem() is None
