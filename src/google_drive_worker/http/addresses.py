"""Which addresses a secret may be sent to: HTTPS anywhere, plain HTTP on this machine alone."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

DEFAULT_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105  (an address, no secret)


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
