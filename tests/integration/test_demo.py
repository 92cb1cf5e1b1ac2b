"""The demonstration as a newcomer starts it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

DEADLINE_S = 120.0
COMPARED = {"file", "folder", "shared_drive", "permission", "revision", "comment", "content"}


def demo(*arguments: str, kafka: str | None = None) -> list[str]:
    """The command's standard output, line by line, after it has ended with 0."""
    environment = {name: value for name, value in os.environ.items() if name != "KAFKA_BOOTSTRAP_SERVERS"}
    if kafka is not None:
        environment["KAFKA_BOOTSTRAP_SERVERS"] = kafka
    command = [sys.executable, "-m", "google_drive_worker", "demo", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_the_embedded_demo_ends_equal() -> None:
    """Nothing is needed; the last line is the result: all kinds were compared, and the Control Plane was asked."""
    found = json.loads(demo("--files", "400", "--shared-drives", "2", "--json")[-1])
    assert found["equal"] is True
    assert found["records"]["sync"] == 2
    assert found["records"]["shared_drive"] >= 2
    assert found["operations"]["delete"] > 0
    assert found["records_per_second"] > 0
    assert found["api_calls"] > 0
    assert found["duration_s"] > 0
    assert found["push"]["edits"] == 40
    assert 0 < found["push"]["p50_s"] <= found["push"]["p99_s"]
    assert (found["kafka"], found["misorders"]) == ("embedded", 0)
    assert set(found["compared"]) == COMPARED
    assert min(found["compared"].values()) > 0
    assert found["control_plane"]["descriptions"] > 0
    assert found["control_plane"]["token_refreshes"] > 0
    assert found["control_plane"]["cursors"] > 0
    assert {"rename", "move", "trash", "delete", "share", "upload", "move between drives"} <= found["edits"].keys()


@pytest.mark.kafka
def test_the_demo_ends_equal_on_a_real_broker(kafka_bootstrap: str) -> None:
    """The same on a cluster, where it brings its own topics and takes them away."""
    found = json.loads(demo("--files", "200", "--shared-drives", "1", "--json", kafka=kafka_bootstrap)[-1])
    assert (found["equal"], found["kafka"], found["repeated_messages"]) == (True, kafka_bootstrap, 0)


def test_the_table_ends_with_the_verdict() -> None:
    """Without --json a person reads tables, what was compared, and EQUAL."""
    text = "\n".join(demo("--files", "50", "--shared-drives", "0"))
    assert "Records on the data topic" in text
    assert "contents of files, by SHA-256" in text
    assert "EQUAL" in text
    assert "NOT EQUAL" not in text


def test_keep_stays_up_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """With --keep it says how to reach each part, and a signal ends it in order."""
    output = tmp_path / "output"
    environment = {name: value for name, value in os.environ.items() if name != "KAFKA_BOOTSTRAP_SERVERS"}
    command = [sys.executable, "-m", "google_drive_worker", "demo", "--files", "50", "--shared-drives", "0", "--keep"]
    with output.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file, env=environment) as running:
        deadline_s = time.monotonic() + DEADLINE_S
        while "health and metrics" not in output.read_text(errors="replace"):
            assert running.poll() is None, output.read_text(errors="replace")
            assert time.monotonic() < deadline_s
            with pytest.raises(subprocess.TimeoutExpired):
                running.wait(0.1)
        running.send_signal(signal.SIGINT)
        assert running.wait(DEADLINE_S) == 0
