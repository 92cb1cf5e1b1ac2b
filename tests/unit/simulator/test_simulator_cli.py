"""`google-drive-simulator`: what it prints, and how it ends."""

import signal
import socket
import subprocess
import sys
from pathlib import Path


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "drive_simulator", *arguments]


def test_it_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """It prints what to set, writes the connections, and ends cleanly on SIGTERM."""
    connections = tmp_path / "connections.toml"
    command = _command("--port", "0", "--files", "50", "--write-connections", str(connections))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("# Serving"):
                break
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert lines[0].startswith("GDRIVE_API_BASE_URL=http://127.0.0.1:")
    assert lines[1] == f"CONNECTIONS_FILE={connections}\n"
    assert any("/token" in line for line in lines)
    assert any(line.startswith("curl ") for line in lines)
    assert connections.exists()


def test_a_taken_port_is_one_clear_line() -> None:
    """No trace, a mend, and a failing exit."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            _command("--port", port, "--files", "10"), capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert port in done.stderr
    assert "--port" in done.stderr


def test_help_teaches() -> None:
    """Every option has a word, and there is an example to start from."""
    done = subprocess.run(_command("--help"), capture_output=True, text=True, timeout=60, check=True)
    for word in ("--files", "--write-connections", "--quota-model", "Examples:", "/_simulator/truth"):
        assert word in done.stdout
