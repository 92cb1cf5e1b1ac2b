"""Errors by Google's reason, for faults on demand."""

from collections.abc import Mapping

from drive_simulator.api.credential_errors import invalid_credentials
from drive_simulator.api.errors import (
    ApiError,
    Domain,
    TokenError,
    backend_error,
    invalid_page_token,
    page_token_expired,
    rate_limit_exceeded,
    user_rate_limit_exceeded,
)

_USAGE_LIMITS: Domain = "usageLimits"


def by_reason(
    reason: str, *, status: int | None = None, retry_after_s: int | None = None, message: str | None = None
) -> ApiError:
    """The error that Google gives for `reason`, for faults on demand. Raises KeyError for a reason that it has not.

    Reasons with underscores are the token endpoint's (`invalid_grant`). `status` chooses where a reason has several
    (`rateLimitExceeded`, `backendError`), and `message` where one reason comes with several texts (`forbidden`).
    """
    match reason:
        case "userRateLimitExceeded":
            error = user_rate_limit_exceeded(status=status or 403, retry_after_s=retry_after_s)
        case "rateLimitExceeded":
            error = rate_limit_exceeded(status=status or 403, retry_after_s=retry_after_s)
        case "backendError" | "internalError":
            error = backend_error(status or (500 if reason == "internalError" else 503))
        case "invalid":
            error = invalid_page_token()
        case "pageTokenExpired":
            error = page_token_expired()
        case "authError":
            error = invalid_credentials()
        case _ if reason in _TOKEN_ERRORS:
            error = TokenError(*_TOKEN_ERRORS[reason])
        case _:
            plain_status, text, domain = _PLAIN[reason]
            error = ApiError(plain_status, reason, message or text, domain=domain)
    return error


# Status, error and description, as the token endpoint gives them.
_TOKEN_ERRORS: Mapping[str, tuple[int, str, str]] = {
    "invalid_grant": (400, "invalid_grant", "Token has been expired or revoked."),
    "invalid_scope": (400, "invalid_scope", "Some requested scopes were invalid."),
    "invalid_client": (401, "invalid_client", "The OAuth client was not found."),
    "unauthorized_client": (401, "unauthorized_client", "Unauthorized"),
    "rate_limit_exceeded": (429, "rate_limit_exceeded", "Too many requests."),
    "internal_failure": (500, "internal_failure", "Internal failure."),
    "temporarily_unavailable": (503, "temporarily_unavailable", "The service is temporarily unavailable."),
}

_PLAIN: Mapping[str, tuple[int, str, Domain]] = {
    "badRequest": (400, "Bad Request", "global"),
    "invalidParameter": (400, "Invalid Value", "global"),
    "required": (400, "Required", "global"),
    "sharingRateLimitExceeded": (403, "Sharing rate limit exceeded.", "global"),
    "dailyLimitExceeded": (403, "Daily Limit Exceeded", _USAGE_LIMITS),
    "quotaExceeded": (403, "Quota exceeded.", _USAGE_LIMITS),
    "downloadQuotaExceeded": (403, "The download quota for this file has been exceeded.", _USAGE_LIMITS),
    "exportSizeLimitExceeded": (403, "This file is too large to be exported.", "global"),
    "fileNotExportable": (403, "Export only supports Docs Editors files.", "global"),
    "fileNotDownloadable": (403, "Only files with binary content can be downloaded.", "global"),
    "cannotDownloadAbusiveFile": (403, "This file has been identified as malware or spam.", "global"),
    "cannotDownloadFile": (403, "This file cannot be downloaded by the user.", "global"),
    "insufficientFilePermissions": (403, "The user does not have sufficient permissions for this file.", "global"),
    "appNotAuthorizedToFile": (403, "The user has not granted the app access to the file.", "global"),
    "teamDriveMembershipRequired": (403, "The attempted action requires shared drive membership.", "global"),
    "forbidden": (403, "Forbidden", "global"),
    "insufficientPermissions": (403, "Request had insufficient authentication scopes.", "global"),
    "accessNotConfigured": (
        403,
        "Google Drive API has not been used in this project or it is disabled.",
        "usageLimits",
    ),
    "domainPolicy": (403, "The domain administrators have disabled Drive apps.", "global"),
    "notFound": (404, "File not found.", "global"),
    "requestedRangeNotSatisfiable": (416, "Request range not satisfiable", "global"),
}
