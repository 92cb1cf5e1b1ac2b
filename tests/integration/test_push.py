"""Push from end to end: simulated Google, the proxy, a real broker, the worker, records."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from google_drive_worker.domain.connection import Secret
from google_drive_worker.domain.ids import ConnectionId, CustomerId
from google_drive_worker.domain.partitioning import partition_of
from google_drive_worker.messages.channel_token import Owner, token_of
from google_drive_worker.sync.checkpoint import USER_CORPUS
from support.mirroring import FIRST, Stage, staged
from support.produce import send
from support.push import SECRET, channels_of, edits_by_push, living, proxy_process, push_settings
from support.topics import Topics
from support.worker_process import WorkerProcess

pytestmark = pytest.mark.kafka

LATENCY_MS = 100
EDITS = 200


def watched(stage: Stage, worker: WorkerProcess) -> None:
    """A full sync, then a channel for the user and each drive, all standing, and their sync messages in."""
    stage.trigger(FIRST, "full_sync")
    worker.wait_until(
        lambda: bool(found := channels_of(stage)) and all(each.get("last_number") for each in found), "channels stand"
    )
    stage.settle(FIRST)


@pytest.mark.alone
def test_edits_arrive_by_push_fast_and_for_fewer_calls_than_edits(topics: Topics, tmp_path: Path) -> None:
    """None is lost, the mirror is equal, and nobody sent a trigger."""
    world = generate(CorpusPlan(files=100))
    with (
        staged(world, topics, tmp_path, latency_ms=LATENCY_MS, push=True) as stage,
        proxy_process(stage.environment) as address,
        stage.worker(push_settings(address)) as worker,
    ):
        watched(stage, worker)
        before = stage.simulator.counters.requests
        edits = edits_by_push(stage, EDITS, per_second=50)
        calls = stage.simulator.counters.requests - before
        stage.settle(FIRST)
        stage.assert_equal()
        assert len(edits.seen_s) == EDITS
        assert calls < EDITS
        assert edits.quantile_s(0.5) < 0.5
        assert edits.quantile_s(0.99) < 2.0


def test_what_is_not_genuine_causes_no_call(topics: Topics, tmp_path: Path) -> None:
    """Forged tokens, replayed numbers, channels of others and channels of ours that are gone, on any partition."""
    with (
        staged(generate(CorpusPlan(files=30)), topics, tmp_path, push=True) as stage,
        proxy_process(stage.environment) as address,
        stage.worker({**push_settings(address), "LOG_LEVEL": "DEBUG"}) as worker,
    ):
        watched(stage, worker)
        channel = channels_of(stage)[0]
        customer = CustomerId(channel["customer_id"])
        mine = genuine(FIRST, customer, channel["channel_id"])
        evil = [
            notification(channel["channel_id"], "forged", channel["resource_id"], 900),
            notification(channel["channel_id"], mine, channel["resource_id"], 1),
            notification(channel["channel_id"], mine, "another resource", 900),
            notification("gone", genuine(FIRST, customer, "gone"), channel["resource_id"], 900),
            notification("theirs", genuine("conn_other", customer, "theirs"), channel["resource_id"], 900),
            notification(channel["channel_id"], mine, channel["resource_id"], 900, customer_id="cust_other"),
        ]
        before = stage.simulator.counters.requests
        send(topics.bootstrap_servers, topics.webhook, [(f"any-{n}", each) for n, each in enumerate(evil * 2)])
        send(topics.bootstrap_servers, topics.webhook, [("junk", "{")])
        dropped = 2 * len(evil)
        worker.wait_until(lambda: len(worker.lines("message_dropped")) >= dropped, "all are dropped")
        stage.settle(FIRST)
        assert stage.simulator.counters.requests == before
        worker.wait_until(lambda: len(stage.errors()) == 1, "what can't be read is reported")
        assert stage.errors()[0]["error"]["category"] == "invalid_message"


def test_a_channel_that_has_expired_causes_no_call(topics: Topics, tmp_path: Path) -> None:
    """Its messages are genuine and new, and come too late; also where they are many, and on any partition."""
    with (
        staged(generate(CorpusPlan(files=30)), topics, tmp_path, push=True) as stage,
        proxy_process(stage.environment) as address,
        stage.worker(push_settings(address)) as worker,
    ):
        watched(stage, worker)
        worker.terminate()
        state = stage.state()
        for channel in state["watching"]["channels"]:
            channel |= {"made_at": "2025-01-01T00:00:00.000Z", "expires_at": "2025-01-08T00:00:00.000Z"}
        partition = partition_of(ConnectionId(FIRST), topics.partitions)
        send(topics.bootstrap_servers, topics.state, [(FIRST, json.dumps(state))], partition=partition)
        with stage.worker({**push_settings(address), "LOG_LEVEL": "DEBUG"}) as successor:
            before = stage.simulator.counters.requests
            late = [
                notification(
                    each["channel_id"],
                    genuine(FIRST, each["customer_id"], each["channel_id"]),
                    each["resource_id"],
                    900 + number,
                )
                for number in range(20)
                for each in state["watching"]["channels"]
            ]
            send(topics.bootstrap_servers, topics.webhook, [(f"any-{n}", each) for n, each in enumerate(late)])
            successor.wait_until(lambda: len(successor.lines("message_dropped")) >= len(late), "all are dropped")
            stage.settle(FIRST)
            assert stage.simulator.counters.requests == before
            assert f'outcome="expired"}} {len(late)}.0' in successor.page("/metrics")


def test_channels_survive_restarts_and_end_with_push(topics: Topics, tmp_path: Path) -> None:
    """A worker that is killed leaves channels that the next one knows; switched off, none is left at Google."""
    with (
        staged(generate(CorpusPlan(files=30)), topics, tmp_path, push=True) as stage,
        proxy_process(stage.environment) as address,
        stage.worker(push_settings(address)) as worker,
    ):
        watched(stage, worker)
        before = living(stage)
        assert len(before) == len(channels_of(stage))
        worker.kill()
        worker.start()
        worker.wait_ready()
        stage.sync()
        assert living(stage) == before
        worker.terminate()
        with stage.worker({"GDRIVE_WEBHOOK_ADDRESS": ""}) as without:
            without.wait_until(lambda: not living(stage), "all are stopped")
            without.wait_until(lambda: not channels_of(stage), "and forgotten")


def test_a_notification_of_a_replaced_channel_causes_no_call(topics: Topics, tmp_path: Path) -> None:
    """Its token is genuine and its number new, but another address made another channel in its place."""
    with (
        staged(generate(CorpusPlan(files=30)), topics, tmp_path, push=True) as stage,
        proxy_process(stage.environment) as address,
    ):
        with stage.worker(push_settings(address)) as before:
            watched(stage, before)
            old = channels_of(stage)
            before.terminate()
        with stage.worker({**push_settings("http://127.0.0.1:9/moved"), "LOG_LEVEL": "DEBUG"}) as worker:
            stage.sync()
            gone = {each["channel_id"] for each in old}
            worker.wait_until(lambda: gone.isdisjoint(each["channel_id"] for each in channels_of(stage)), "replaced")
            stage.settle(FIRST)
            told = [
                notification(
                    each["channel_id"],
                    genuine(FIRST, CustomerId(each["customer_id"]), each["channel_id"]),
                    each["resource_id"],
                    900,
                )
                for each in old
            ]
            calls = stage.simulator.counters.requests
            send(topics.bootstrap_servers, topics.webhook, [(f"any-{n}", each) for n, each in enumerate(told)])
            worker.wait_until(lambda: len(worker.lines("message_dropped")) >= len(told), "all are dropped")
            stage.settle(FIRST)
            assert stage.simulator.counters.requests == calls


def is_at_least(count: Callable[[], int], wanted: int) -> bool:
    """Whether it has come to so many."""
    return count() >= wanted


def genuine(connection_id: str, customer_id: CustomerId, channel_id: str) -> str:
    """A token that the worker's secret made."""
    token = token_of(Owner(customer_id, ConnectionId(connection_id)), channel_id, Secret(SECRET))
    assert token is not None
    return token.reveal()


def notification(channel_id: str, token: str, resource_id: str, number: int, **fields: str) -> str:
    """A message of webhook.raw."""
    headers = {
        "X-Goog-Channel-ID": channel_id,
        "X-Goog-Channel-Token": token,
        "X-Goog-Resource-ID": resource_id,
        "X-Goog-Resource-State": "change",
        "X-Goog-Message-Number": str(number),
    }
    return json.dumps({"message_id": "m", "integration_id": "google-drive", "headers": headers, "body": None, **fields})


def test_a_notification_that_another_worker_gets_reaches_the_owner(topics: Topics, tmp_path: Path) -> None:
    """Two workers share the notifications; the one that does not own the connection passes its own on as triggers."""
    with (
        staged(generate(CorpusPlan(files=30)), topics, tmp_path, push=True) as stage,
        proxy_process(stage.environment) as address,
        stage.worker(push_settings(address)) as one,
        stage.worker(push_settings(address)) as other,
    ):
        watched(stage, one)
        channel = next(each for each in channels_of(stage) if each["corpus"] == USER_CORPUS)
        token = genuine(FIRST, CustomerId(channel["customer_id"]), channel["channel_id"])

        def lines(event: str, topic: str) -> int:
            return sum(len(worker.lines(event, topic=topic)) for worker in (one, other))

        def accepted() -> int:
            return lines("message_accepted", topics.webhook) + lines("message_accepted", topics.trigger)

        for number in range(1000, 1012):  # one by one, since an older number counts for nothing
            wanted = accepted() + 1
            told = notification(channel["channel_id"], token, channel["resource_id"], number)
            send(topics.bootstrap_servers, topics.webhook, [(f"any-{number}", told)])
            one.wait_until(partial(is_at_least, accepted, wanted), "accepted by the owner")
        assert lines("message_passed_on", topics.webhook) > 0
        stage.settle(FIRST)
        stage.assert_equal()


def test_without_the_topic_push_is_off_and_triggers_work(topics: Topics, tmp_path: Path) -> None:
    """The log says so, and no channel is made that nobody would hear."""
    missing = {**push_settings("http://127.0.0.1:9/webhooks"), "KAFKA_TOPIC_WEBHOOK": f"{topics.webhook}.missing"}
    with (
        staged(generate(CorpusPlan(files=30)), topics, tmp_path, push=True) as stage,
        stage.worker(missing) as worker,
    ):
        stage.sync(kind="full_sync")
        stage.sync()
        stage.assert_equal()
        assert len(worker.lines("push_off")) == 1
        assert not living(stage)
