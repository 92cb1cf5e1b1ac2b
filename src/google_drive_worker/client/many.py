"""Many calls that are alike, in batch requests: each part is priced, answered, refused and tried again for itself.

Theory of operation. All that waits goes out in rounds, in batches one after the other. A part that fails and may be
tried again waits for the next round, which comes after a backoff; as long as a round gets any part through, nothing is
given up. So a storm that refuses a third of all calls costs some rounds, and a part that never gets through costs what
a single call would. A refusal that concerns one item is that item's result; any other ends it all.

Source: the guide "Send multiple Drive API calls as a single request".
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from google_drive_worker.client.batch import decode_batch, encode_batch
from google_drive_worker.client.calls import OK, UNAUTHORIZED, Call, Caller, Method, Tally, decoded, headers_with
from google_drive_worker.client.faults import CallKind
from google_drive_worker.client.quota import Cost
from google_drive_worker.domain.ids import FileId, PageToken
from google_drive_worker.http.retry import given_up, next_delay_s
from google_drive_worker.http.transport import HttpRequest, HttpResponse
from google_drive_worker.utils.errors import PageTokenRejected, Retryable, SkipItem, Terminal, WorkerError

T = TypeVar("T")
P = TypeVar("P", bound="Page")

BATCH_PATH = "/batch/drive/v3"
"""On the host of the API (`batchPath` of drive.v3.json)."""

GATHER_S = 2.0
"""How long a batch waits for the quota of more of its parts, before it leaves with those that have theirs."""

PAGES_AT_MOST = 1_000
"""Of one item's list: more would be a list that never ends."""

RESTARTS_AT_MOST = 3
"""How often one item's list begins anew because its page token was refused."""

_TOO_LARGE = frozenset({"response_too_large", "timeout", "truncated"})
"""Codes of a batch that failed because of its size, perhaps: the next one is half as large."""

_CONTENT_TOO_LARGE = 413

_BATCH = Method("drive.batch", CallKind.LISTING, Cost.OTHER)
"""What a refusal of a whole batch is about: all of its items. Its price is that of its parts."""


class Page(Protocol):
    """A page of some item's list."""

    @property
    def next_page_token(self) -> PageToken | None:
        """Where the list goes on."""
        ...


async def list_many(
    caller: Caller,
    method: Method,
    file_ids: Iterable[FileId],
    call_of: Callable[[FileId, PageToken | None], Call],
    decode: Callable[[bytes], P],
) -> dict[FileId, list[P] | SkipItem]:
    """All pages of a list of each item; or why the item's can't be had."""
    found: dict[FileId, list[P] | SkipItem] = {}
    restarts: dict[FileId, int] = {}
    asked: dict[FileId, PageToken | None] = dict.fromkeys(file_ids)
    while asked:
        calls = {file_id: call_of(file_id, token) for file_id, token in asked.items()}
        answers = await call_many(caller, method, calls, decode)
        more: dict[FileId, PageToken | None] = {}
        for file_id, answer in answers.items():
            pages = found.setdefault(file_id, [])
            if isinstance(answer, PageTokenRejected):
                restarts[file_id] = restarts.get(file_id, 0) + 1
                if asked[file_id] is None or restarts[file_id] > RESTARTS_AT_MOST:
                    raise answer
                found[file_id], more[file_id] = [], None
            elif isinstance(answer, SkipItem) or isinstance(pages, SkipItem):
                found[file_id] = answer if isinstance(answer, SkipItem) else pages
            else:
                pages.append(answer)
                if answer.next_page_token is None:
                    continue
                if len(pages) < PAGES_AT_MOST:
                    more[file_id] = answer.next_page_token
                else:  # half of a list would pass for all of it
                    found[file_id] = SkipItem(f"its list has over {PAGES_AT_MOST} pages", code="list_too_long")
        asked = more
    return found


async def call_many(
    caller: Caller, method: Method, calls: Mapping[FileId, Call], decode: Callable[[bytes], T]
) -> dict[FileId, T | SkipItem | PageTokenRejected]:
    """Make a call for each item: its answer, or why it can't be had, which a refused page token is as well.

    Raises the first error that concerns more than one item, and `Retryable` for what is given up.
    """
    if len(calls) == 1:
        [(file_id, call)] = calls.items()
        try:
            return {file_id: await caller.call(method, call, decode)}
        except (SkipItem, PageTokenRejected) as problem:
            return {file_id: problem}
    many = _Many(caller, method, calls, decode)
    started_s = caller.shared.clock.monotonic_s()
    error: str | None = "internal"
    try:
        await many.run()
    except asyncio.CancelledError:
        error = "cancelled"
        raise
    except WorkerError as failure:
        error = failure.code
        raise
    finally:
        for file_id, tally in many.tallies.items():
            result = many.results.get(file_id)
            code = result.code if isinstance(result, WorkerError) else None
            caller.report(method, started_s, tally, code if file_id in many.results else error)
    return many.results


class _Batch(NamedTuple):
    """A batch's items with their answers, `None` where none came; and what refused the whole of it."""

    answers: dict[FileId, HttpResponse | None]
    token: str
    refusal: WorkerError | None = None


class _Many(Generic[T]):
    """Many calls on their way."""

    def __init__(
        self, caller: Caller, method: Method, calls: Mapping[FileId, Call], decode: Callable[[bytes], T]
    ) -> None:
        self.results: dict[FileId, T | SkipItem | PageTokenRejected] = {}
        self.tallies = {file_id: Tally() for file_id in calls}
        self._caller = caller
        self._method = method
        self._decode = decode
        self._targets = {file_id: caller.target(call) for file_id, call in calls.items()}
        self._refreshed: set[FileId] = set()

    async def run(self) -> None:
        """Until every call has its result."""
        shared = self._caller.shared
        rounds, since_s = 1, shared.clock.monotonic_s()
        waiting = list(self._targets)
        while waiting:
            failed, failure = await self._round(waiting)
            if len(failed) < len(waiting):
                rounds, since_s = 1, shared.clock.monotonic_s()
            if failure is not None:
                elapsed_s = shared.clock.monotonic_s() - since_s
                delay_s = next_delay_s(rounds, elapsed_s, failure, shared.retry, shared.random)
                if delay_s is None:
                    raise given_up(failure, rounds, shared.retry)
                await shared.clock.sleep(delay_s)
                rounds += 1
            waiting = failed

    async def _round(self, waiting: Sequence[FileId]) -> tuple[list[FileId], Retryable | None]:
        """Send all of them once: those to be sent again, and the last trouble that they had, if it was any."""
        left = list(waiting)
        failed: list[FileId] = []
        trouble: Retryable | None = None
        while left:
            batch = await self._send(left[: self._caller.shared.batch_size.parts])
            left = left[len(batch.answers) :]
            if batch.refusal is not None and not isinstance(batch.refusal, Retryable):
                if batch.refusal.http_status != UNAUTHORIZED or not self._refreshed.isdisjoint(batch.answers):
                    raise batch.refusal
                self._refreshed.update(batch.answers)
                failed.extend(batch.answers)
                continue
            again, failure = self._take_in(batch)
            failed.extend(again)
            trouble = failure or trouble
        return failed, trouble

    def _take_in(self, batch: _Batch) -> tuple[list[FileId], Retryable | None]:
        """Keep a batch's results: the items that have none yet, and why, unless that is over already."""
        trouble = batch.refusal if isinstance(batch.refusal, Retryable) else None
        for file_id, response in batch.answers.items():
            failure = self._keep(file_id, response, batch.token)
            trouble = trouble or failure
        failed = [file_id for file_id in batch.answers if file_id not in self.results]
        size = self._caller.shared.batch_size
        if trouble is None:
            size.grow()
        elif len(failed) * 2 > len(batch.answers):
            size.shrink()
        return failed, trouble

    def _keep(self, file_id: FileId, response: HttpResponse | None, token: str) -> Retryable | None:
        """Keep the result that an answer is, or return why it is none yet, but for a token that was just refused."""
        if response is None:
            return Retryable("a call of a batch was not answered", code="truncated")
        self.tallies[file_id].status = response.status
        try:
            if response.status == OK:
                self.results[file_id] = decoded(self._decode, response.body)
                return None
            failure = self._caller.refusal(self._method, response, token)
            if response.status != UNAUTHORIZED or file_id in self._refreshed:
                raise failure
            self._refreshed.add(file_id)
        except (SkipItem, PageTokenRejected) as problem:
            self.results[file_id] = problem
        except Retryable as trouble:
            return trouble
        return None

    async def _send(self, file_ids: Sequence[FileId]) -> _Batch:
        """Send as many of those calls as have quota soon, the first at least."""
        caller, shared = self._caller, self._caller.shared
        file_ids = file_ids[: await self._acquire(len(file_ids))]
        token = await caller.authorizer.token()
        content_type, body = encode_batch([self._targets[each] for each in file_ids], secrets.token_hex(16))
        for file_id in file_ids:
            self.tallies[file_id].attempts += 1
            self.tallies[file_id].status = None
        headers = {**headers_with(token), "Content-Type": content_type, "Accept": "multipart/mixed"}
        nothing: dict[FileId, HttpResponse | None] = dict.fromkeys(file_ids)
        try:
            response = await shared.transport.send(HttpRequest("POST", BATCH_PATH, headers, body))
        except (Retryable, Terminal) as failure:
            if failure.code not in _TOO_LARGE or len(file_ids) == 1:
                return _Batch(nothing, token, failure)
            return _Batch(nothing, token, Retryable(failure.message, code=failure.code))
        if response.status == _CONTENT_TOO_LARGE and len(file_ids) > 1:
            return _Batch(nothing, token, Retryable("the batch is too large", code="batch_too_large"))
        if response.status != OK:
            return _Batch(nothing, token, caller.refusal(_BATCH, response, token))
        answers = decode_batch(response.headers.get("Content-Type", ""), response.body, len(file_ids))
        return _Batch(dict(zip(file_ids, answers, strict=True)), token)

    async def _acquire(self, count: int) -> int:
        """Wait for one call's quota and take that of others as long as it comes soon; returns that of how many."""
        caller, clock = self._caller, self._caller.shared.clock
        ends_s = clock.monotonic_s() + GATHER_S
        granted = 0
        while granted < count and (not granted or clock.monotonic_s() < ends_s):
            await caller.shared.limiter.acquire(caller.quota_user, self._method.cost)
            granted += 1
        return granted
