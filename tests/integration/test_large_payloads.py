"""Records that are too large for Kafka, through a worker that is killed and a store that fails."""

from collections.abc import Callable
from pathlib import Path

import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from google_drive_worker.demo.objects import check_object
from google_drive_worker.domain.objects import ObjectRef
from support.mirroring import FIRST, Stage, staged
from support.s3_server import BUCKET, KEYS, front_of, object_in, s3_server
from support.topics import Topics

pytestmark = pytest.mark.kafka

SMALL = {"WORKER_PAYLOAD_LIMIT_BYTES": "1300", "GDRIVE_PAGE_SIZE": "30", "GDRIVE_MAX_CONCURRENT_LISTINGS": "1"}
"""A limit that about a third of the simulator's files are over."""


def _reader(server: str) -> Callable[[ObjectRef], bytes]:
    def read(ref: ObjectRef) -> bytes:
        value = object_in(server, ref.uri.removeprefix(f"s3://{BUCKET}/"))
        check_object(ref, value)
        return value

    return read


def _referring(stage: Stage) -> int:
    return sum(record.payload_ref is not None for record in stage.records)


def test_no_record_refers_to_an_object_that_is_not_there(topics: Topics, tmp_path: Path) -> None:
    """The worker is killed in mid-sync; whoever reads a record finds its object, at once."""
    world = generate(CorpusPlan(files=600, shared_drives=1, seed=21))
    with staged(world, topics, tmp_path, latency_ms=250) as stage:
        with stage.worker(SMALL) as worker:
            stage.trigger(FIRST, "full_sync")
            worker.wait_until(lambda: any(each.resource_type == "file" for each in stage.read()), "files")
            worker.kill()
            assert stage.state()["sync"]
            worker.start()
            worker.wait_ready()
            stage.settle(FIRST)
            stage.edit(21, 80)
            stage.sync()
        stage.assert_equal()
        assert stage.mirror.repeated_messages == 0
        assert _referring(stage) > 100


def test_a_store_in_trouble_loses_and_doubles_nothing(topics: Topics, tmp_path: Path) -> None:
    """Two of three answers of S3 are 503, then it refuses everything for a while: the mirror is the Drive."""
    with (
        s3_server() as server,
        front_of(server, every=3) as front,
        staged(generate(CorpusPlan(files=60, seed=22)), topics, tmp_path) as stage,
    ):
        stage.mirror.fetch = _reader(server)
        settings = {**SMALL, **KEYS, "S3_BUCKET_NAME": BUCKET, "S3_ENDPOINT_URL": front.url}
        with stage.worker(settings) as worker:
            front.refusing = True
            stage.trigger(FIRST, "full_sync")
            worker.wait_until(lambda: "parked" in stage.state(), "parked")
            assert stage.state()["parked"]["code"] == "object_store_unavailable"
            (error,) = stage.errors()
            assert error["error"]["category"] == "retriable"
            assert "S3_BUCKET_NAME" in error["error"]["message"]
            front.refusing = False
            stage.settle(FIRST)
            stage.assert_equal()
            assert _referring(stage) > 5
