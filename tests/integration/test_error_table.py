"""Every row of Google's table of errors, through the simulator: met by a call alone, and by the parts of a batch."""

from pathlib import Path

import pytest

from drive_simulator.faults import Effect, Match, Rule
from google_drive_worker.client.faults import DRIVE_ERRORS
from google_drive_worker.domain.ids import FileId
from google_drive_worker.utils.errors import (
    ItemUnavailable,
    NeedsReauth,
    NotFound,
    PageTokenRejected,
    Retryable,
    SkipItem,
    Terminal,
    WorkerError,
)
from integration.test_drive_client import connected, listed

ROWS: list[tuple[str, int | None, type[WorkerError], str]] = [
    ("badRequest", None, Terminal, "bad_request"),
    ("invalid", None, PageTokenRejected, "page_token_rejected"),
    ("required", None, Terminal, "bad_request"),
    ("authError", None, NeedsReauth, "unauthorized"),
    ("pageTokenExpired", None, PageTokenRejected, "page_token_rejected"),
    ("userRateLimitExceeded", None, Retryable, "rate_limited"),
    ("rateLimitExceeded", None, Retryable, "rate_limited"),
    ("rateLimitExceeded", 429, Retryable, "rate_limited"),
    ("sharingRateLimitExceeded", None, Retryable, "sharing_rate_limited"),
    ("dailyLimitExceeded", None, Retryable, "daily_limit_exceeded"),
    ("quotaExceeded", None, ItemUnavailable, "file_quota_exceeded"),
    ("downloadQuotaExceeded", None, ItemUnavailable, "file_quota_exceeded"),
    ("exportSizeLimitExceeded", None, SkipItem, "export_too_large"),
    ("fileNotExportable", None, SkipItem, "not_exportable"),
    ("fileNotDownloadable", None, SkipItem, "not_downloadable"),
    ("cannotDownloadAbusiveFile", None, SkipItem, "abusive_file"),
    ("cannotDownloadFile", None, SkipItem, "not_downloadable"),
    ("insufficientFilePermissions", None, SkipItem, "access_denied"),
    ("appNotAuthorizedToFile", None, SkipItem, "access_denied"),
    ("teamDriveMembershipRequired", None, SkipItem, "access_denied"),
    ("insufficientPermissions", None, Terminal, "insufficient_scope"),
    ("accessNotConfigured", None, Terminal, "api_not_enabled"),
    ("domainPolicy", None, Terminal, "domain_policy"),
    ("notFound", None, NotFound, "not_found"),
    ("backendError", 500, Retryable, "unavailable"),
    ("backendError", 502, Retryable, "unavailable"),
    ("backendError", 503, Retryable, "unavailable"),
    ("backendError", 504, Retryable, "unavailable"),
    ("backendError", 408, Retryable, "unavailable"),
    ("requestedRangeNotSatisfiable", 416, SkipItem, "range_not_satisfiable"),
]
"""Reason, status where it is not the reason's usual one, and the error that says what to do, with its code."""


def test_the_table_has_no_row_that_is_not_met_here() -> None:
    """A row that is added is added here as well; those without a reason stand for the others of their status.

    That a channel is not unique is met by channels alone, in their own tests.
    """
    met = {reason for reason, *_ in ROWS}
    elsewhere = {"invalidParameter", "channelIdNotUnique"}
    assert {row.reason for row in DRIVE_ERRORS if row.reason is not None} <= met | elsewhere


@pytest.mark.parametrize(("reason", "status", "kind", "code"), ROWS)
async def test_a_call_alone(
    tmp_path: Path, reason: str, status: int | None, kind: type[WorkerError], code: str
) -> None:
    """What is raised says what to do; what is one file's own trouble is waited for where it meets a listing."""
    kind = Retryable if kind is ItemUnavailable else kind
    async with connected(tmp_path) as (simulator, drive):
        simulator.faults.add(Rule(Effect(error=reason, status=status), Match(method="files.list")))
        with pytest.raises(kind) as caught:
            await listed(drive, None)
        assert caught.value.code == code


@pytest.mark.parametrize(("reason", "status", "kind", "code"), ROWS)
async def test_parts_of_a_batch(
    tmp_path: Path, reason: str, status: int | None, kind: type[WorkerError], code: str
) -> None:
    """What concerns one item is its result, and the others have theirs; all else is raised for all of them."""
    async with connected(tmp_path) as (simulator, drive):
        whole = await listed(drive, None)
        first, second = (FileId(each) for each in sorted(whole)[:2])
        rule = Rule(Effect(error=reason, status=status), Match(path=f"/drive/v3/files/{first}/permissions"))
        simulator.faults.add(rule)
        if issubclass(kind, SkipItem):
            found = await drive.list_permissions([first, second])
            refused = found[first]
            assert isinstance(refused, kind)
            assert refused.code == code
            assert isinstance(found[second], tuple)
        else:
            with pytest.raises(kind) as caught:
                await drive.list_permissions([first, second])
            assert caught.value.code == code
