"""Faults of what the worker stands on: the broker, its disk, the worker's file descriptors and its clock."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chaos.arena import Arena
from chaos.proxy import Api, Rule, either_side

BROKER_ENDS_WITHIN_S = 60.0


def kill_broker(arena: Arena) -> None:
    """A power cut at the broker, at any moment."""
    arena.reach(arena.rng.uniform(0.1, 0.7))
    arena.broker.kill()
    arena.last_between(0.0, 3.0)
    arena.broker.start()
    arena.lift()


def restart_broker(arena: Arena) -> None:
    """The broker is stopped as an operator would, and started."""
    arena.reach(arena.rng.uniform(0.1, 0.7))
    arena.broker.restart()
    arena.lift()


def kill_broker_in_commit(arena: Arena) -> None:
    """A power cut while a commit is on its way to the broker, or its answer on the way back."""
    side = either_side(arena.rng)
    arena.reach(arena.rng.uniform(0.1, 0.6))
    proxy = arena.proxies[0]
    arena.strike_next(proxy, Rule("hold", frozenset({Api.END_TXN}), side, times=1))
    arena.broker.kill()
    proxy.cut()
    proxy.release()
    arena.broker.start()
    arena.lift()


def fill_disk(arena: Arena) -> None:
    """No file of the broker's can grow any more (RLIMIT_FSIZE, to it a disk that is full), until it gives up."""
    arena.reach(arena.rng.uniform(0.1, 0.6))
    with _limited(arena.broker.process_id, resource.RLIMIT_FSIZE, 1):
        arena.broker.wait_ended(BROKER_ENDS_WITHIN_S)
    arena.broker.start()
    arena.lift()


def take_descriptors(arena: Arena) -> None:
    """The worker loses its connections to the broker, and has no descriptor to open others with."""
    arena.reach(arena.rng.uniform(0.1, 0.6))
    process = arena.worker.process_id
    with _limited(process, resource.RLIMIT_NOFILE, len(list(Path(f"/proc/{process}/fd").iterdir()))):
        arena.proxies[0].cut()
        arena.last_between(1.0, 4.0)
    arena.lift()


def watch_clock_jump(arena: Arena) -> None:
    """The clock of this build jumps by itself: a sync has to live through it, and a restart as well."""
    arena.reach(0.5)
    arena.worker.kill()
    arena.restart(arena.worker)


@contextmanager
def _limited(process: int, what: int, most: int) -> Iterator[None]:
    """Put a running process under a limit; the old one is back at the end, if the process still is."""
    soft, hard = resource.prlimit(process, what)
    resource.prlimit(process, what, (most, hard))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(process, what, (soft, hard))
