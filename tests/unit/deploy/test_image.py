"""What the image is built from, and how it is asked whether it lives. Nothing here builds it."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from google_drive_worker.normalization.pages import IS_COMPILED
from google_drive_worker.observability.health import HealthServer, Readiness
from google_drive_worker.observability.metrics import Metrics

ROOT = Path(__file__).parents[3]
INSTRUCTIONS = [
    re.sub(r"\s*\\\n\s*", " ", each)
    for each in re.split(r"\n(?=[A-Z]+ )", "\n" + re.sub(r"(?m)^\s*#.*\n", "", (ROOT / "Dockerfile").read_text()))
]


def arguments(instruction: str) -> list[str]:
    """What stands behind each instruction of that name."""
    return [each.strip().removeprefix(instruction + " ") for each in INSTRUCTIONS if each.startswith(instruction + " ")]


def test_every_stage_is_of_the_one_plain_image() -> None:
    """Debian's slim image of the Python that the project is locked for, from whichever registry is set up."""
    assert {each.partition(" AS ")[0] for each in arguments("FROM")} == {"python:3.11-slim"}


def test_all_that_is_copied_exists_and_is_let_through() -> None:
    """What `.dockerignore` holds back can't be copied; what is not named there again is held back."""
    copied = [source for each in arguments("COPY") for source in each.split()[:-1]]
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert lines[1] == "*"
    assert set(copied) == let_through
    assert all((ROOT / each).exists() for each in copied)


def test_what_is_installed_is_locked_by_hash() -> None:
    """Both locks name every file by its hash, and the compiler of the hot path is that of the developers."""
    (first, *_) = [each for each in arguments("RUN") if "pip wheel" in each]
    assert first.count("--require-hashes") == 2
    locks = {name: (ROOT / "requirements" / f"{name}.lock").read_text() for name in ("build", "runtime", "dev")}
    pinned = {name: set(re.findall(r"(?m)^[a-z0-9.-]+==[^ ;]+", text)) for name, text in locks.items()}
    assert pinned["build"] | pinned["runtime"] <= pinned["dev"]
    assert {each.partition("==")[0] for each in pinned["build"]} == {"cython", "setuptools"}


@pytest.mark.skipif(not IS_COMPILED, reason="there was no C compiler here; where an image is built there is one")
def test_what_the_build_makes_sure_of_holds_here() -> None:
    """The lines of Python that it runs, such as whether the hot path was compiled."""
    checks = [line for each in arguments("RUN") for line in re.findall(r'python -c "([^"]+)"', each)]
    assert checks
    for line in checks:
        subprocess.run([sys.executable, "-c", line], check=True)


@pytest.mark.parametrize(("is_there", "status"), [(True, 0), (False, 1)])
async def test_the_health_check_asks_the_worker(*, is_there: bool, status: int) -> None:
    """It succeeds while `/health/live` answers on `HEALTH_PORT`, and fails where nobody does."""
    (check,) = arguments("HEALTHCHECK")
    _, *words = json.loads(check[check.index("CMD ") + 4 :])
    server = HealthServer("127.0.0.1", 0, Metrics(), Readiness())
    await server.start()
    port = server.port
    if not is_there:
        await server.stop()
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, env={"HEALTH_PORT": str(port)}, stderr=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == status
    await server.stop()
