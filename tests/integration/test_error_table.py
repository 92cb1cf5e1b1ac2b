"""Every row of Google's table of errors, through the simulator: met by a listing, by one item's call, and by parts of a
batch."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from drive_simulator.api.credential_errors import unregistered_caller
from drive_simulator.faults.plan import Effect, Match, Rule
from drive_simulator.faults.presets import PRESETS, SOFT_LIMIT, failing_for_ever
from google_drive_worker.client.faults import DRIVE_ERRORS, CallKind, drive_error
from google_drive_worker.domain.ids import FileId, PageToken
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
from integration.test_drive_client import all_drives, connected, listed

ROWS: list[tuple[str, int | None, type[WorkerError], type[WorkerError], str]] = [
    ("badRequest", None, Retryable, ItemUnavailable, "bad_request"),
    ("invalid", None, PageTokenRejected, ItemUnavailable, "page_token_rejected"),
    ("required", None, Retryable, ItemUnavailable, "bad_request"),
    ("authError", None, NeedsReauth, ItemUnavailable, "unauthorized"),
    ("pageTokenExpired", None, PageTokenRejected, ItemUnavailable, "page_token_rejected"),
    ("userRateLimitExceeded", None, Retryable, Retryable, "rate_limited"),
    ("rateLimitExceeded", None, Retryable, Retryable, "rate_limited"),
    ("rateLimitExceeded", 429, Retryable, Retryable, "rate_limited"),
    ("sharingRateLimitExceeded", None, Retryable, Retryable, "sharing_rate_limited"),
    ("dailyLimitExceeded", None, Retryable, Retryable, "daily_limit_exceeded"),
    ("quotaExceeded", None, Retryable, ItemUnavailable, "file_quota_exceeded"),
    ("downloadQuotaExceeded", None, Retryable, ItemUnavailable, "file_quota_exceeded"),
    ("exportSizeLimitExceeded", None, Retryable, ItemUnavailable, "forbidden"),
    ("fileNotExportable", None, Retryable, ItemUnavailable, "forbidden"),
    ("fileNotDownloadable", None, Retryable, ItemUnavailable, "forbidden"),
    ("cannotDownloadAbusiveFile", None, Retryable, ItemUnavailable, "forbidden"),
    ("cannotDownloadFile", None, Retryable, ItemUnavailable, "forbidden"),
    ("insufficientFilePermissions", None, Retryable, SkipItem, "access_denied"),
    ("appNotAuthorizedToFile", None, Retryable, SkipItem, "access_denied"),
    ("teamDriveMembershipRequired", None, Retryable, SkipItem, "access_denied"),
    ("insufficientPermissions", None, Retryable, ItemUnavailable, "insufficient_scope"),
    ("accessNotConfigured", None, Retryable, ItemUnavailable, "api_not_enabled"),
    ("domainPolicy", None, Retryable, ItemUnavailable, "domain_policy"),
    ("notFound", None, NotFound, NotFound, "not_found"),
    ("backendError", 500, Retryable, ItemUnavailable, "unavailable"),
    ("backendError", 502, Retryable, ItemUnavailable, "unavailable"),
    ("backendError", 503, Retryable, ItemUnavailable, "unavailable"),
    ("backendError", 504, Retryable, ItemUnavailable, "unavailable"),
    ("backendError", 408, Retryable, ItemUnavailable, "unavailable"),
    ("requestedRangeNotSatisfiable", 416, Retryable, ItemUnavailable, "range_not_satisfiable"),
]
"""Reason, status where it is not the reason's usual one, the errors that say what to do of a shared drive's list and of
one item, and the code of the latter.

All of them meet these calls alone: what needs no item is answered."""


def test_the_table_has_no_row_that_is_not_met_here() -> None:
    """A row that is added is added here as well; those without a reason stand for the others of their status.

    What concerns channels, contents and scopes alone is met in their own tests, as is Google's newer form.
    """
    met = {reason for reason, *_ in ROWS}
    elsewhere = {"invalidParameter", "channelIdNotUnique", "revisionsNotSupported"}
    newer = {"RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "SERVICE_DISABLED"}
    newer |= {"UNAUTHENTICATED"}
    assert {row.reason for row in DRIVE_ERRORS if row.reason is not None} <= met | elsewhere | newer


@pytest.mark.parametrize(("reason", "status", "kind", "_", "code"), ROWS)
async def test_a_call_alone(
    tmp_path: Path, reason: str, status: int | None, kind: type[WorkerError], _: type[WorkerError], code: str
) -> None:
    """What is raised says what to do; nothing but a drive's own 404, a token or a request of ours is final."""
    async with connected(tmp_path) as (simulator, drive):
        drive_id = (await all_drives(drive))[0]
        listing = await drive.list_files(drive_id, None, include_trashed=False)
        token = listing.next_page_token or PageToken("t")
        simulator.faults.add(Rule(Effect(error=reason, status=status), Match(method="files.list")))
        if reason == "authError":
            simulator.faults.add(Rule(Effect(error=reason), Match(method="about.get")))
        with pytest.raises(kind) as caught:
            await drive.list_files(drive_id, token, include_trashed=False)
        assert caught.value.code in {code, "forbidden"}


@pytest.mark.parametrize(("reason", "status", "_", "kind", "code"), ROWS)
@pytest.mark.parametrize("count", [1, 2])
async def test_one_items_call_and_parts_of_a_batch(
    tmp_path: Path,
    reason: str,
    status: int | None,
    _: type[WorkerError],
    kind: type[WorkerError],
    code: str,
    count: int,
) -> None:
    """What concerns one item is its result, and the others have theirs; a quota is raised for all of them."""
    async with connected(tmp_path) as (simulator, drive):
        whole = await listed(drive, None)
        first, *others = (FileId(each) for each in sorted(whole)[:count])
        rule = Rule(Effect(error=reason, status=status), Match(path=f"/drive/v3/files/{first}/permissions"))
        simulator.faults.add(rule)
        if not issubclass(kind, SkipItem):
            with pytest.raises(kind) as caught:
                await drive.list_permissions([first, *others])
            assert caught.value.code == code
            return
        found = await drive.list_permissions([first, *others])
        refused = found[first]
        assert type(refused) is kind
        assert refused.code == code
        assert all(isinstance(found[each], tuple) for each in others)


@pytest.mark.parametrize("reason", ["insufficientPermissions", "accessNotConfigured", "authError"])
async def test_what_is_refused_of_everything_concerns_the_connection(tmp_path: Path, reason: str) -> None:
    """A call that needs no item is refused as well."""
    kind = NeedsReauth if reason == "authError" else Terminal
    async with connected(tmp_path) as (simulator, drive):
        [some, *_] = await listed(drive, None)
        for method in ("about.get", "files.list", "files.get", "permissions.list"):
            simulator.faults.add(Rule(Effect(error=reason), Match(method=method)))
        with pytest.raises(kind):
            await listed(drive, None)
        with pytest.raises(kind):
            await drive.list_permissions([FileId(some)])
        with pytest.raises(kind):
            await drive.get_files([FileId(some)])


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "export_fails"])
async def test_what_fails_once_is_tried_again(tmp_path: Path, preset: str) -> None:
    """A batch refused as a whole, a part over a soft limit and a page of the front door say nothing of any item."""
    async with connected(tmp_path) as (simulator, drive):
        ids = [FileId(each) for each in sorted(await listed(drive, None))[:8]]
        simulator.faults.add(PRESETS[preset])
        found = await drive.list_permissions(ids)
        assert simulator.faults.states()[0].struck == 1
        assert all(isinstance(found[each], tuple) for each in ids)


@pytest.mark.parametrize("effect", [Effect(html=403), Effect(error="forbidden", message=SOFT_LIMIT), Effect(html=502)])
async def test_an_item_that_fails_for_ever_costs_itself_alone(tmp_path: Path, effect: Effect) -> None:
    """It is named as one that can't be had now, never as one that this account may not see."""
    async with connected(tmp_path) as (simulator, drive):
        bad, *others = (FileId(each) for each in sorted(await listed(drive, None))[:4])
        simulator.faults.add(failing_for_ever(bad, "permissions.list", effect))
        found = await drive.list_permissions([bad, *others])
        assert isinstance(found[bad], ItemUnavailable)
        assert all(isinstance(found[each], tuple) for each in others)


async def test_no_credentials_on_files_are_no_lost_item(tmp_path: Path) -> None:
    """403 `forbidden` with PERMISSION_DENIED, as of a call without Authorization, is tried again, not skipped."""
    error = unregistered_caller()
    raised = drive_error(
        "drive.files.get", CallKind.ITEM, error.status, {}, error.body(), now=datetime.now(UTC), redact=str
    )
    assert type(raised) is Retryable
