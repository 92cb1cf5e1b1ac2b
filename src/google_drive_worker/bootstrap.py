"""The one place that reads configuration and wires parts together. Read it first to see what the worker is made of."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from google_drive_worker.allocation import tune_allocation
from google_drive_worker.channel_care import Push, random_channel_ids
from google_drive_worker.client.clock_offset import ClockOffset
from google_drive_worker.client.quota import QUOTA_MODELS, QuotaModel
from google_drive_worker.client.setup import open_drives
from google_drive_worker.config import HEALTH_OFF, Settings, waits_of
from google_drive_worker.connections.mutual_tls import CertificateFiles
from google_drive_worker.connections.setup import Owner, connections_file, control_plane
from google_drive_worker.contents import ContentMirror
from google_drive_worker.domain.connection import Secret
from google_drive_worker.domain.message import StoredPartition
from google_drive_worker.domain.ports import Clock, Drives, PartitionLog
from google_drive_worker.handlers.trigger import TriggerHandler
from google_drive_worker.handlers.webhook import WebhookHandler
from google_drive_worker.http.retry import RetryPolicy
from google_drive_worker.http.transport import TransportLimits
from google_drive_worker.index.slots import take_slot
from google_drive_worker.kafka.intake import Intake
from google_drive_worker.kafka.message_ids import new_message_ids
from google_drive_worker.kafka.notifications import NotificationIntake
from google_drive_worker.kafka.partition_log import KafkaPartitionLog
from google_drive_worker.kafka.topics import survey
from google_drive_worker.kafka.transactions import BatchLimit
from google_drive_worker.kafka_clients import (
    OPENERS,
    IndexOpener,
    Openers,
    admin_client,
    kafka_config,
    producer_config,
    topic_names,
)
from google_drive_worker.normalization import pages, transformer
from google_drive_worker.observability.health import HealthServer, Readiness
from google_drive_worker.observability.logs import configure_logging
from google_drive_worker.observability.metrics import Metrics
from google_drive_worker.outbox import Outbox
from google_drive_worker.ownership import Ownership
from google_drive_worker.partition import CommitLimits
from google_drive_worker.reporter import Reporter
from google_drive_worker.scheduler import Scheduler, Seat
from google_drive_worker.storage.setup import object_stores
from google_drive_worker.storage.store import BucketStores
from google_drive_worker.sync import channels, engine
from google_drive_worker.sync.gap_retries import GapRests
from google_drive_worker.sync.rechecks import Rechecks
from google_drive_worker.sync.sharing import KnownFolders
from google_drive_worker.system_clock import SystemClock
from google_drive_worker.telemetry import Telemetry, log
from google_drive_worker.turn import Means, take_turn
from google_drive_worker.utils.errors import Terminal
from google_drive_worker.worker import Parts, Worker

SURVEY_TIMEOUT_S = 5.0
"""For looking whether everything is there, which is done over and over."""

HINT_S = 5.0
"""The longest Retry-After that a call waits for within its turn; for a longer one the connection is parked."""

RELEASE_S = 8.0
"""How long a rebalance may wait for pages under way: the other workers of the group wait as well."""

FETCHES_IN_ALL = 32
"""Calls for pages that a worker's connections share evenly. Google answers in a few tenths of a second and lets a whole
project list 166 pages a second (`UNITS`): more calls would only queue, a small connection's behind those of the huge
ones, and each answer holds up to 2 MB of memory."""

STORE_WATCH_S = 60.0
"""How often an object store that can't be used is tried again."""

CONDITIONS = ("kafka", "connections", "partitions")
"""What has to hold for the worker to be ready."""


@asynccontextmanager
async def worker_of(settings: Settings, clock: Clock, openers: Openers = OPENERS) -> AsyncIterator[Worker]:
    """Make the worker that the settings describe, with its health server and its connections to Google.

    Raises `Misconfigured` where a setting can't be.
    """
    metrics, readiness = Metrics(), Readiness(CONDITIONS)
    telemetry = Telemetry(metrics, readiness)
    clock_offset = ClockOffset(clock, settings.gdrive_api_base_url)
    async with AsyncExitStack() as stack:
        owner = await stack.enter_async_context(connections_of(settings, clock))
        if settings.health_port != HEALTH_OFF:
            health = HealthServer(settings.health_host, settings.health_port, metrics, readiness)
            await health.start()
            stack.push_async_callback(health.stop)
        drives = await stack.enter_async_context(
            open_drives(
                base_url=settings.gdrive_api_base_url,
                clock=clock,
                random=random.random,
                page_size=settings.gdrive_page_size,
                include_shared_drives=settings.gdrive_include_shared_drives,
                quota=quota_model(settings),
                retry=RetryPolicy(
                    attempts=settings.gdrive_max_attempts, total_s=settings.gdrive_max_retry_time_s, hint_s=HINT_S
                ),
                limits=TransportLimits(
                    total_timeout_s=settings.gdrive_request_timeout_s, connections=most_calls(settings)
                ),
                on_call=telemetry.on_call,
                tokens=owner.tokens,
                observer=telemetry,
                decode_listing=pages.decode_page,
                clock_offset=clock_offset,
            )
        )
        wiring = _Wiring(settings, clock, telemetry, owner, drives, openers, clock_offset)
        yield Worker(
            lacks=wiring.lacks,
            assemble=wiring.assemble,
            telemetry=telemetry,
            clock=clock,
            shutdown_s=settings.worker_shutdown_timeout_s,
        )


@asynccontextmanager
async def connections_of(settings: Settings, clock: Clock) -> AsyncIterator[Owner]:
    """Who owns the connections: the file where one is set, else the Control Plane."""
    if settings.connections_file is not None:
        yield connections_file(settings.connections_file)
        return
    files = CertificateFiles(
        settings.control_plane_mtls_cert_path,
        settings.control_plane_mtls_key_path,
        settings.control_plane_mtls_ca_path,
    )
    base_url, timeout_s = settings.control_plane_base_url, settings.control_plane_timeout_s
    async with control_plane(base_url, files, clock, timeout_s=timeout_s) as owner:
        yield owner


def stores_of(settings: Settings, owner: Owner) -> BucketStores:
    """The object store, with the connections' own keys to it where their owner offers some."""
    return object_stores(
        settings.s3_bucket_name,
        region=settings.s3_region,
        endpoint_url=settings.s3_endpoint_url,
        kms_key_id=settings.s3_kms_key_id,
        temporary_keys=owner.object_store_keys,
    )


def token_secrets(settings: Settings) -> list[Secret]:
    """The secrets that make tokens of push channels genuine; the first one signs."""
    found = (settings.webhook_token_secret, settings.webhook_token_secret_previous)
    return [Secret(each.get_secret_value()) for each in found if each is not None]


def quota_model(settings: Settings) -> QuotaModel:
    """Google's prices and limits for the project, with the operator's own where they are set."""
    model = QUOTA_MODELS[settings.gdrive_quota_model]
    return replace(
        model,
        project_per_minute=settings.gdrive_quota_project_per_minute or model.project_per_minute,
        user_per_minute=settings.gdrive_quota_user_per_minute or model.user_per_minute,
    )


def most_calls(settings: Settings) -> int:
    """More calls to Google than turns can have under way, so that none waits for a connection in the pool.

    There they would queue in the order of asking, in which who asks for much is served much, and the wait would count
    against their time limit. What bounds calls is who makes them.
    """
    return 2 * settings.worker_max_concurrent_connections * settings.gdrive_max_concurrent_listings


class _Wiring:
    """How the parts of one worker hang together."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        telemetry: Telemetry,
        owner: Owner,
        drives: Drives,
        openers: Openers,
        clock_offset: ClockOffset,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._telemetry = telemetry
        self._owner = owner
        self._drives = drives
        self._openers = openers
        self._clock_offset = clock_offset
        self._names = topic_names(settings)
        self.stores = stores_of(settings, owner)
        self._partitions = 0
        self._assembled = False
        self._has_webhooks = False
        self._admin, self._trouble = admin_client(settings)
        self._slot = take_slot(settings.worker_state_dir)

    async def lacks(self) -> dict[str, list[str]]:
        """What is missing for the worker to run."""
        found = await asyncio.to_thread(
            survey,
            self._admin,
            self._settings.kafka_bootstrap_servers,
            self._names,
            SURVEY_TIMEOUT_S,
            self._trouble,
        )
        if not found.partitions:  # a client can forget its brokers for good: see `intake.ORPHANED_S`
            self._admin, self._trouble = admin_client(self._settings)
        self._heed_partitions(found.partitions.get(self._names.trigger, 0))
        self._heed_webhooks(found.partitions)
        self._telemetry.clock_offset(self._clock_offset.seconds)
        return {
            "kafka": found.problems,
            "connections": await self._owner.lacks(),
            "clock": self._clock_offset.problems(),
        }

    def _heed_webhooks(self, partitions: Mapping[str, int]) -> None:
        """Without the topic nobody would hear of what Google sends: there are no channels then."""
        if self._settings.gdrive_webhook_address is None or not partitions:
            return
        self._has_webhooks = self._names.webhook in partitions
        missing = f"the topic {self._names.webhook} (KAFKA_TOPIC_WEBHOOK) is missing: polls alone bring changes"
        self._telemetry.push(None if self._has_webhooks else missing)

    def _heed_partitions(self, partitions: int) -> None:
        if self._assembled and partitions not in {0, self._partitions}:
            raise Terminal(
                f"the topic {self._names.trigger} has {partitions} partitions now instead of {self._partitions}: "
                "connections belong elsewhere, and the worker has to start anew"
            )
        self._partitions = partitions or self._partitions

    def assemble(self) -> Parts:
        """Make what runs. The trigger topic's number of partitions is known by now."""
        self._assembled = True
        settings, clock, telemetry = self._settings, self._clock, self._telemetry
        outbox = Outbox(
            integration_id=settings.worker_integration_id,
            data_topic=self._names.data,
            errors_topic=self._names.errors,
            new_message_ids=new_message_ids,
            clock=clock,
            payload_limit_bytes=settings.worker_payload_limit_bytes,
        )
        batches = BatchLimit()
        reporter = Reporter(self._owner.reports, clock, telemetry.on_report_failed)

        def new_log(number: int) -> PartitionLog:
            writer = self._openers.new_writer(settings, number, intake.group_metadata, batches)
            return KafkaPartitionLog(f"commit-{number}", writer)

        async def restore(partition: int) -> StoredPartition:
            return await asyncio.to_thread(self._openers.restore, settings, partition)

        ownership = Ownership(
            partitions=self._partitions,
            webhooks=WebhookHandler(
                settings.worker_integration_id,
                token_secrets(settings),
                trigger_topic=self._names.trigger,
                partitions=self._partitions,
                is_owned=lambda number: number in ownership.ready,
            ),
            handler=TriggerHandler(settings.worker_integration_id, self._partitions),
            outbox=outbox,
            new_log=new_log,
            restore=restore,
            clock=clock,
            open_index=IndexOpener(settings, self._slot).open,
            limits=CommitLimits(settings.worker_commit_interval_ms / 1000, settings.worker_commit_max_records),
            observer=telemetry,
            on_commit=reporter.on_commit,
            release_s=RELEASE_S,
        )
        intake = Intake(self._trigger_config(), self._names.trigger, ownership)
        notifications = None
        if settings.gdrive_webhook_address is not None:
            notifications = NotificationIntake(
                {**self._consumer_config(), "group.id": f"{settings.kafka_consumer_group_id}-webhook"},
                producer_config(settings),
                self._names.webhook,
                ownership,
            )
        means = Means(
            push=Push(
                address=lambda: settings.gdrive_webhook_address if self._has_webhooks else None,
                secret=next(iter(token_secrets(settings)), None),
                new_ids=random_channel_ids(),
            ),
            connections=self._owner.connections,
            drives=self._drives,
            normalizer=transformer,
            stores=self.stores,
            contents=ContentMirror(),
            enter=outbox.enter,
            clock=clock,
            randomness=random.SystemRandom(),
            observer=telemetry,
            include_shared_drives=settings.gdrive_include_shared_drives,
            folders=KnownFolders(),
            places=KnownFolders(),
            rechecks=Rechecks(waits_of(settings.sync_list_again_after_s), settings.sync_verify_units_per_min / 60),
            gap_rests=GapRests(settings.sync_gap_retry_s, confirm_s=settings.sync_confirm_after_s),
            fetches_allowed=lambda: min(settings.gdrive_max_concurrent_listings, scheduler.share(FETCHES_IN_ALL)),
        )

        async def turn(seat: Seat, is_over: Callable[[], bool]) -> None:
            partition = ownership.partition(seat.partition)
            if partition is not None:
                await take_turn(means, seat.connection_id, partition, is_over)

        def due_at(seat: Seat) -> datetime | None:
            partition = ownership.partition(seat.partition)
            checkpoint = partition.checkpoint(seat.connection_id) if partition is not None else None
            if checkpoint is None:
                return None
            now = clock.now()
            dues = engine.due_at(checkpoint, now), channels.due_at(checkpoint, means.push.address(), now)
            return min((due for due in dues if due is not None), default=None)

        scheduler = Scheduler(
            turn, due_at, clock, at_once=settings.worker_max_concurrent_connections, turn_s=settings.worker_turn_s
        )
        return Parts(intake, ownership, scheduler, reporter, self._watch_store, notifications)

    async def _watch_store(self) -> None:
        """Say what is wrong with the object store until it is well. Only what needs it waits for it."""
        while problem := await self.stores.problem():
            self._telemetry.object_store(problem)
            await self._clock.sleep(STORE_WATCH_S)
        self._telemetry.object_store(None)

    def _trigger_config(self) -> dict[str, Any]:
        instance_id = self._settings.kafka_group_instance_id
        return self._consumer_config() | ({} if instance_id is None else {"group.instance.id": instance_id})

    def _consumer_config(self) -> dict[str, Any]:
        return {
            **kafka_config(self._settings),
            "group.id": self._settings.kafka_consumer_group_id,
            "session.timeout.ms": self._settings.kafka_session_timeout_ms,
            "heartbeat.interval.ms": max(100, min(3_000, self._settings.kafka_session_timeout_ms // 5)),
        }


async def run_worker(
    settings: Settings,
    stop: asyncio.Event | None = None,
    *,
    clock: Clock | None = None,
    openers: Openers = OPENERS,
) -> None:
    """Run the worker until SIGTERM or SIGINT, or until `stop` is set where it is given.

    `clock` and `openers` are the machine's and the worker's own, where none are given.
    """
    configure_logging(settings.log_level, settings.log_format)
    tune_allocation()
    if not pages.IS_COMPILED:
        log.warning("not_compiled", message="installed without a C compiler: listings take twice the processor time")
    if stop is None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with worker_of(settings, clock or SystemClock(), openers) as worker:
        await worker.run(stop)
