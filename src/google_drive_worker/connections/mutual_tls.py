"""HTTP over mutual TLS: the worker shows a certificate, checks the server's, and takes new files into use by itself."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from cryptography import x509

from google_drive_worker.http.transport import (
    CERTIFICATE_REFUSED,
    NO_CONNECTION,
    AiohttpTransport,
    HttpRequest,
    HttpResponse,
    TransportLimits,
)
from google_drive_worker.utils.errors import Misconfigured, Retryable

HTTPS_PORT = 443

_PATIENCE_S = 0.5
"""How long a server may take to end a connection whose certificate it does not accept."""

_CLOSED = "it ends the connection: the certificate may be of another authority, expired, or not allowed"

_Stamp = tuple[tuple[int, int, int] | None, ...]


class CertificateFiles(NamedTuple):
    """PEM files: our certificate with its chain, its key, and the authority that signs servers' (`None`: the system's).

    A rotation may replace them one after the other, or all at once by a link, as Kubernetes does.
    """

    certificate: Path
    key: Path
    authority: Path | None = None


class FileNames(NamedTuple):
    """What the files are called in the configuration, to say which of them is at fault."""

    certificate: str
    key: str
    authority: str


class MutualTlsTransport:
    """Implements `Transport` for one host. The server's certificate and name are always verified.

    The files are looked at before each request (a `stat` each). When they have changed, new connections are made with
    the new ones, while requests under way end on the old ones. New files that don't fit together leave the old ones in
    use, and `problem` says what is wrong.
    """

    def __init__(self, origin: str, files: CertificateFiles, names: FileNames, limits: TransportLimits) -> None:
        """Nothing is read yet."""
        self._origin = origin
        self._files = files
        self._names = names
        self._limits = limits
        self._stamp: _Stamp | None = None
        self._in_use: _InUse | None = None
        self._problem: str | None = None
        self._reading = asyncio.Lock()

    @property
    def problem(self) -> str | None:
        """What is wrong with the files as they are now, in one line; `None` while they are in use and not expired."""
        in_use = self._in_use
        return self._problem or (None if in_use is None else in_use.problem(datetime.now(UTC)))

    async def close(self) -> None:
        """Close all connections; harmless when done twice."""
        in_use, self._in_use, self._stamp = self._in_use, None, None
        if in_use is not None:
            await in_use.transport.close()

    async def refresh(self) -> None:
        """Take the files into use where they have changed. Raises `Misconfigured` where none were ever usable."""
        async with self._reading:
            stamp = tuple(map(_stamp, self._files))
            if stamp != self._stamp:
                found = await asyncio.to_thread(_context_of, self._files, self._names)
                self._stamp = stamp
                if isinstance(found, str):
                    self._problem = found
                else:
                    before, self._problem = self._in_use, None
                    transport = AiohttpTransport(self._origin, self._limits, tls=found.context)
                    self._in_use = _InUse(found, transport, f"{self._names.certificate}: {self._files.certificate}")
                    if before is not None:
                        await before.retire()
        if self._in_use is None:
            raise Misconfigured(self._problem or "the certificates can't be read")

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send once, by the files as they are now; see `Transport.send`. Raises `Misconfigured` as `refresh` does."""
        await self.refresh()
        in_use = self._in_use
        assert in_use is not None  # noqa: S101 - `refresh` raises otherwise
        in_use.requests += 1
        refusal: str | None = None
        try:
            return await in_use.transport.send(request)
        except Retryable as failure:
            if failure.code != NO_CONNECTION:
                raise
            refusal = await asyncio.to_thread(_refusal, self._origin, in_use.context, self._limits.connect_timeout_s)
            if refusal is None:
                raise
        finally:
            in_use.requests -= 1
            if in_use.retired and not in_use.requests:
                await in_use.transport.close()
        raise Retryable(f"the server does not accept our certificate ({refusal})", code=CERTIFICATE_REFUSED)


class _InUse:
    """A transport with the number of its requests under way."""

    def __init__(self, read: "_Read", transport: AiohttpTransport, certificate: str) -> None:
        self.context = read.context
        self.transport = transport
        self._expires = read.expires
        self._certificate = certificate
        self.requests = 0
        self.retired = False

    def problem(self, now: datetime) -> str | None:
        """What is wrong with the certificate's time: the server is the judge of it, and so it is used all the same."""
        if self._expires is None or self._expires >= now:
            return None
        return f"{self._certificate} expired on {self._expires:%Y-%m-%d %H:%M} UTC"

    async def retire(self) -> None:
        """Close it as soon as nothing is under way."""
        self.retired = True
        if not self.requests:
            await self.transport.close()


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


class _Read(NamedTuple):
    """What files came to, and when the certificate expires, where that can be read."""

    context: ssl.SSLContext
    expires: datetime | None


def _context_of(files: CertificateFiles, names: FileNames) -> _Read | str:
    """The context that these files make, or what is wrong with them and how to mend it."""
    for name, path in zip(names, files, strict=True):
        if path is not None and (problem := _unreadable(path)):
            return f"{name}: {problem}"
    try:
        context = ssl.create_default_context(cafile=files.authority)
    except (ssl.SSLError, OSError):
        return f"{names.authority}: {files.authority} holds no certificate in PEM"
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A key that asks for a password must not make the process wait at a terminal.
        context.load_cert_chain(files.certificate, files.key, password="")
    except (ssl.SSLError, OSError, ValueError) as problem:
        reason = (getattr(problem, "reason", None) or type(problem).__name__).lower().replace("_", " ")
        return (
            f"{names.certificate}, {names.key}: {files.certificate} and {files.key} are no certificate with its own "
            f"key in PEM, without a password ({reason})"
        )
    return _Read(context, _expiry_of(files.certificate))


def _expiry_of(path: Path) -> datetime | None:
    """When the certificate expires; `None` where it is gone again, or of a form that OpenSSL alone reads."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None


def _refusal(origin: str, context: ssl.SSLContext, timeout_s: float) -> str | None:
    """How the server ends a connection that asks for nothing, if it does: that is what it has against our certificate.

    In TLS 1.3 the client's handshake is over before the server has looked at the certificate (RFC 8446, section 2), so
    an exchange that fails for it looks like one that was cut; and some servers say nothing more. Blocks.
    """
    parts = urlsplit(origin)
    host, port = parts.hostname or "", parts.port or HTTPS_PORT
    try:
        with (
            socket.create_connection((host, port), timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=host) as tls,
        ):
            tls.settimeout(_PATIENCE_S)
            return None if tls.recv(1) else _CLOSED
    except TimeoutError:
        return None
    except ssl.SSLCertVerificationError:
        return None
    except ssl.SSLError as problem:
        reason = problem.reason or ""
        return reason.lower().replace("_", " ") if "ALERT" in reason else _CLOSED
    except ConnectionRefusedError:
        return None
    except OSError:
        return _CLOSED


def _unreadable(path: Path) -> str | None:
    try:
        with path.open("rb"):
            return None
    except FileNotFoundError:
        return f"there is no file {path}; mount it, set the variable to where it is, or set CONNECTIONS_FILE instead"
    except OSError as error:
        return f"{path} can't be read ({error.strerror}); mend its permissions"
