"""Takeovers in which the old owner's transaction is stopped half-way, to the request, and goes on at the worst moment.

Proxies make the order of events certain: the old owner is frozen with its request on the way, the new one is let on or
held back, and only then does the request arrive.
"""

import signal

from chaos.arena import Arena, now_ms
from chaos.proxy import Api, Rule
from chaos.segments import Session, read_batches

WAIT_S = 20.0
"""Many times what a takeover needs, session timeout included."""


def late_commit(arena: Arena) -> None:
    """The old owner's EndTxn arrives when the new owner has opened the partition and gone on: its epoch is checked."""
    _stop_half_way(arena, Api.END_TXN)
    _wait_for_new_owner(arena)
    _let_arrive(arena, Api.END_TXN)
    arena.worker.signal(signal.SIGCONT)


def late_offsets(arena: Arena) -> None:
    """The old owner has begun a transaction and goes on with it when the new owner has opened the partition."""
    _stop_half_way(arena, Api.ADD_OFFSETS_TO_TXN)
    _wait_for_new_owner(arena)
    arena.worker.signal(signal.SIGCONT)
    _let_arrive(arena, Api.ADD_OFFSETS_TO_TXN)


def late_offsets_before_opening(arena: Arena) -> None:
    """The old owner goes on when the group has given the partition away, and the new owner has not yet its epoch."""
    _hold_new_owner(arena)
    _stop_half_way(arena, Api.ADD_OFFSETS_TO_TXN)
    arena.proxies[1].wait_struck(WAIT_S)
    arena.taken_over_ms.append(now_ms())
    before = _answered(arena, Api.TXN_OFFSET_COMMIT), _answered(arena, Api.END_TXN)
    arena.worker.signal(signal.SIGCONT)
    _let_arrive(arena, Api.ADD_OFFSETS_TO_TXN)
    arena.wait_until(lambda: _answered(arena, Api.TXN_OFFSET_COMMIT) > before[0], "the offsets' answer", WAIT_S)
    # Refused or not, the transaction is ended: by a commit, or by the abort that follows the refusal.
    arena.wait_until(lambda: _answered(arena, Api.END_TXN) > before[1], "the end of the transaction", WAIT_S)
    arena.proxies[1].release()


def late_commit_before_opening(arena: Arena) -> None:
    """The old owner's EndTxn is taken just before the new owner gets its epoch: what it commits is to be restored."""
    _hold_new_owner(arena)
    _stop_half_way(arena, Api.END_TXN)
    arena.proxies[1].wait_struck(WAIT_S)
    _let_arrive(arena, Api.END_TXN)
    arena.proxies[1].release()
    arena.worker.signal(signal.SIGCONT)


def _hold_new_owner(arena: Arena) -> None:
    arena.proxies[1].obey(Rule("hold", frozenset({Api.INIT_PRODUCER_ID}), times=1))


def _stop_half_way(arena: Arena, api: Api) -> None:
    """Freeze the first worker when a request of that kind has left it, in the middle of a listing."""
    arena.reach(arena.rng.uniform(0.2, 0.5))
    arena.proxies[0].obey(Rule("hold", frozenset({api}), times=1))
    arena.proxies[0].wait_struck(WAIT_S)
    arena.worker.signal(signal.SIGSTOP)
    arena.lift()


def _wait_for_new_owner(arena: Arena) -> None:
    """Wait until the second worker has opened the partition and written to it, by the broker's own log."""
    before = _sessions(arena)
    arena.wait_until(lambda: bool(arena.workers[1].lines("partition_opened")), "the takeover", WAIT_S)
    arena.wait_until(lambda: bool(_sessions(arena) - before), "records of the new owner", WAIT_S)


def _sessions(arena: Arena) -> set[Session]:
    """Who has written to the data topic, committed or not."""
    return {batch.session for batch in read_batches(arena.broker.data, arena.topics.data, 0) if batch.commits is None}


def _let_arrive(arena: Arena, api: Api) -> None:
    before = _answered(arena, api)
    arena.proxies[0].release()
    arena.wait_until(lambda: _answered(arena, api) > before, f"the answer to {api.name}", WAIT_S)


def _answered(arena: Arena, api: Api) -> int:
    return arena.proxies[0].passed["answer", api]
