"""Every row of Google's table of errors, through the simulator: met by a call alone, and by the parts of a batch."""

from pathlib import Path

import pytest

from drive_simulator.faults import Effect, Match, Rule
from google_drive_worker.client.faults import DRIVE_ERRORS
from google_drive_worker.domain.ids import FileId
from google_drive_worker.utils.errors import (
    NeedsReauth,
    NotFound,
    PageTokenRejected,
    Retryable,
    SkipItem,
    Terminal,
    WorkerError,
)
from integration.test_drive_client import connected, listed

ROWS: list[tuple[str, int | None, type[WorkerError], type[WorkerError]]] = [
    ("badRequest", None, Terminal, Terminal),
    ("invalid", None, PageTokenRejected, PageTokenRejected),
    ("required", None, Terminal, Terminal),
    ("authError", None, NeedsReauth, NeedsReauth),
    ("pageTokenExpired", None, PageTokenRejected, PageTokenRejected),
    ("userRateLimitExceeded", None, Retryable, Retryable),
    ("rateLimitExceeded", None, Retryable, Retryable),
    ("rateLimitExceeded", 429, Retryable, Retryable),
    ("sharingRateLimitExceeded", None, Retryable, Retryable),
    ("dailyLimitExceeded", None, Retryable, Retryable),
    ("quotaExceeded", None, Retryable, Retryable),
    ("downloadQuotaExceeded", None, Retryable, Retryable),
    ("exportSizeLimitExceeded", None, SkipItem, SkipItem),
    ("fileNotExportable", None, SkipItem, SkipItem),
    ("fileNotDownloadable", None, SkipItem, SkipItem),
    ("cannotDownloadAbusiveFile", None, SkipItem, SkipItem),
    ("cannotDownloadFile", None, SkipItem, SkipItem),
    ("insufficientFilePermissions", None, SkipItem, SkipItem),
    ("appNotAuthorizedToFile", None, SkipItem, SkipItem),
    ("teamDriveMembershipRequired", None, SkipItem, SkipItem),
    ("insufficientPermissions", None, Terminal, Terminal),
    ("accessNotConfigured", None, Terminal, Terminal),
    ("domainPolicy", None, Terminal, Terminal),
    ("notFound", None, NotFound, NotFound),
    ("backendError", 500, Retryable, Retryable),
    ("backendError", 502, Retryable, Retryable),
    ("backendError", 503, Retryable, Retryable),
    ("backendError", 504, Retryable, Retryable),
    ("backendError", 408, Retryable, Retryable),
    ("requestedRangeNotSatisfiable", 416, SkipItem, SkipItem),
]
"""Reason, status where it is not the reason's usual one, and what a listing and a part of a batch come to."""


def test_the_table_has_no_row_that_is_not_met_here() -> None:
    """A row that is added is added here as well; those without a reason stand for the others of their status."""
    met = {reason for reason, *_ in ROWS}
    assert {row.reason for row in DRIVE_ERRORS if row.reason is not None} <= met | {"invalidParameter"}


@pytest.mark.parametrize(("reason", "status", "alone", "_"), ROWS)
async def test_a_call_alone(
    tmp_path: Path, reason: str, status: int | None, alone: type[WorkerError], _: type[WorkerError]
) -> None:
    """What is raised says what to do."""
    async with connected(tmp_path) as (simulator, drive):
        simulator.faults.add(Rule(Effect(error=reason, status=status), Match(method="files.list")))
        with pytest.raises(alone) as caught:
            await listed(drive, None)
        assert isinstance(caught.value, alone)
        assert caught.value.http_status is not None


@pytest.mark.parametrize(("reason", "status", "_", "part"), ROWS)
async def test_parts_of_a_batch(
    tmp_path: Path, reason: str, status: int | None, _: type[WorkerError], part: type[WorkerError]
) -> None:
    """What concerns one item is its result, and the others have theirs; all else is raised for all of them."""
    async with connected(tmp_path) as (simulator, drive):
        whole = await listed(drive, None)
        first, second = (FileId(each) for each in sorted(whole)[:2])
        rule = Rule(Effect(error=reason, status=status), Match(path=f"/drive/v3/files/{first}/permissions"))
        simulator.faults.add(rule)
        if issubclass(part, SkipItem):
            found = await drive.list_permissions([first, second])
            assert type(found[first]) is part
            assert isinstance(found[second], tuple)
        else:
            with pytest.raises(part):
                await drive.list_permissions([first, second])
