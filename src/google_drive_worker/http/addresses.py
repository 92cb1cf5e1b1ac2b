"""Which addresses a secret may be sent to: HTTPS anywhere, plain HTTP on this machine alone."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

DEFAULT_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105  (an address, no secret)

TOKEN_HOSTS = frozenset({"oauth2.googleapis.com", "accounts.google.com", "www.googleapis.com"})
"""Where Google's token endpoint is, or was: a service account's key names the address of when it was made."""

HTTPS_PORT = 443


def address_problem(url: str) -> str | None:
    """Say what is wrong with sending a secret to `url`, as the end of a sentence; `None` where nothing is."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return "is no valid URL"
    if parts.scheme not in {"http", "https"} or not host:
        return "must be an https:// URL"
    if _has_extras(parts):
        return "must hold no user, password, query or fragment"
    if parts.scheme == "http" and not is_loopback(host):
        return "must be https:// (plain http:// is for this machine's own loopback addresses only)"
    return None


def token_uri_problem(url: str, api_host: str | None) -> str | None:
    """Say what is wrong with trading credentials at `url`, as the end of a sentence; `None` where nothing is.

    It has to be Google's, or on the Drive API's own host where that is another one. A key file comes from a customer,
    and so does the address in it: nobody else than the operator says whom the worker calls.
    """
    if problem := address_problem(url):
        return problem
    parts = urlsplit(url)
    host, api_host = (parts.hostname or "").lower(), (api_host or "").lower()
    if host == api_host or (is_loopback(host) and is_loopback(api_host)):
        return None
    if host not in TOKEN_HOSTS or parts.port not in {None, HTTPS_PORT}:
        return "must be Google's, or on the host of GDRIVE_API_BASE_URL"
    return None


def _has_extras(parts: SplitResult) -> bool:
    return bool(parts.username or parts.password or parts.query or parts.fragment)


def is_loopback(host: str) -> bool:
    """Whether `host` is `localhost` or a loopback address; no name is looked up."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
