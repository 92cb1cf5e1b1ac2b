"""What Google answers a call whose credentials are missing, bad, or not enough.

Measured on live Drive in autumn 2026: a GET of files without credentials is 403, since an API key could make it; other
calls without credentials are 401. Both name the canonical status, and so does a bad token.
"""

from drive_simulator.api.errors import ApiError

_EXPECTED_CREDENTIALS = (
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. See "
    "https://developers.google.com/identity/sign-in/web/devconsole-project."
)


def invalid_credentials() -> ApiError:
    """401 `authError`: the token is unknown, expired or revoked."""
    return ApiError(
        401,
        "authError",
        f"Request had invalid authentication credentials. {_EXPECTED_CREDENTIALS}",
        location="Authorization",
        location_type="header",
        headers={"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'},
        canonical="UNAUTHENTICATED",
        short="Invalid Credentials",
    )


def login_required() -> ApiError:
    """401 `required`: no credentials at all, for a call that an API key can't make either."""
    return ApiError(
        401,
        "required",
        f"Request is missing required authentication credential. {_EXPECTED_CREDENTIALS}",
        location="Authorization",
        location_type="header",
        headers={"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/"'},
        canonical="UNAUTHENTICATED",
        short="Login Required.",
    )


def unregistered_caller() -> ApiError:
    """403 `forbidden`: no credentials at all, for a call that could be made with an API key."""
    message = (
        "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other "
        "form of API consumer identity to call this API."
    )
    return ApiError(403, "forbidden", message, canonical="PERMISSION_DENIED")


def missing_api_key() -> ApiError:
    """403 `forbidden`: no credentials at all, for a file's bytes."""
    return ApiError(403, "forbidden", "The request is missing a valid API key.")


def no_credentials(method_id: str, *, is_read: bool, media: bool) -> ApiError:
    """What a call without credentials gets. `is_read`: by GET; `media`: for a file's bytes."""
    if not is_read or not method_id.startswith("files."):
        return login_required()
    return missing_api_key() if media or method_id == "files.export" else unregistered_caller()


def insufficient_permissions() -> ApiError:
    """403 `insufficientPermissions`: the token's scopes don't cover the method."""
    return ApiError(
        403,
        "insufficientPermissions",
        "Request had insufficient authentication scopes.",
        headers={"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="insufficient_scope"'},
    )
