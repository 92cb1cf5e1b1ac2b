"""A real S3 server process (moto's), and a front before it that fails on demand."""

import contextlib
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from time import monotonic
from typing import Any
from xml.etree import ElementTree

import obstore
from obstore.store import S3Store

from support.ports import free_ports

BUCKET = "clustera-test"
START_DEADLINE_S = 30.0
_NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"

KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "CANARY-secret"}


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """Run the server until left; gives its address. It has the bucket `BUCKET`."""
    port = free_ports(1)[0]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(process, url)
        call("PUT", f"{url}/{BUCKET}")
        yield url
    finally:
        process.kill()
        process.wait()


def _wait_until_it_answers(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = monotonic() + START_DEADLINE_S
    while True:
        assert process.poll() is None, "the S3 server ended"
        try:
            call("GET", f"{url}/moto-api/data.json")
        except OSError:
            assert monotonic() < deadline, "the S3 server does not answer"
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        else:
            return


def call(method: str, url: str, body: bytes | None = None) -> tuple[Mapping[str, str], bytes]:
    """One request to the server, unsigned: it takes any. Raises `OSError` where it is refused."""
    request = urllib.request.Request(url, body, method=method)  # noqa: S310 - http, of our own
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return dict(answer.headers), answer.read()


def keys_in(url: str, prefix: str = "") -> list[str]:
    """The keys of the bucket's objects."""
    _, body = call("GET", f"{url}/{BUCKET}?list-type=2&prefix={prefix}")
    return [str(each.text) for each in ElementTree.fromstring(body).iter(f"{_NAMESPACE}Key")]  # noqa: S314 - our server's


def object_in(url: str, key: str) -> bytes:
    """An object's bytes. Raises `LookupError` where there is none."""
    store = S3Store(
        BUCKET,
        config={"endpoint": url, "access_key_id": "testing", "secret_access_key": "testing", "region": "us-east-1"},
        client_options={"allow_http": True},
    )
    try:
        return bytes(obstore.get(store, key).bytes())
    except FileNotFoundError:
        raise LookupError(key) from None


def uploads_in(url: str) -> list[str]:
    """The keys of multipart uploads that were neither completed nor aborted."""
    _, body = call("GET", f"{url}/{BUCKET}?uploads")
    return [str(each.text) for each in ElementTree.fromstring(body).iter(f"{_NAMESPACE}Key")]  # noqa: S314


@dataclass
class Front:
    """An HTTP front of the server's. The next `failures` requests are answered with that status and code of S3's;
    and that `detail` beside it, none of it on a HEAD;
    of `every` so many requests one is passed on; nothing is while it is `refusing`;
    all are sent on to `location` by that status where it is set;
    tokens in `rejected` are answered as expired. `seen` are the headers of what came, by method and path."""

    upstream: str
    status: int = 503
    code: str = "SlowDown"
    detail: str = ""
    failures: int = 0
    every: int = 0
    refusing: bool = False
    location: str = ""
    rejected: set[str] = field(default_factory=set)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    url: str = ""
    _lock: Lock = field(default_factory=Lock)

    def refusal(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str] | None:
        """What to answer instead of passing a request on."""
        with self._lock:
            self.seen.append((method, path, headers))
            if headers.get("x-amz-security-token") in self.rejected:
                return 400, "ExpiredToken"
            if self.location:
                return self.status, "Redirect"
            if self.refusing:
                return 403, "AccessDenied"
            if self.failures > 0:
                self.failures -= 1
                return self.status, self.code
            if self.every and len(self.seen) % self.every:
                return self.status, self.code
        return None


@contextlib.contextmanager
def front_of(upstream: str, **settings: Any) -> Iterator[Front]:
    """Serve a front until left."""
    front = Front(upstream, **settings)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            refusal = front.refusal(self.command, self.path, headers)
            if refusal is not None:
                status, code = refusal
                sent_on = {"Location": front.location} if front.location else {}
                self._answer(status, sent_on, f"<Error><Code>{code}</Code>{front.detail}</Error>".encode())
                return
            headers.pop("accept-encoding", None)
            headers.setdefault("content-type", "application/octet-stream")  # urllib's own would be a form's
            request = urllib.request.Request(front.upstream + self.path, body or None, headers, method=self.command)  # noqa: S310
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                    self._answer(answer.status, dict(answer.headers), answer.read())
            except urllib.error.HTTPError as error:
                with error:
                    self._answer(error.code, dict(error.headers), error.read())

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            kept = {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}
            for name, value in kept.items():
                self.send_header(name, value)
            if self.command != "HEAD" or "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(body)))
            else:
                self.send_header("Content-Length", headers["Content-Length"])
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    for method in ("GET", "PUT", "POST", "HEAD", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.pass_on)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    front.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield front
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "server", "date"})
