"""The worker's commands as a person runs them, to their end."""

import subprocess
import sys
from collections.abc import Mapping

from support.worker_process import clean_environment

DEADLINE_S = 60.0


def command(*arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `google-drive-worker` with those settings alone, to its end."""
    words = [sys.executable, "-m", "google_drive_worker", *arguments]
    settings = {**clean_environment(), **(environment or {})}
    return subprocess.run(words, capture_output=True, text=True, env=settings, timeout=DEADLINE_S, check=False)
