"""Exchanges on disk: whole lines, no tokens, and a judge that reads them."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from drive_simulator.server.recording import Recorder, read_recording
from support.recordings import judge


@dataclass
class Call:
    """An exchange as the simulator reports it."""

    method: str = "GET"
    path: str = "/drive/v3/files"
    query: tuple[tuple[str, str], ...] = (("pageSize", "5"), ("access_token", "secret"))
    request_body: bytes = b""
    status: int = 200
    response_body: bytes = b'{"files": []}'


def test_what_is_recorded_is_read_back(tmp_path: Path) -> None:
    """Exchanges come back in order, bytes and all; a torn last line and access tokens are left out."""
    with Recorder(tmp_path / "new") as record:
        record(Call())
        record(Call(method="POST", request_body=b"\x00\xff", status=204, response_body=b""))
    with record.path.open("ab") as file:
        file.write(b'{"method": "GE')
    first, second = read_recording(record.path)
    assert first.query == (("pageSize", "5"),)
    assert (second.request_body, second.status) == (b"\x00\xff", 204)
    assert b"secret" not in record.path.read_bytes()


def test_recordings_are_judged(tmp_path: Path) -> None:
    """A recorded exchange that is not Google's fails; no recording at all is clean."""
    judge(tmp_path / "none").assert_clean()
    with Recorder(tmp_path) as record:
        record(Call())
    judge(tmp_path).assert_clean()
    with Recorder(tmp_path) as record:
        record(Call(query=(("pageSize", "0"),)))
    with pytest.raises(AssertionError, match="out of the range"):
        judge(tmp_path).assert_clean()
