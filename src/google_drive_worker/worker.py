"""The worker's life: wait for what it needs, run, stop in good order."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass

from google_drive_worker.domain.ports import Clock, MessageSource, TriggerSource
from google_drive_worker.ownership import Ownership
from google_drive_worker.reporter import Reporter
from google_drive_worker.scheduler import Scheduler
from google_drive_worker.telemetry import Telemetry, log, state_of

RETRY_BASE_S = 1.0
"""The first rest while something is missing at the start."""

RETRY_CAP_S = 30.0
"""The longest such rest."""

REPORT_S = 2.0
"""How long a stop waits for reports that are not told yet."""

WATCH_S = 5.0
"""How often readiness and gauges are brought up to date."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What runs, once it is known how many partitions there are."""

    intake: TriggerSource
    ownership: Ownership
    scheduler: Scheduler
    reporter: Reporter
    watch_store: Callable[[], Coroutine[None, None, None]]
    notifications: MessageSource | None = None


Lacks = Callable[[], Awaitable[dict[str, list[str]]]]
"""What is missing, as sentences for a person, by condition of readiness; every condition is named, each time."""


class Worker:
    """Runs from `run` until its `stop` event is set; once.

    `assemble` makes the parts when nothing is lacking any more. `shutdown_s` is how long pages under way may take.
    """

    def __init__(
        self,
        *,
        lacks: Lacks,
        assemble: Callable[[], Parts],
        telemetry: Telemetry,
        clock: Clock,
        shutdown_s: float,
    ) -> None:
        self._lacks = lacks
        self._assemble = assemble
        self._telemetry = telemetry
        self._clock = clock
        self._shutdown_s = shutdown_s

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set. Raises what can't be fixed from within, for the process to end."""
        if not await self._until_complete(stop):
            return
        parts = self._assemble()
        log.info("worker_started")
        async with asyncio.TaskGroup() as group:
            parts.ownership.connect(parts.intake, parts.scheduler, group)
            turns = group.create_task(parts.scheduler.run(), name="scheduler")
            beside = [
                group.create_task(self._watch(parts), name="watch"),
                group.create_task(parts.reporter.run(), name="reporter"),
                group.create_task(parts.watch_store(), name="object-store"),
            ]
            parts.intake.start()
            if parts.notifications is not None:
                parts.notifications.start()
            try:
                await stop.wait()
                log.info("worker_stopping", turns=parts.scheduler.running)
                await parts.scheduler.stop(self._shutdown_s)
            finally:  # whatever happened: the others of the group should not wait for a worker that is gone
                if parts.notifications is not None:
                    await parts.notifications.stop()
                await parts.intake.stop()
            await turns
            await parts.reporter.drained(REPORT_S)
            for task in beside:
                task.cancel()
        log.info("worker_stopped")

    async def _until_complete(self, stop: asyncio.Event) -> bool:
        rest_s = RETRY_BASE_S
        while not stop.is_set():
            lacks = await self._lacks()
            self._tell(lacks)
            if not any(lacks.values()):
                return True
            try:
                async with asyncio.timeout(rest_s):
                    await stop.wait()
            except TimeoutError:
                rest_s = min(RETRY_CAP_S, rest_s * 2)
        return False

    async def _watch(self, parts: Parts) -> None:
        while True:
            if parts.intake.failure is not None:
                raise parts.intake.failure
            if parts.notifications is not None and parts.notifications.failure is not None:
                raise parts.notifications.failure
            ownership = parts.ownership
            self._tell(await self._lacks())
            closed = sorted(ownership.assigned - ownership.ready)
            self._telemetry.ready("partitions", [f"not open yet: {closed}"] if closed else [])
            self._telemetry.gauges(len(ownership.ready), self._states(ownership))
            turns = parts.scheduler
            self._telemetry.turns(turns.running, turns.waiting, turns.longest_wait_s())
            await self._clock.sleep(WATCH_S)

    def _states(self, ownership: Ownership) -> dict[str, int]:
        now = self._clock.now()
        states: dict[str, int] = {}
        for number in ownership.ready:
            partition = ownership.partition(number)
            for checkpoint in partition.checkpoints.values() if partition is not None else ():
                state = state_of(checkpoint, now)
                states[state] = states.get(state, 0) + 1
        return states

    def _tell(self, lacks: dict[str, list[str]]) -> None:
        for condition, problems in lacks.items():
            self._telemetry.ready(condition, problems)
