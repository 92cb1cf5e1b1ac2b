"""One bucket, or one directory: bytes under keys, with every failure told as what a person can do about it."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from google_drive_worker.storage.credentials import Keys, KeySource
from google_drive_worker.storage.upload import upload
from google_drive_worker.utils.errors import Retryable, StoreUnavailable

if TYPE_CHECKING:
    from obstore.store import S3Credential

T = TypeVar("T")

_RETRIES = 5
_RETRY_TIME = timedelta(seconds=20)
_TIMEOUT = timedelta(seconds=60)
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_TEXT_CHARS = 16 * 1024
_BARE_REDIRECT = "redirect without LOCATION"
_WRONG_REGION = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"})
_SKEWED = "RequestTimeTooSkewed"
_SKEW_AT_MOST_S = 300.0
_UNEXPLAINED = frozenset({400, 403})
_STATUS = re.compile(r"status code: (\d{3})")
_REJECTED_KEYS = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired", "RequestExpired"}
)


class Bucket(Protocol):
    """Where objects are. Every call raises `StoreUnavailable` where it can't be used, or has no keys."""

    def uri(self, key: str) -> str:
        """The object's address."""
        ...

    async def write(self, key: str, value: bytes, content_type: str) -> None:
        """Keep the bytes; when it returns they are there to be read."""
        ...

    async def write_parts(self, key: str, parts: AsyncIterable[bytes], content_type: str) -> None:
        """Keep what the parts come to. Nothing is to be seen before the end, and nothing at all where they raise."""
        ...

    async def read(self, key: str) -> bytes | None:
        """A small object's bytes, `None` where there is none."""
        ...

    async def size(self, key: str) -> int | None:
        """An object's size in bytes, `None` where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class S3Options:
    """Where the bucket is and how objects are encrypted there; `kms_key_id` asks for SSE-KMS with that key."""

    bucket: str
    region: str
    endpoint_url: str | None = None
    kms_key_id: str | None = None


@dataclass(slots=True)
class _Held:
    """The keys that are good now, as obstore asks for them before each request: from its own threads, so it can't wait.

    Apart from the bucket, lest that and its store hold each other for good.
    """

    keys: Keys | None = None

    def __call__(self) -> "S3Credential":
        """Raises `LookupError` before there are any."""
        if self.keys is None:
            raise LookupError("no keys")
        return {
            "access_key_id": self.keys.access_key_id,
            "secret_access_key": self.keys.secret_access_key,
            "token": self.keys.session_token,
            "expires_at": datetime.now(UTC),  # to be asked again each time
        }


@dataclass(slots=True)
class S3Bucket:
    """A bucket of S3's, or of a server that speaks like it. Keys that it says are used up are asked for anew."""

    options: S3Options
    keys: KeySource
    _store: S3Store | None = None
    _held: _Held = field(default_factory=_Held)
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def uri(self, key: str) -> str:
        """`s3://bucket/key`."""
        return f"s3://{self.options.bucket}/{key}"

    async def write(self, key: str, value: bytes, content_type: str) -> None:
        """PutObject."""
        await self._do(
            lambda store: obstore.put_async(
                store, key, value, attributes={"Content-Type": content_type}, use_multipart=False
            )
        )

    async def write_parts(self, key: str, parts: AsyncIterable[bytes], content_type: str) -> None:
        """A multipart upload. It is not repeated as a whole: the parts came from elsewhere, and are gone.

        It may outlast its keys by hours: they are renewed while it goes on.
        """
        store = await self._open()
        try:
            await upload(store, key, self._with_good_keys(parts), content_type)
        except (BaseError, OSError) as problem:
            code, failure = self._failure(problem)
            if code in _REJECTED_KEYS:
                self._drop()
        else:
            return
        raise failure

    async def _with_good_keys(self, parts: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        async for part in parts:
            with contextlib.suppress(Retryable):  # the keys may be good still: S3 will say
                await self._renew()
            yield part

    async def read(self, key: str) -> bytes | None:
        """GetObject."""
        return await _found(self._do(_bytes_at(key)))

    async def size(self, key: str) -> int | None:
        """HeadObject. Its refusals have no body: GetObject is asked then, which says why, or gives the size as well."""
        try:
            return await _found(self._do(_size_at(key)))
        except StoreUnavailable as problem:
            if problem.http_status not in _UNEXPLAINED:
                raise
        return await _found(self._do(_size_by_reading(key)))

    async def _do(self, what: Callable[[S3Store], Awaitable[T]]) -> T:
        """Do it; once more with other keys, where the server says that these are used up."""
        for attempt in (1, 2):
            store = await self._open()
            try:
                return await what(store)
            except (BaseError, OSError) as problem:
                code, failure = self._failure(problem)
            if code not in _REJECTED_KEYS or attempt > 1:
                break
            self._drop()
        raise failure

    async def _open(self) -> S3Store:
        await self._renew()
        if self._store is None:
            self._store = _s3_store(self.options, self._held)
        return self._store

    async def _renew(self) -> None:
        async with self._renewing:  # who comes meanwhile has the same keys
            held = self._held.keys
            if held is None or datetime.now(UTC) >= held.good_until:
                self._held.keys = await self.keys()

    def _drop(self) -> None:
        """These keys are used up. A store may have kept them for a moment, and goes as well."""
        self._store, self._held = None, _Held()

    def _failure(self, problem: Exception) -> tuple[str, StoreUnavailable]:
        """The code that S3 gave, and what to tell."""
        options, refusal = self.options, _refusal_in(str(problem)[:_TEXT_CHARS])
        code, status = refusal.code, refusal.status
        told = refusal.told(options)
        if told is None and status == _NOT_FOUND:
            return code, _Missing(f"the bucket {options.bucket} (S3_BUCKET_NAME) does not have the object")
        if told is None:
            answer = f"HTTP {status} {code}".strip() if status else "no answer"
            where = options.endpoint_url or "S3"
            told = f"the bucket {options.bucket} (S3_BUCKET_NAME) can't be used at {where} ({answer})"
        return code, StoreUnavailable(told, http_status=status)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An error of S3's, read. S3's own text goes nowhere: it repeats keys and addresses."""

    code: str
    status: int | None
    is_redirect: bool
    skew_s: float | None
    """How far our clock is ahead of S3's, where it says both times."""

    def told(self, options: S3Options) -> str | None:
        """What a person can do about it; `None` where only the code and status are known."""
        where = f"the bucket {options.bucket} (S3_BUCKET_NAME)"
        region = f"{where} is in another region than {options.region}; set S3_REGION"
        told = {
            "NoSuchBucket": f"there is no bucket {options.bucket}; create it, or set S3_BUCKET_NAME",
            "AccessDenied": f"S3 does not let us into {where}; grant s3:PutObject and s3:GetObject",
            "InvalidAccessKeyId": f"S3 does not know our access key for {where}",
            "SignatureDoesNotMatch": f"S3 does not accept our secret key for {where}",
            **dict.fromkeys(_WRONG_REGION, region),
            **dict.fromkeys(_REJECTED_KEYS, f"S3 says that our temporary credentials for {where} are used up"),
        }.get(self.code)
        if self.code == _SKEWED or (self.code == "AccessDenied" and abs(self.skew_s or 0.0) > _SKEW_AT_MOST_S):
            way = "" if not self.skew_s else f" by {abs(self.skew_s):.0f} s, {'ahead' if self.skew_s > 0 else 'behind'}"
            return f"this machine's clock is wrong{way}: S3 refuses what we sign for {where}; set the clock (NTP)"
        if told is None and self.code.startswith("KMS"):
            return f"the key {options.kms_key_id} (S3_KMS_KEY_ID) can't be used ({self.code})"
        return region if told is None and (self.is_redirect or self.status in {301, 307}) else told


def _refusal_in(text: str) -> _Refusal:
    """What obstore's text tells of S3's answer. It has no status where a redirect names no place."""
    code = match[1] if (match := _CODE.search(text)) else ""
    status = int(match[1]) if (match := _STATUS.search(text)) else None
    ours, theirs = (_time_in(text, name) for name in ("RequestTime", "ServerTime"))
    skew_s = None if ours is None or theirs is None else (ours - theirs).total_seconds()
    return _Refusal(code, status, _BARE_REDIRECT in text, skew_s)


def _time_in(text: str, name: str) -> datetime | None:
    match = re.search(rf"<{name}>([\dTZ:.+-]{{1,40}})</{name}>", text)
    try:
        time = None if match is None else datetime.fromisoformat(match[1])
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time


_NOT_FOUND = 404


class _Missing(StoreUnavailable):
    """404 of an object; of a bucket S3 says so."""


async def _found(asked: Awaitable[T]) -> T | None:
    """What was asked for, `None` where it is missing."""
    try:
        return await asked
    except _Missing:
        return None


def _bytes_at(key: str) -> Callable[[S3Store | LocalStore], Awaitable[bytes]]:
    async def get(store: S3Store | LocalStore) -> bytes:
        return bytes(await (await obstore.get_async(store, key)).bytes_async())

    return get


def _size_at(key: str) -> Callable[[S3Store | LocalStore], Awaitable[int]]:
    async def head(store: S3Store | LocalStore) -> int:
        return (await obstore.head_async(store, key))["size"]

    return head


def _size_by_reading(key: str) -> Callable[[S3Store], Awaitable[int]]:
    async def get(store: S3Store) -> int:
        return (await obstore.get_async(store, key)).meta["size"]

    return get


def _s3_store(options: S3Options, held: _Held) -> S3Store:
    return S3Store(
        options.bucket,
        credential_provider=held,
        config={
            "region": options.region,
            # TLS has a checksum of its own.
            "unsigned_payload": options.endpoint_url is None or options.endpoint_url.startswith("https:"),
            **({"endpoint": options.endpoint_url} if options.endpoint_url else {}),
            **(
                {"server_side_encryption": "aws:kms", "sse_kms_key_id": options.kms_key_id}
                if options.kms_key_id
                else {}
            ),
        },
        # Its HTTP client follows redirects of reads by itself: where the endpoint is https it is to take nothing else.
        client_options={"allow_http": (options.endpoint_url or "").startswith("http:"), "timeout": _TIMEOUT},
        retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY_TIME},
    )


@dataclass(slots=True)
class DirectoryBucket:
    """A directory of this machine, made where it is missing. Objects appear in it whole."""

    directory: Path
    _store: LocalStore | None = None

    def uri(self, key: str) -> str:
        """`file:///directory/key`."""
        return (self.directory / key).as_uri()

    async def write(self, key: str, value: bytes, content_type: str) -> None:
        """A file of its own, renamed into place. A directory keeps no content type."""
        del content_type
        await self._do(lambda store: obstore.put_async(store, key, value))

    async def write_parts(self, key: str, parts: AsyncIterable[bytes], content_type: str) -> None:
        """The same, part by part."""
        del content_type
        await self._do(lambda store: upload(store, key, parts))

    async def read(self, key: str) -> bytes | None:
        """The file's bytes."""
        return await _found(self._do(_bytes_at(key)))

    async def size(self, key: str) -> int | None:
        """The file's size."""
        return await _found(self._do(_size_at(key)))

    async def _do(self, what: Callable[[LocalStore], Awaitable[T]]) -> T:
        failure: StoreUnavailable
        try:
            if self._store is None:
                self._store = LocalStore(self.directory, mkdir=True)
            return await what(self._store)
        except FileNotFoundError:
            failure = _Missing("the directory does not have the object")
        except (BaseError, OSError):
            failure = StoreUnavailable(
                f"the directory {self.directory} (S3_BUCKET_NAME) can't be written; make it, or set its permissions"
            )
        raise failure
