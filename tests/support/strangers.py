"""Clients of Drive that we did not write: where `make strangers` has put them, and how they are run."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PREPARED = Path(os.environ.get("STRANGERS_DIR") or ROOT / ".strangers")
RCLONE = PREPARED / "python" / "bin" / "rclone"
LLAMA_INDEX_PYTHON = PREPARED / "python" / "bin" / "python"
GO_CLIENT = PREPARED / "go" / "client"
NODE_FOLDER = PREPARED / "node"
NODE_PROGRAM = ROOT / "tests" / "strangers" / "node" / "drive.mjs"
LLAMA_INDEX_PROGRAM = ROOT / "tests" / "strangers" / "llama_index" / "read.py"

DEADLINE_S = 120.0
NO_CLIENT = "no client: "
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


class ClientFailed(Exception):
    """A client ended with an error."""


def lack_of(client: str) -> str | None:
    """Why that client cannot run here; None where it can."""
    needed = {
        "rclone": RCLONE,
        "llama-index": LLAMA_INDEX_PYTHON,
        "go": GO_CLIENT,
        "node": NODE_FOLDER / "node_modules" / "@googleapis" / "drive",
    }[client]
    if not needed.exists():
        return f"{needed.relative_to(PREPARED.parent)} is not there"
    if client == "node" and shutil.which("node") is None:
        return "Node.js is not there"
    return None


def unproven(reports: Iterable[object]) -> list[str]:
    """What was not held against which client, and why, by the reports of skipped tests."""
    tails = [str(getattr(report, "longrepr", "")).partition(NO_CLIENT)[2] for report in reports]
    return sorted({tail.partition("'")[0].partition('"')[0].rstrip() for tail in tails if tail})


def run_client(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], payload: bytes = b""
) -> bytes:
    """Run a client to its end in that folder, with no setting of the machine but those given; returns what it prints.

    Raises ClientFailed with what it complains of where it ends with an error.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=folder,
        env={**kept, **environment},
        input=payload,
        capture_output=True,
        timeout=DEADLINE_S,
        check=False,
    )
    if done.returncode != 0:
        raise ClientFailed(done.stderr.decode(errors="replace"))
    return done.stdout
