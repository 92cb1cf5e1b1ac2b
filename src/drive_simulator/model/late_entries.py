"""Entries of change logs that arrive late, or a second time, by the world's clock.

Positions are given out on arrival: no token passes an entry that is under way, and the order in a log is that of
arrival. Source: issues tell of entries that took minutes and of creations told twice (davidmerfield/blot #865); the
spread of the delays is assumed.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from random import Random

from drive_simulator.model.change_log import ChangeLog, Entry
from drive_simulator.model.clock import Clock
from drive_simulator.model.consistency import Consistency, draw_ms

TOLD_AGAIN_S = (1.0, 60.0)
"""How long after its arrival an entry comes a second time."""


class LateEntries:
    """What is under way to the logs of one world. `on_wait` is called when something was put on its way.

    Each log has dice of its own: logs are told of one change in no certain order.
    """

    def __init__(self, clock: Clock, rules: Callable[[], Consistency], seed: int = 0) -> None:
        self.on_wait: Callable[[], None] = _no_listener
        self._clock = clock
        self._rules = rules
        self._seed = seed
        self._dice: dict[ChangeLog, Random] = {}
        self._under_way: list[tuple[int, int, ChangeLog, Entry]] = []
        self._count = 0

    def __len__(self) -> int:
        """How many entries are under way."""
        return len(self._under_way)

    def holds_back(self, log: ChangeLog, entry: Entry) -> bool:
        """Whether the entry arrives later; draws whether it comes twice."""
        rules = self._rules()
        if not rules.entry_lag_s and not rules.told_twice:
            return False
        die = self._dice.get(log)
        if die is None:
            die = self._dice[log] = Random(f"late entries {self._seed} {log.base}")  # noqa: S311 - a simulation
        lag_ms = draw_ms(rules.entry_lag_s, die)
        if die.random() < rules.told_twice:
            self._send(lag_ms + draw_ms(TOLD_AGAIN_S, die), log, entry)
        if lag_ms > 0:
            self._send(lag_ms, log, entry)
        return lag_ms > 0

    def arrive(self) -> None:
        """Append what is due, in the order in which it falls due."""
        if not self._under_way:
            return
        now = self._clock.now_ms()
        while self._under_way and self._under_way[0][0] <= now:
            _, _, log, entry = heappop(self._under_way)
            log.append(entry)

    def _send(self, lag_ms: int, log: ChangeLog, entry: Entry) -> None:
        self._count += 1
        heappush(self._under_way, (self._clock.now_ms() + lag_ms, self._count, log, entry))
        self.on_wait()


def _no_listener() -> None:
    """No reader waits."""
