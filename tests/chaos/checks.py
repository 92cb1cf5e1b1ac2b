"""What must hold after any fault, counted from the topics. Pure: messages and transactions in, numbers out."""

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from chaos.segments import Session, Transaction
from google_drive_worker.demo.mirror import ReceivedRecord
from google_drive_worker.domain.ids import ConnectionId
from google_drive_worker.domain.times import TimeRange
from google_drive_worker.sync.checkpoint import USER_CORPUS, Checkpoint, CheckpointProblem
from google_drive_worker.sync.parts import asked, parts_of
from google_drive_worker.sync.state_records import join, split_key
from support.consume import Message

T = TypeVar("T")

Key = tuple[str, str]
"""A connection and a sync of it."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a listing as Google answered it: when, for whom, asked how, and the items on it."""

    time_ms: int
    user: str
    asked: tuple[tuple[str, str], ...]
    item_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Log:
    """What stands in one partition of the data topic and the state topic's of the same number, committed or not."""

    data: Sequence[Transaction]
    state: Sequence[Transaction]
    records: Mapping[int, ReceivedRecord]
    checkpoints: Mapping[int, Checkpoint]


def log_of(
    data: Sequence[Transaction], state: Sequence[Transaction], records: Iterable[Message], states: Iterable[Message]
) -> Log:
    """Put a partition's transactions and its committed messages together."""
    decode = msgspec.json.Decoder(ReceivedRecord).decode
    received = {message.offset: decode(message.value or b"") for message in records}
    return Log(data, state, received, _checkpoints(state, states))


def _checkpoints(transactions: Sequence[Transaction], states: Iterable[Message]) -> dict[int, Checkpoint]:
    """What a connection's state records come to after each transaction, at the offset of its last one there.

    State that can't be read is left out.
    """
    homes = {offset: at for at, each in enumerate(transactions) for span in each.spans for offset in _offsets(span)}
    heads: dict[ConnectionId, bytes | None] = {}
    corpora: dict[ConnectionId, dict[str, bytes]] = defaultdict(dict)
    found: dict[tuple[int, ConnectionId], tuple[int, Checkpoint]] = {}
    for message in sorted(states, key=lambda message: message.offset):
        connection_id, corpus = split_key(message.key or b"")
        if corpus is None:
            heads[connection_id] = message.value
        elif message.value is None:
            corpora[connection_id].pop(corpus, None)
        else:
            corpora[connection_id][corpus] = message.value
        with suppress(CheckpointProblem):
            checkpoint, _ = join(heads.get(connection_id) or b"", corpora[connection_id])
            home = homes.get(message.offset, -1 - message.offset)
            found[home, connection_id] = (message.offset, checkpoint)
    return dict(found.values())


def _offsets(span: tuple[int, int]) -> range:
    first, last = span
    return range(first, last + 1)


def from_old_owners(transactions: Sequence[Transaction], taken_over_ms: Sequence[int] = ()) -> int:
    """Records that were committed by a session after a newer one had begun to write.

    `taken_over_ms` are moments at which the group had given the partition to somebody else: nothing of a session from
    before may be committed after them either, though the new owner has written nothing yet.
    """
    began: dict[Session, tuple[int, int]] = {}
    for each in sorted(transactions, key=lambda transaction: transaction.first_offset):
        began.setdefault(each.session, (each.first_offset, each.began_ms))
    late = 0
    for each in transactions:
        if not each.committed:
            continue
        first_offset, first_ms = began[each.session]
        succeeded = any(first_offset < other < each.ended_offset for other, _ in began.values())
        expelled = any(first_ms < moment < each.ended_ms for moment in taken_over_ms)
        if succeeded or expelled:
            late += each.records
    return late


def checkpoints_off(log: Log) -> int:
    """Committed checkpoints that account for more, or less, than the records committed with them and before.

    A checkpoint counts the records of its sync. Each count must be one at which a transaction of the data topic ended;
    and whenever a session ended, which is where another began from, the last one must be just what was written.
    """
    reached, at_end = _written(log)
    off = 0
    last: dict[tuple[Session, str], Checkpoint] = {}
    for transaction in log.state:
        if not transaction.committed:
            continue
        for checkpoint in _within(transaction, log.checkpoints):
            last[transaction.session, checkpoint.connection_id] = checkpoint
            if checkpoint.sync is not None:
                key = (str(checkpoint.connection_id), str(checkpoint.sync.sync_id))
                off += sum(checkpoint.sync.counts.values()) not in reached[key]
    for (session, connection_id), checkpoint in last.items():
        if checkpoint.sync is not None and session in at_end:
            key = (connection_id, str(checkpoint.sync.sync_id))
            off += sum(checkpoint.sync.counts.values()) != at_end[session].get(key, 0)
    return off


def _written(log: Log) -> tuple[dict[Key, set[int]], dict[Session, Counter[Key]]]:
    """The numbers of records that each sync had after each transaction, and what all had when each session ended."""
    total: Counter[Key] = Counter()
    reached: dict[Key, set[int]] = defaultdict(lambda: {0})
    at_end: dict[Session, Counter[Key]] = {}
    for transaction in log.data:
        if not transaction.committed:
            continue
        for record in _within(transaction, log.records):
            if record.resource_type != "sync":
                total[record.integration_connection_id, record.sync_id] += 1
        for key, number in total.items():
            reached[key].add(number)
        at_end[transaction.session] = total.copy()
    return reached, at_end


def _within(transaction: Transaction, by_offset: Mapping[int, T]) -> Iterable[T]:
    for span in transaction.spans:
        for offset in _offsets(span):
            if offset in by_offset:
                yield by_offset[offset]


def out_of_frame(records: Iterable[ReceivedRecord]) -> int:
    """Records of full syncs outside of their opening and closing records, and closing records that count wrong.

    `records` are one partition's, in order. A sync without an opening record is an incremental one, and not looked at.
    """
    written: Counter[Key] = Counter()
    opened: set[Key] = set()
    closed: set[Key] = set()
    wrong = 0
    for record in records:
        key = (record.integration_connection_id, record.sync_id)
        wrong += key in closed
        if record.resource_type != "sync":
            written[key] += 1
        elif record.data.status == "started":
            wrong += written[key] + (key in opened)
            opened.add(key)
        else:
            wrong += key not in opened or sum((record.data.counts or {}).values()) != written[key]
            closed.add(key)
    return wrong


def full_syncs(records: Iterable[ReceivedRecord]) -> Counter[str]:
    """How many full syncs were opened for each connection."""
    return Counter(
        record.integration_connection_id
        for record in records
        if record.resource_type == "sync" and record.data.status == "started"
    )


def committed_ms(logs: Iterable[Log]) -> dict[Key, int]:
    """When each item was first committed, by connection and item: its transaction's end."""
    moments: dict[Key, int] = {}
    for log in logs:
        for transaction in log.data:
            if transaction.committed:
                for record in _within(transaction, log.records):
                    moments.setdefault((record.integration_connection_id, record.resource_id), transaction.ended_ms)
    return moments


def repeated_pages(pages: Iterable[Page]) -> list[tuple[Page, ...]]:
    """The pages that were asked for more than once alike, each with all its answers."""
    alike: dict[tuple[str, tuple[tuple[str, str], ...]], list[Page]] = defaultdict(list)
    for page in pages:
        alike[page.user, page.asked].append(page)
    return [tuple(answers) for answers in alike.values() if len(answers) > 1]


def redone_at_once(repeated: Iterable[Sequence[Page]], lifted_ms: Sequence[int]) -> int:
    """The most pages that were asked for again after one of those moments and before the next."""
    again = Counter(
        bisect_right(lifted_ms, page.time_ms)
        for answers in repeated
        for page in sorted(answers, key=lambda answer: answer.time_ms)[1:]
    )
    return max(again.values(), default=0)


Awaited = tuple[str, TimeRange | None, str | None]
"""A page that a checkpoint waits for: of which corpus, the range that its query asks for, and its token."""


def awaited_pages(logs: Iterable[Log]) -> dict[str, list[tuple[int, frozenset[Awaited]]]]:
    """The pages that each connection's committed checkpoints wait for, from when each was committed; in order.

    The first page of a query is waited for under the token `None`.
    """
    awaited: dict[str, list[tuple[int, frozenset[Awaited]]]] = defaultdict(list)
    for log in logs:
        for transaction in log.state:
            for checkpoint in _within(transaction, log.checkpoints) if transaction.committed else ():
                listed = {name: corpus for name, corpus in checkpoint.corpora.items() if corpus.stage == "listing"}
                pages = {
                    (name, asked(part), part.page_token) for name, corpus in listed.items() for part in parts_of(corpus)
                }
                awaited[checkpoint.connection_id].append((transaction.ended_ms, frozenset(pages)))
    return awaited


def awaited_as(page: Page) -> Awaited:
    """What a checkpoint that waits for the page says."""
    query = dict(page.asked)
    terms = query.get("q", "")
    since, until = (re.search(rf"modifiedTime {sign} '([^']*)'", terms) for sign in (">=", "<"))
    plain = "orderBy" not in query
    modified = None if plain else TimeRange(since and since[1], until and until[1])
    return query.get("driveId", USER_CORPUS), modified, query.get("pageToken")


def redone_in_vain(
    repeated: Iterable[Sequence[Page]],
    committed: Mapping[Key, int],
    awaited: Mapping[str, Sequence[tuple[int, frozenset[Awaited]]]],
) -> int:
    """Pages that were asked for again when all that was on them had been committed, and the checkpoint had passed them.

    Items alone do not tell: a page at the border of two parts of a listing holds what both list, and its own part may
    have yet to read it when the other has written all of it. Nor does a token: the first page of any query has none.
    `committed` is by user and item, `awaited` by user.
    """
    wasted = 0
    for answers in repeated:
        last = max(answers, key=lambda page: page.time_ms)
        moments = [committed[last.user, item] for item in last.item_ids if (last.user, item) in committed]
        states = [pages for ended_ms, pages in awaited.get(last.user, ()) if ended_ms < last.time_ms]
        page = awaited_as(last)
        is_passed = any(page in pages for pages in states) and page not in states[-1]
        wasted += bool(moments) and max(moments) < last.time_ms and is_passed
    return wasted


def recovery_s(lifted_ms: int, until_ms: int, logs: Iterable[Log]) -> float | None:
    """How long it took from a fault's end until every partition with work left had committed something new.

    Only transactions that began after `lifted_ms` count, and that ended before `until_ms`. `None` where no partition
    had any work left.
    """
    firsts = []
    for log in logs:
        ended = [
            transaction.ended_ms
            for transaction in log.state
            if transaction.committed and transaction.began_ms >= lifted_ms and transaction.ended_ms <= until_ms
        ]
        if ended:
            firsts.append(min(ended))
    return (max(firsts) - lifted_ms) / 1000 if firsts else None
