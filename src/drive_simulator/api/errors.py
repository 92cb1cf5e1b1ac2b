"""Google's error answers: status, reason, message and the JSON body that carries them.

Messages are Google's own wherever they are known, since clients are known to look at them. Source: "Resolve errors"
of the Drive guides, the body format of Google's JSON APIs, and public reports.
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Literal

import orjson

Domain = Literal["global", "usageLimits"]

_USAGE_LIMITS: Domain = "usageLimits"
_RATE_HELP = "https://developers.google.com/drive/api/guides/handle-errors"


class ApiError(Exception):
    """An answer that is an error. `location` names the parameter or header at fault, where there is one.

    `headers` go out with the answer (`WWW-Authenticate`, `Retry-After`). `canonical` is the canonical name of the
    status, which Drive gives with refused credentials and wrongly typed values alone; `short` is what stands in
    `errors` instead of the message.
    """

    content_type = "application/json; charset=UTF-8"

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        location: str | None = None,
        location_type: str | None = None,
        domain: Domain = "global",
        headers: Mapping[str, str] | None = None,
        extended_help: str | None = None,
        canonical: str | None = None,
        short: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.location = location
        self.location_type = location_type or ("parameter" if location else None)
        self.domain = domain
        self.headers = dict(headers or {})
        self.extended_help = extended_help
        self.canonical = canonical
        self.short = short

    def document(self) -> dict[str, object]:
        """Google's error object: `{"error": {"code", "message", "errors": [{…}]}}`."""
        detail = {"message": self.short or self.message, "domain": self.domain, "reason": self.reason}
        if self.location is not None:
            detail["location"] = self.location
        if self.location_type is not None:
            detail["locationType"] = self.location_type
        if self.extended_help is not None:
            detail["extendedHelp"] = self.extended_help
        error: dict[str, object] = {"code": self.status, "message": self.message, "errors": [detail]}
        if self.canonical is not None:
            error["status"] = self.canonical
        return {"error": error}

    def body(self) -> bytes:
        """The body as it goes out: `document()` as UTF-8 JSON."""
        return orjson.dumps(self.document())


class TypedValueError(ApiError):
    """400 `invalid`: parameters whose values have the wrong type, as (name, type, value).

    Names are Google's internal ones (`page_size`). Measured: the entry in `errors` has no domain, and `details` hold a
    violation for each value.
    """

    def __init__(self, values: Sequence[tuple[str, str, str]]) -> None:
        self.violations = [
            (field, f"Invalid value at '{field}' ({kind}), \"{value}\"")
            for name, kind, value in values
            for field in (internal_name(name),)
        ]
        message = "\n".join(text for _, text in self.violations)
        super().__init__(400, "invalid", message, canonical="INVALID_ARGUMENT")

    def document(self) -> dict[str, object]:
        """The body as JSON."""
        detail = {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": field, "description": text} for field, text in self.violations],
        }
        error = {
            "code": self.status,
            "message": self.message,
            "errors": [{"message": self.message, "reason": self.reason}],
            "status": self.canonical,
            "details": [detail],
        }
        return {"error": error}


class UnexplainedError(ApiError):
    """500 with an entry in `errors` that says nothing: measured for a page token of permissions.list that was altered.

    The message is assumed.
    """

    def __init__(self) -> None:
        super().__init__(500, "unknown", "Unknown Error.", canonical="UNKNOWN")

    def document(self) -> dict[str, object]:
        """The body as JSON."""
        return {"error": {"code": self.status, "message": self.message, "errors": [{}], "status": self.canonical}}


def internal_name(parameter: str) -> str:
    """A parameter's name as Google's own checks write it: `page_size` for `pageSize`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", parameter).lower()


class TokenError(ApiError):
    """An error of the token endpoint, in RFC 6749's form: `{"error", "error_description"}`."""

    def document(self) -> dict[str, object]:
        """The body as JSON."""
        return {"error": self.reason, "error_description": self.message}


def bad_request(message: str, *, location: str | None = None) -> ApiError:
    """400 `badRequest`."""
    return ApiError(400, "badRequest", message, location=location)


def invalid(location: str, message: str = "Invalid Value") -> ApiError:
    """400 `invalid`: a value that can't be read, as Google answers a bad `q` or `pageToken`."""
    return ApiError(400, "invalid", message, location=location)


def invalid_parameter(name: str, message: str) -> ApiError:
    """400 `invalidParameter`: out of the range, not in the enum, unknown field."""
    return ApiError(400, "invalidParameter", message, location=name)


def unknown_parameter(name: str) -> ApiError:
    """400 `invalidParameter`: the method has no such parameter (strict, as new Google front ends are)."""
    return ApiError(400, "invalidParameter", f'Unknown name "{name}": no such query parameter.', location=name)


def required_parameter(name: str) -> ApiError:
    """400 `required`."""
    return ApiError(400, "required", f"Required parameter: {name}", location=name)


def fields_required() -> ApiError:
    """400 `required` at `fields`: about.get and the comment methods answer nothing without it."""
    message = "The 'fields' parameter is required for this method."
    return ApiError(400, "required", message, location="fields")


def invalid_field_selection(field: str) -> ApiError:
    """400 `invalidParameter`: `fields` names something that the schema does not have."""
    return invalid_parameter("fields", f"Invalid field selection {field}")


def parse_error() -> ApiError:
    """400 `parseError`: the request body is no JSON object."""
    return ApiError(400, "parseError", "Parse Error")


def invalid_page_token() -> ApiError:
    """400 `invalid` at `pageToken`: not a token of this method, or one of another query."""
    return invalid("pageToken")


def page_token_expired() -> ApiError:
    """403 `pageTokenExpired`."""
    message = "The specified page token has expired, and can no longer be used."
    return ApiError(403, "pageTokenExpired", message)


def insufficient_file_permissions() -> ApiError:
    """403 `insufficientFilePermissions`: the user's role on the file does not allow it."""
    message = "The user does not have sufficient permissions for this file."
    return ApiError(403, "insufficientFilePermissions", message)


def insufficient_parent_permissions() -> ApiError:
    """403 `insufficientParentPermissions`: the user may not put something into that folder."""
    return ApiError(403, "insufficientParentPermissions", "Insufficient permissions for the specified parent.")


def team_drive_membership_required() -> ApiError:
    """403 `teamDriveMembershipRequired`."""
    message = "The attempted action requires shared drive membership."
    return ApiError(403, "teamDriveMembershipRequired", message)


def user_rate_limit_exceeded(*, status: int = 403, retry_after_s: int | None = None) -> ApiError:
    """403 or 429 `userRateLimitExceeded`."""
    return _limit(status, "userRateLimitExceeded", "User Rate Limit Exceeded", retry_after_s, _RATE_HELP)


def rate_limit_exceeded(*, status: int = 403, retry_after_s: int | None = None) -> ApiError:
    """403 or 429 `rateLimitExceeded`: the project's limit."""
    return _limit(status, "rateLimitExceeded", "Rate Limit Exceeded", retry_after_s, _RATE_HELP)


def daily_limit_exceeded() -> ApiError:
    """403 `dailyLimitExceeded`."""
    return _limit(403, "dailyLimitExceeded", "Daily Limit Exceeded", None, None)


def sharing_rate_limit_exceeded() -> ApiError:
    """403 `sharingRateLimitExceeded`."""
    message = "Rate limit exceeded. User message: 'Sorry, you have exceeded your sharing quota.'"
    return ApiError(403, "sharingRateLimitExceeded", message)


def quota_exceeded() -> ApiError:
    """403 `quotaExceeded`."""
    return _limit(403, "quotaExceeded", "Quota exceeded.", None, None)


def download_quota_exceeded() -> ApiError:
    """403 `downloadQuotaExceeded`."""
    message = "The download quota for this file has been exceeded."
    return _limit(403, "downloadQuotaExceeded", message, None, None)


def export_size_limit_exceeded() -> ApiError:
    """403 `exportSizeLimitExceeded`: over 10 MB."""
    return ApiError(403, "exportSizeLimitExceeded", "This file is too large to be exported.")


def file_not_exportable() -> ApiError:
    """403 `fileNotExportable`: export of a blob."""
    return ApiError(403, "fileNotExportable", "Export only supports Docs Editors files.")


def file_not_downloadable() -> ApiError:
    """403 `fileNotDownloadable`: alt=media of a Workspace file."""
    message = "Only files with binary content can be downloaded. Use Export with Docs Editors files."
    return ApiError(403, "fileNotDownloadable", message, location="alt")


def conversion_not_supported() -> ApiError:
    """400 `badRequest` at `convertTo`: the type can't be exported so."""
    return bad_request("The requested conversion is not supported.", location="convertTo")


def cannot_download_abusive_file() -> ApiError:
    """403 `cannotDownloadAbusiveFile`."""
    message = "This file has been identified as malware or spam and cannot be downloaded."
    return ApiError(403, "cannotDownloadAbusiveFile", message)


def cannot_download_file() -> ApiError:
    """403 `cannotDownloadFile`: the owner switched downloads off."""
    return ApiError(403, "cannotDownloadFile", "This file cannot be downloaded by the user.")


def app_not_authorized_to_file(file_id: str) -> ApiError:
    """403 `appNotAuthorizedToFile`."""
    message = f"The user has not granted the app access to the file {file_id}."
    return ApiError(403, "appNotAuthorizedToFile", message)


def not_found(file_id: str) -> ApiError:
    """404 `notFound` of a file: gone, or not to be seen by this user."""
    return ApiError(404, "notFound", f"File not found: {file_id}.", location="fileId")


def drive_not_found(drive_id: str) -> ApiError:
    """404 `notFound` of a shared drive."""
    return ApiError(404, "notFound", f"Shared drive not found: {drive_id}", location="driveId")


def resource_not_found(kind: str, resource_id: str, parameter: str) -> ApiError:
    """404 `notFound` of what hangs on a file, `kind` in Google's words: Permission, Revision, Comment, Reply."""
    return ApiError(404, "notFound", f"{kind} not found: {resource_id}.", location=parameter)


def method_not_found() -> ApiError:
    """404 of a path that no method has."""
    return ApiError(404, "notFound", "Not Found")


def range_not_satisfiable(size: int) -> ApiError:
    """416: the Range starts behind the end of `size` bytes."""
    message = "Request range not satisfiable"
    headers = {"Content-Range": f"bytes */{size}"}
    return ApiError(
        416, "requestedRangeNotSatisfiable", message, location="Range", location_type="header", headers=headers
    )


def backend_error(status: int = 500) -> ApiError:
    """500, 502, 503 and 504: trouble on Google's side."""
    reason, message = {
        500: ("internalError", "Internal Error"),
        502: ("backendError", "Bad Gateway"),
        503: ("backendError", "Backend Error"),
        504: ("backendError", "Gateway Timeout"),
    }.get(status, ("backendError", HTTPStatus(status).phrase))
    return ApiError(status, reason, message)


def _limit(status: int, reason: str, message: str, retry_after_s: int | None, extended_help: str | None) -> ApiError:
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return ApiError(status, reason, message, domain=_USAGE_LIMITS, headers=headers, extended_help=extended_help)


def include_items_required() -> ApiError:
    """403: a shared drive's items are asked for without includeItemsFromAllDrives."""
    message = (
        "The includeItemsFromAllDrives parameter must be set to true when driveId is specified or corpora contains "
        "drive or allDrives."
    )
    return ApiError(403, "teamDrivesParameterRequired", message, location="includeItemsFromAllDrives")


def include_items_not_supported() -> ApiError:
    """403 `supportsTeamDrivesRequired`: includeItemsFromAllDrives without supportsAllDrives."""
    return ApiError(403, "supportsTeamDrivesRequired", "The supportsAllDrives parameter was not set to true.")


def duplicate_sort_keys() -> ApiError:
    """403 `orderByContainsDuplicateSortKeys`."""
    message = "The orderBy parameter cannot contain duplicate sort keys."
    return ApiError(403, "orderByContainsDuplicateSortKeys", message, location="orderBy")


def sorting_of_full_text() -> ApiError:
    """403 `forbidden` at `orderBy`: the query has a `fullText` term."""
    message = (
        "Sorting is not supported for queries with fullText terms. Results are always in descending relevance order."
    )
    return ApiError(403, "forbidden", message, location="orderBy")


def abuse_acknowledgment_without_download() -> ApiError:
    """403 `invalidAbuseAcknowledgment`: acknowledgeAbuse where nothing is downloaded."""
    message = "The acknowledgeAbuse parameter is only applicable for download requests."
    return ApiError(403, "invalidAbuseAcknowledgment", message, location="acknowledgeAbuse")


def administrator_required() -> ApiError:
    """403 `noListTeamDrivesAdministratorPrivilege`: useDomainAdminAccess of an account that is no administrator."""
    message = (
        "The requesting user does not have the administrator privilege required to list or manage all shared drives."
    )
    return ApiError(403, "noListTeamDrivesAdministratorPrivilege", message)


def download_in_batch(location: str) -> ApiError:
    """302: a part of a batch that asks for a file's bytes is sent elsewhere for them."""
    headers = {"Location": location}
    return ApiError(302, "backendError", "Unknown Error.", canonical="UNKNOWN", headers=headers)


def drive_id_and_corpora() -> ApiError:
    """403 `teamDriveIdRequiresTeamDriveCorpora`: one of driveId and corpora=drive without the other."""
    message = "The driveId parameter must be specified if and only if corpora is set to drive."
    return ApiError(403, "teamDriveIdRequiresTeamDriveCorpora", message)


def channel_id_not_unique(channel_id: str) -> ApiError:
    """400 `channelIdNotUnique`: a living channel has that id."""
    return ApiError(400, "channelIdNotUnique", f"Channel id {channel_id} not unique")


def webhook_not_https(address: str) -> ApiError:
    """400 `push.webhookUrlNotHttps`."""
    return ApiError(400, "push.webhookUrlNotHttps", f"WebHook callback must be HTTPS: {address}")


def channel_not_found(channel_id: str) -> ApiError:
    """404 `notFound` of a channel: never made, ended, of another resource or of another account."""
    return ApiError(404, "notFound", f"Channel '{channel_id}' not found for project 'simulated'")
