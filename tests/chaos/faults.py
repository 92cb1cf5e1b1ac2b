"""The faults, in one table: what each does, on what, and by when the worker must be well again."""

import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from chaos import state_faults, system_faults, takeovers
from chaos.arena import SESSION_TIMEOUT_S, Arena, Setting
from chaos.proxy import Api, Rule, either_side

PROMPTLY_S = 30.0
"""Where a session has to run out and a process to start, on a busy machine."""

IN_DOUBT_S = 60.0
"""Where a call to the broker may hang until it is given up, which takes 25 s (`kafka.partition.COMMIT_TIMEOUT_S`)."""

BROKER_BACK_S = 90.0
"""Where the broker itself has to come back, with its coordinators, before anybody can go on."""

LATE_MS = 600
"""How late Google answers while workers come and go: a sync takes as long as they do."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of trouble. `strike` is called while a sync is under way, and returns when the trouble is over.

    `recovers_within_s` is from then until everything that has work left has committed something new. A fault `repeats`
    where it strikes a second time, in the incremental sync that follows the full one.
    """

    name: str
    what: str
    strike: Callable[[Arena], None]
    setting: Setting
    recovers_within_s: float
    repeats: bool = True
    compacts: bool = False


def kill_ten_times(arena: Arena) -> None:
    """SIGKILL at ten random moments of the sync, and a new process each time."""
    for part in sorted(arena.rng.uniform(0.02, 0.95) for _ in range(10)):
        arena.reach(part)
        arena.worker.kill()
        arena.restart(arena.worker)


def kill(arena: Arena) -> None:
    """SIGKILL twice, the second time soon after the first: in the middle of the start, or of what comes after it."""
    arena.reach(arena.rng.uniform(0.1, 0.7))
    arena.worker.kill()
    arena.worker.start()
    arena.last_between(0.0, 2.5)
    arena.worker.kill()
    arena.restart(arena.worker)


def freeze_past_session(arena: Arena) -> None:
    """SIGSTOP until somebody else has taken over and gone on, then SIGCONT."""
    worker, other = arena.workers
    arena.reach(arena.rng.uniform(0.1, 0.6))
    opened = len(other.lines("partition_opened"))
    worker.signal(signal.SIGSTOP)
    arena.lift()  # the partitions of a frozen worker are well again when another one has them
    arena.wait_until(lambda: len(other.lines("partition_opened")) > opened, "a takeover")
    arena.last_between(0.0, 1.0)
    worker.signal(signal.SIGCONT)


def freeze_briefly(arena: Arena) -> None:
    """SIGSTOP three times for less than the session's timeout."""
    for part in (0.1, 0.3, 0.5):
        arena.reach(part)
        arena.worker.signal(signal.SIGSTOP)
        arena.last_between(0.2, SESSION_TIMEOUT_S * 0.6)
        arena.worker.signal(signal.SIGCONT)
        arena.lift()


def stop_with_little_grace(arena: Arena) -> None:
    """SIGTERM, and SIGKILL after a moment that is not always enough."""
    for part in (0.2, 0.6):
        arena.reach(part)
        arena.worker.signal(signal.SIGTERM)
        arena.last_between(0.05, 1.0)
        arena.worker.kill()
        arena.restart(arena.worker)


def storm_of_rebalances(arena: Arena) -> None:
    """Another worker joins and leaves, in order or killed, every second or two."""
    arena.reach(0.05)
    with arena.slow_google(LATE_MS):
        for _ in range(6):
            arena.spare.start()
            arena.last_between(0.8, 2.5)
            if arena.rng.random() < 0.5:
                arena.spare.kill()
            else:
                arena.spare.terminate()
    arena.lift()


def cut_network(arena: Arena) -> None:
    """Every connection to the broker ends at once, four times; in between nobody is let in for up to two seconds."""
    proxy = arena.proxies[0]
    for part in (0.1, 0.25, 0.4, 0.55):
        arena.reach(part)
        proxy.refuse(refusing=True)
        proxy.cut()
        arena.last_between(0.0, 2.0)
        proxy.refuse(refusing=False)
        arena.lift()


def slow_network(arena: Arena) -> None:
    """Every request and every answer takes up to a sixth of a second longer, for some seconds."""
    arena.reach(0.1)
    proxy = arena.proxies[0]
    proxy.obey(Rule("delay", up_to_s=0.15), Rule("delay", side="answer", up_to_s=0.15))
    arena.last_between(2.0, 5.0)
    proxy.release()
    arena.lift()


def silent_network(arena: Arena) -> None:
    """Nothing gets through to the broker for some seconds, and then all of it, late."""
    arena.reach(arena.rng.uniform(0.1, 0.6))
    arena.proxies[0].obey(Rule("hold"))
    arena.last_between(0.5, 3 * SESSION_TIMEOUT_S)
    arena.proxies[0].release()
    arena.lift()


def hold_commit(arena: Arena) -> None:
    """A commit's request, or its answer, is under way for seconds: at times longer than the worker waits."""
    arena.reach(arena.rng.uniform(0.1, 0.6))
    proxy = arena.proxies[0]
    side = either_side(arena.rng)
    arena.strike_next(proxy, Rule("hold", frozenset({Api.END_TXN}), side, times=1))
    arena.last(arena.rng.choice((1.0, 4.0, 11.0)))
    proxy.release()
    arena.lift()


def lose_commit_answers(arena: Arena) -> None:
    """The broker has committed, and the line goes dead before it could say so: nobody knows what became of it."""
    proxy = arena.proxies[0]
    for part in (0.1, 0.3, 0.5):
        arena.reach(part)
        arena.strike_next(proxy, Rule("cut", frozenset({Api.END_TXN}), "answer", times=1))
        arena.lift()
    proxy.release()


def trouble_with_offsets(arena: Arena) -> None:
    """The requests that put the consumer's position into a transaction are held, and then their connection is cut."""
    proxy = arena.proxies[0]
    for part in (0.1, 0.4):
        arena.reach(part)
        api = arena.rng.choice((Api.ADD_OFFSETS_TO_TXN, Api.TXN_OFFSET_COMMIT, Api.ADD_PARTITIONS_TO_TXN, Api.PRODUCE))
        side = either_side(arena.rng)
        arena.strike_next(proxy, Rule("hold", frozenset({api}), side, times=1))
        arena.last_between(0.0, 3.0)
        proxy.cut()
        proxy.release()
        arena.lift()


def hide_brokers(arena: Arena) -> None:
    """Metadata answers name no broker for a while, as those of a broker in shutdown do: clients forget them all."""
    proxy = arena.proxies[0]
    arena.reach(arena.rng.uniform(0.1, 0.5))
    proxy.obey(Rule("empty", frozenset({Api.METADATA}), "answer"))
    for _ in range(3):
        proxy.cut()
        arena.last(1.0)
    proxy.release()
    arena.lift()


def lose_heartbeats(arena: Arena) -> None:
    """Heartbeats are swallowed for longer than a session, while everything else gets through."""
    proxy = arena.proxies[0]
    arena.reach(arena.rng.uniform(0.1, 0.5))
    proxy.obey(Rule("lose", frozenset({Api.HEARTBEAT})))
    arena.last(arena.rng.uniform(1.5, 2.5) * SESSION_TIMEOUT_S)
    proxy.release()
    proxy.cut()  # an answer that never comes would keep its connection waiting
    arena.lift()


_PROXIED = Setting(proxied=True)
_LONG_TRANSACTIONS = (("KAFKA_TRANSACTION_TIMEOUT_MS", "60000"),)
_TAKEOVER = Setting(files=900, users=1, partitions=1, workers=2, proxied=True, environment=_LONG_TRANSACTIONS)
_COMPACTED = (
    ("segment.ms", "100"),
    ("min.cleanable.dirty.ratio", "0.01"),
    ("delete.retention.ms", "0"),
    ("max.compaction.lag.ms", "1"),
)

TEN_KILLS: Final = Fault(
    "killed-ten-times",
    "SIGKILL at ten random moments of a sync of 20,000 files, each time started again",
    kill_ten_times,
    Setting(files=20_000, users=1, drives=3, page_size=100, latency_ms=100, at_once=16),
    recovers_within_s=PROMPTLY_S,
    repeats=False,
)

FAULTS: Final = (
    TEN_KILLS,
    Fault("killed-twice", "SIGKILL, and again while the next one starts", kill, Setting(), PROMPTLY_S),
    Fault("little-grace", "SIGTERM, and SIGKILL 0.05-1 s later", stop_with_little_grace, Setting(), PROMPTLY_S),
    Fault("frozen", "SIGSTOP past the session's timeout, SIGCONT", freeze_past_session, Setting(workers=2), PROMPTLY_S),
    Fault("frozen-briefly", "SIGSTOP and SIGCONT within the session's timeout", freeze_briefly, Setting(), PROMPTLY_S),
    Fault(
        "rebalance-storm", "a worker joins and leaves every second or two", storm_of_rebalances, Setting(), PROMPTLY_S
    ),
    Fault("network-cut", "every connection to Kafka ends, again and again", cut_network, _PROXIED, IN_DOUBT_S),
    Fault("network-slow", "every frame to and from Kafka is late", slow_network, _PROXIED, PROMPTLY_S),
    Fault("network-silent", "Kafka is not heard of for some seconds", silent_network, _PROXIED, IN_DOUBT_S),
    Fault("brokers-hidden", "Metadata names no broker for some seconds", hide_brokers, _PROXIED, IN_DOUBT_S),
    Fault("heartbeats-lost", "heartbeats alone are lost", lose_heartbeats, _PROXIED, IN_DOUBT_S),
    Fault("commit-held", "EndTxn, or its answer, is held for 1-11 s", hold_commit, _PROXIED, IN_DOUBT_S),
    Fault("commit-in-doubt", "EndTxn takes place, its answer is lost", lose_commit_answers, _PROXIED, IN_DOUBT_S),
    Fault(
        "offsets-held", "requests within a transaction are held, and cut", trouble_with_offsets, _PROXIED, IN_DOUBT_S
    ),
    Fault("broker-killed", "SIGKILL of the broker, started again", system_faults.kill_broker, Setting(), BROKER_BACK_S),
    Fault(
        "broker-restarted", "the broker is restarted in order", system_faults.restart_broker, Setting(), BROKER_BACK_S
    ),
    Fault(
        "broker-killed-in-commit",
        "SIGKILL of the broker with an EndTxn on its way",
        system_faults.kill_broker_in_commit,
        _PROXIED,
        BROKER_BACK_S,
    ),
    Fault(
        "broker-disk-full",
        "the broker can't write another byte, and dies of it",
        system_faults.fill_disk,
        Setting(),
        BROKER_BACK_S,
    ),
    Fault("no-descriptors", "the worker can't open a socket", system_faults.take_descriptors, _PROXIED, IN_DOUBT_S),
    Fault(
        "clock-jumps",
        "the worker's clock jumps by hours, to and fro",
        system_faults.watch_clock_jump,
        Setting(clock_jumps=True),
        PROMPTLY_S,
    ),
    Fault(
        "state-compacted",
        "the state topic is compacted, with tombstones, before a restore",
        state_faults.compact,
        Setting(state_config=_COMPACTED),
        PROMPTLY_S,
        compacts=True,
    ),
    Fault(
        "state-corrupt",
        "one connection's state is damaged",
        state_faults.corrupt,
        Setting(users=4),
        PROMPTLY_S,
        repeats=False,
    ),
    Fault(
        "state-newer",
        "one connection's state is of a newer version",
        state_faults.make_newer,
        Setting(users=4),
        IN_DOUBT_S,
        repeats=False,
    ),
    Fault(
        "late-commit",
        "EndTxn of a frozen worker arrives after the takeover",
        takeovers.late_commit,
        _TAKEOVER,
        PROMPTLY_S,
        repeats=False,
    ),
    Fault(
        "late-offsets",
        "a frozen worker goes on with its transaction after the takeover",
        takeovers.late_offsets,
        _TAKEOVER,
        PROMPTLY_S,
        repeats=False,
    ),
    Fault(
        "late-offsets-early",
        "the same before the new owner's InitProducerId",
        takeovers.late_offsets_before_opening,
        _TAKEOVER,
        PROMPTLY_S,
        repeats=False,
    ),
    Fault(
        "late-commit-early",
        "EndTxn arrives before the new owner's InitProducerId",
        takeovers.late_commit_before_opening,
        _TAKEOVER,
        PROMPTLY_S,
        repeats=False,
    ),
)

BY_NAME: Final = {fault.name: fault for fault in FAULTS}

_SHORT_IN_BOTH_SYNCS = {"killed-twice"}
"""Faults that strike the incremental sync of a short run as well."""


def shortened(fault: Fault) -> Fault:
    """The fault on a smaller Drive, for a first look in little time."""
    files = 3_000 if fault is TEN_KILLS else min(600, fault.setting.files)
    return replace(
        fault,
        setting=replace(fault.setting, files=files),
        repeats=fault.repeats and fault.name in _SHORT_IN_BOTH_SYNCS,
    )
