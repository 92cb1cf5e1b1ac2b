"""Many calls that are alike, in batch requests: each part is priced, answered, refused and tried again for itself.

Theory of operation. All that waits goes out in rounds, in batches one after the other. A part that fails and may be
tried again waits for the next round, which comes after a backoff; as long as a round gets any part through, nothing is
given up. So a storm that refuses a third of all calls costs some rounds, and a part that never gets through costs what
a single call would. A refusal that concerns one item is that item's result, and so is trouble that does not pass while
Google answers other calls (`isolation.py`); any other ends it all.

What a batch is refused for as a whole says nothing of its parts: it is tried again, smaller. What has come down to one
call is sent as a plain request, so that a batch endpoint that is gone is no more than slow.

Source: the guide "Send multiple Drive API calls as a single request".
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from google_drive_worker.client.batch import MOST_PARTS, decode_batch, encode_batch
from google_drive_worker.client.calls import (
    OK,
    UNAUTHORIZED,
    Call,
    Caller,
    Method,
    Tally,
    decoded,
    headers_with,
    is_outage_status,
)
from google_drive_worker.client.faults import CallKind
from google_drive_worker.client.isolation import may_be_an_items, of_call, retryable, unavailable
from google_drive_worker.client.load import is_outage
from google_drive_worker.client.quota import Cost
from google_drive_worker.domain.ids import FileId, PageToken
from google_drive_worker.http.retry import given_up, next_delay_s
from google_drive_worker.http.transport import HttpRequest, HttpResponse
from google_drive_worker.utils.errors import (
    ItemUnavailable,
    NeedsReauth,
    NoProgress,
    PageTokenRejected,
    Retryable,
    SkipItem,
    WorkerError,
)

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

_BATCH = Method("drive.batch", CallKind.ACCOUNT, Cost.OTHER)
"""What a refusal of a whole batch is about: none of its parts. Its price is that of its parts."""


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
    lists: dict[FileId, _List[P]] = {file_id: _List() for file_id in file_ids}
    asked: dict[FileId, PageToken | None] = dict.fromkeys(lists)
    while asked:
        calls = {file_id: call_of(file_id, token) for file_id, token in asked.items()}
        more: dict[FileId, PageToken | None] = {}
        for file_id, answer in (await call_many(caller, method, calls, decode)).items():
            if lists[file_id].go_on(answer):
                more[file_id] = lists[file_id].token
        asked = more
    return {file_id: each.problem or each.pages for file_id, each in lists.items()}


class _List(Generic[P]):
    """One item's list as it is read: its pages, and where it goes on."""

    def __init__(self) -> None:
        self.pages: list[P] = []
        self.token: PageToken | None = None
        self.problem: SkipItem | None = None
        self._seen: set[PageToken] = set()
        self._restarts = 0

    def go_on(self, answer: P | SkipItem | PageTokenRejected) -> bool:
        """Take in what was asked for. Returns whether there is more to ask for, from `token` on."""
        match answer:
            case PageTokenRejected():
                self._restarts += 1
                if self.token is None or self._restarts > RESTARTS_AT_MOST:
                    self.problem = unavailable(answer)
                self.pages, self.token, self._seen = [], None, set()
                return self.problem is None
            case SkipItem():
                self.problem = answer  # half of a list would pass for all of it
                return False
        self.pages.append(answer)
        self.token = answer.next_page_token or None  # an empty one would lead to the first page
        if self.token is None:
            return False
        if self.token in self._seen:
            self.problem = ItemUnavailable("a page token of its list leads nowhere new", code=NoProgress.code)
        elif len(self.pages) >= PAGES_AT_MOST:
            self.problem = ItemUnavailable(f"its list has over {PAGES_AT_MOST} pages", code="list_too_long")
        self._seen.add(self.token)
        return self.problem is None


async def call_many(
    caller: Caller, method: Method, calls: Mapping[FileId, Call], decode: Callable[[bytes], T]
) -> dict[FileId, T | SkipItem | PageTokenRejected]:
    """Make a call for each item: its answer, or why it can't be had, which a refused page token is as well.

    Raises the first error that concerns more than one item, and `Retryable` where Google answers nothing else either.
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
    """A batch's items with their answers or what came of them, `None` where nothing did; and what refused it whole."""

    answers: dict[FileId, HttpResponse | WorkerError | None]
    token: str
    refusal: Retryable | NeedsReauth | None = None


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
        self._calls = calls
        self._refreshed: set[FileId] = set()
        self._own: dict[FileId, Retryable | NeedsReauth] = {}
        """The last trouble of each item's own: answered for it alone, and not for a whole batch."""
        self._most = MOST_PARTS
        """Of a batch: less after one that was refused."""

    async def run(self) -> None:
        """Until every call has its result."""
        shared, load = self._caller.shared, self._caller.load
        rounds, since_s = 1, shared.clock.monotonic_s()
        waiting = list(self._calls)
        while waiting:
            failed, failure = await self._round(waiting)
            if len(failed) < len(waiting):
                rounds, since_s = 1, shared.clock.monotonic_s()
            if failure is not None:
                await self._caller.confirm(failure)
                elapsed_s = shared.clock.monotonic_s() - since_s
                delay_s = next_delay_s(rounds, elapsed_s, failure, shared.retry, shared.random)
                if delay_s is None or not load.may_retry(len(failed), failure, shared.clock.monotonic_s()):
                    failed = await self._isolated(failed, given_up(failure, rounds, shared.retry))
                    rounds, since_s = 1, shared.clock.monotonic_s()
                else:
                    await shared.clock.sleep(delay_s)
                    rounds += 1
            waiting = failed

    async def _isolated(self, failed: Sequence[FileId], failure: Retryable) -> list[FileId]:
        """Give up the items whose trouble is their own: those that are left. Raises the failure where there is none.

        What has met refused batches alone is left: it goes on one by one.
        """
        theirs = [file_id for file_id in failed if may_be_an_items(self._own.get(file_id))]
        unheard = [file_id for file_id in failed if file_id not in self._own] if may_be_an_items(failure) else []
        if not (theirs or unheard) or await self._caller.probe() is not None:
            raise failure
        for file_id in theirs:
            self._set_apart(file_id)
        if unheard:
            self._most = 1
        return [file_id for file_id in failed if file_id not in self.results]

    def _set_apart(self, file_id: FileId) -> None:
        tries, path = self.tallies[file_id].attempts, self._calls[file_id].path
        result = self._caller.given_up(self._own[file_id], self._method, path, tries)
        if not isinstance(result, SkipItem):
            raise result
        self.results[file_id] = result
        self._caller.load.earn(at_once=0, again=max(0, tries - 1))  # they were no retries against an outage

    async def _round(self, waiting: Sequence[FileId]) -> tuple[list[FileId], Retryable | None]:
        """Send all of them once: those to be sent again, and the last trouble that they had, if it was any."""
        left = list(waiting)
        failed: list[FileId] = []
        trouble: Retryable | None = None
        while left:
            batch = await self._send(left[: min(self._most, self._caller.load.batch_size.size)])
            left = left[len(batch.answers) :]
            if isinstance(batch.refusal, NeedsReauth):
                if self._refreshed.isdisjoint(batch.answers):
                    self._refreshed.update(batch.answers)
                    failed.extend(batch.answers)
                    continue
                batch = await self._settled(batch, batch.refusal)
            again, failure = self._take_in(batch)
            await self._settle_refused_tokens(again)
            failed.extend(file_id for file_id in again if file_id not in self.results)
            trouble = failure or trouble
        return failed, trouble

    async def _settled(self, batch: _Batch, refusal: NeedsReauth) -> _Batch:
        """A batch whose fresh token is refused as well, where that is good for what needs no item: its calls go on one
        by one. Raises the refusal, or what the probe came to, otherwise."""
        found = await self._caller.isolate(refusal, _BATCH, BATCH_PATH)
        if not isinstance(found, SkipItem):
            raise found
        self._most = 1
        return batch._replace(refusal=retryable(refusal))

    async def _settle_refused_tokens(self, again: Sequence[FileId]) -> None:
        """A fresh token that is refused for some items: theirs, where it is good for what needs no item."""
        refused = [file_id for file_id in again if isinstance(self._own.get(file_id), NeedsReauth)]
        if not refused:
            return
        found = await self._caller.isolate(self._own[refused[0]], self._method, self._calls[refused[0]].path)
        if not isinstance(found, SkipItem):
            raise found
        for file_id in refused:
            self._set_apart(file_id)

    def _take_in(self, batch: _Batch) -> tuple[list[FileId], Retryable | None]:
        """Keep a batch's results: the items that have none yet, and why, unless that is over already."""
        trouble = batch.refusal if isinstance(batch.refusal, Retryable) else None
        for file_id, answer in batch.answers.items():
            failure = self._keep(file_id, answer, batch)
            trouble = trouble or failure
        failed = [file_id for file_id in batch.answers if file_id not in self.results]
        self._earn(batch)
        self._resize(batch, trouble, len(failed))
        return failed, trouble

    def _resize(self, batch: _Batch, trouble: Retryable | None, failed: int) -> None:
        """Make batches smaller after trouble that may come of their size; one call alone tells nothing of that."""
        size, parts = self._caller.load.batch_size, len(batch.answers)
        if batch.refusal is not None:
            self._most = min(self._most, max(1, parts // 2))
        elif parts > 1:
            self._most = max(self._most, MOST_PARTS if failed * 2 <= parts else 1)
        if trouble is None:
            size.grow()
        elif failed * 2 > parts > 1:
            size.shrink()

    def _earn(self, batch: _Batch) -> None:
        attempts = [self.tallies[file_id].attempts for file_id in batch.answers if file_id in self.results]
        at_once = attempts.count(1)
        self._caller.load.earn(at_once, len(attempts) - at_once)

    def _keep(self, file_id: FileId, answer: HttpResponse | WorkerError | None, batch: _Batch) -> Retryable | None:
        """Keep the result that an answer is, or return why it is none yet, but for a token that was just refused."""
        if answer is None:
            refused = batch.refusal if isinstance(batch.refusal, Retryable) else None
            return refused or Retryable("a call of a batch was not answered", code="truncated")
        try:
            self._read(file_id, answer, batch.token)
        except (SkipItem, PageTokenRejected) as problem:
            self.results[file_id] = problem
        except NeedsReauth as refusal:
            self._own[file_id] = refusal
        except Retryable as trouble:
            self._own[file_id] = trouble
            return trouble
        return None

    def _read(self, file_id: FileId, answer: HttpResponse | WorkerError, token: str) -> None:
        """Keep the result that an answer is, and remember a token that was refused once. Raises any other refusal."""
        if isinstance(answer, WorkerError):
            raise answer
        self.tallies[file_id].status = answer.status
        if answer.status == OK:
            self._caller.authorizer.scopes.served(self._method.id)
            self.results[file_id] = decoded(self._decode, answer.body)
            return
        call = self._calls[file_id]
        failure = self._caller.refusal(self._method, answer, token)
        if answer.status != UNAUTHORIZED or file_id in self._refreshed:
            raise of_call(failure, has_page_token=call.has_page_token)
        self._refreshed.add(file_id)

    async def _send(self, file_ids: Sequence[FileId]) -> _Batch:
        """Send as many of those calls as have quota soon, the first at least; one alone as a plain request."""
        caller = self._caller
        async with caller.passage() as passage:
            file_ids = file_ids[: await self._acquire(len(file_ids))]
            token = await caller.authorizer.token()
            for file_id in file_ids:
                self.tallies[file_id].attempts += 1
                self.tallies[file_id].status = None
            if len(file_ids) == 1:
                batch = await self._exchange_one(file_ids[0], token)
            else:
                caller.shared.observer.on_batch(len(file_ids))
                batch = await self._exchange(file_ids, token)
            passage.outage = self._outage(batch)
        return batch

    async def _exchange_one(self, file_id: FileId, token: str) -> _Batch:
        """Send one call alone: whatever comes of it is its own."""
        call = self._calls[file_id]
        request = HttpRequest(call.verb, self._caller.target(call), {**headers_with(token), **call.headers}, call.body)
        try:
            return _Batch({file_id: await self._caller.send(request, self._method.kind)}, token)
        except (Retryable, SkipItem) as failure:
            return _Batch({file_id: failure}, token)

    async def _exchange(self, file_ids: Sequence[FileId], token: str) -> _Batch:
        """Send a batch, and read what comes."""
        caller = self._caller
        targets = [caller.target(self._calls[each]) for each in file_ids]
        content_type, body = encode_batch(targets, secrets.token_hex(16))
        headers = {**headers_with(token), "Content-Type": content_type, "Accept": "multipart/mixed"}
        nothing: dict[FileId, HttpResponse | WorkerError | None] = dict.fromkeys(file_ids)
        try:
            response = await caller.send(HttpRequest("POST", BATCH_PATH, headers, body), _BATCH.kind)
        except Retryable as failure:
            return _Batch(nothing, token, failure)
        if response.status != OK:
            refusal = caller.refusal(_BATCH, response, token)
            return _Batch(nothing, token, refusal if isinstance(refusal, NeedsReauth) else retryable(refusal))
        answers = decode_batch(response.headers.get("Content-Type", ""), response.body, len(file_ids))
        return _Batch(dict(zip(file_ids, answers, strict=True)), token)

    def _outage(self, batch: _Batch) -> WorkerError | None:
        """What the breaker counts of a batch: that none of its calls was served for Google's own trouble."""
        if batch.refusal is not None:
            return batch.refusal if is_outage(batch.refusal) else None
        failures = [self._outage_of(answer, batch.token) for answer in batch.answers.values()]
        return failures[0] if all(failures) else None

    def _outage_of(self, answer: HttpResponse | WorkerError | None, token: str) -> WorkerError | None:
        if isinstance(answer, WorkerError):
            return answer if is_outage(answer) else None
        if answer is None or not is_outage_status(answer.status):
            return None
        return self._caller.refusal(self._method, answer, token)

    async def _acquire(self, count: int) -> int:
        """Wait for one call's quota and take that of others as long as it comes soon; returns that of how many."""
        caller, clock = self._caller, self._caller.shared.clock
        ends_s = clock.monotonic_s() + GATHER_S
        granted = 0
        while granted < count and (not granted or clock.monotonic_s() < ends_s):
            await caller.shared.limiter.acquire(caller.quota_user, self._method.cost)
            granted += 1
        return granted
