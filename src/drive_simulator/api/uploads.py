"""Media uploads: simple (`uploadType=media`), multipart and resumable. Source: Drive guide "Upload file data"."""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import orjson

from drive_simulator.api import errors
from drive_simulator.api.wire import Request, Response, json_object

MAX_SESSIONS = 1_000
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)\Z")
_BOUNDARY = re.compile(r"""boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;]{1,200}))""", re.IGNORECASE)
_CONTENT_TYPE = re.compile(rb"(?:\A|\n)content-type:\s*([^\s;]+)", re.IGNORECASE)
_RESUME = 308
_OF_THE_OPENING = frozenset({"access_token", "upload_id"})


@dataclass(frozen=True, slots=True)
class Upload:
    """Metadata with the bytes that came along; no bytes where `content` is None."""

    metadata: Mapping[str, object]
    content: bytes | None
    mime_type: str | None


@dataclass(slots=True)
class _Session:
    """A resumable upload under way."""

    metadata: Mapping[str, object]
    mime_type: str | None
    received: bytearray = field(default_factory=bytearray)


Finish = Callable[[Upload], Response]


class UploadSessions:
    """Receives uploads; keeps the resumable ones that are not complete."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    def receive(self, request: Request, base_url: str, finish: Finish) -> Response:
        """Take one request of an upload; `finish` makes the answer when all bytes are there. Raises ApiError 400."""
        query = dict(request.query)
        upload_id = query.get("upload_id")
        if upload_id is not None and request.http_method in {"PUT", "POST"}:
            return self._continue(request, upload_id, finish)
        content_type = request.headers.get("Content-Type", "")
        match query.get("uploadType"):
            case "media" | None:
                return finish(Upload({}, request.body, content_type.partition(";")[0] or None))
            case "multipart":
                return finish(_multipart(content_type, request.body))
            case "resumable":
                return self._begin(request, base_url)
            case other:
                raise errors.invalid_parameter("uploadType", f"Invalid value '{other}'.")

    def _begin(self, request: Request, base_url: str) -> Response:
        upload_id = self._new_id()
        mime_type = request.headers.get("X-Upload-Content-Type")
        self._sessions[upload_id] = _Session(json_object(request.body), mime_type)
        while len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        # The session's address carries what was asked for, so that the last answer is cut by the same `fields`.
        kept = [(name, value) for name, value in request.query if name not in _OF_THE_OPENING]
        query = urlencode([*kept, ("upload_id", upload_id)])
        location = f"{base_url}{request.path}?{query}"
        headers = {"Location": location, "X-GUploader-UploadID": upload_id}
        return Response(200, b"", headers=headers)

    def _continue(self, request: Request, upload_id: str, finish: Finish) -> Response:
        session = self._sessions.get(upload_id)
        if session is None:
            raise errors.ApiError(404, "notFound", "No such upload session.")
        text = request.headers.get("Content-Range")
        found = _CONTENT_RANGE.match(text) if text else None
        if text and found is None:
            raise errors.bad_request("Invalid Content-Range.")
        if found is None:
            session.received[:] = request.body
            total: int | None = len(session.received)
        else:
            total = None if found[3] == "*" else int(found[3])
            if found[1] is not None:
                start = int(found[1])
                if start > len(session.received):
                    raise errors.bad_request("The bytes do not follow those that were received.")
                session.received[start:] = request.body
        if total is not None and len(session.received) >= total:
            del self._sessions[upload_id]
            return finish(Upload(session.metadata, bytes(session.received), session.mime_type))
        headers = {"Range": f"bytes=0-{len(session.received) - 1}"} if session.received else {}
        if request.headers.get("X-GUploader-No-308") == "yes":
            # For clients to which 308 is a redirect. Source: google-api-go-client, internal/gensupport/resumable.go.
            return Response(200, b"", headers={**headers, "X-HTTP-Status-Code-Override": str(_RESUME)})
        return Response(_RESUME, b"", headers=headers)


def _multipart(content_type: str, body: bytes) -> Upload:
    """multipart/related: the metadata as JSON, then the bytes. Raises ApiError 400."""
    found = _BOUNDARY.search(content_type)
    parts = [] if found is None else _parts(body, b"--" + (found[1] or found[2]).encode())
    if len(parts) != 2:  # noqa: PLR2004 - metadata and media
        raise errors.bad_request("Malformed multipart body.")
    (_, raw), (head, media) = parts
    try:
        metadata = orjson.loads(raw.strip() or b"{}")
    except orjson.JSONDecodeError:
        raise errors.parse_error() from None
    if not isinstance(metadata, dict):
        raise errors.bad_request("Malformed multipart body.")
    named = _CONTENT_TYPE.search(head)
    return Upload(metadata, media, None if named is None else named[1].decode("ascii", "replace"))


def _parts(body: bytes, delimiter: bytes) -> list[tuple[bytes, bytes]]:
    """Head and content of each part. Line ends are those of the first delimiter's line, so that no byte is taken."""
    start = body.find(delimiter)
    first_end = body.find(b"\n", start)
    if start < 0 or first_end < 0:
        return []
    eol = b"\r\n" if body[:first_end].endswith(b"\r") else b"\n"
    # The line end before a delimiter is a part of it (RFC 2046 §5.1.1).
    sections = (eol + body[start:]).split(eol + delimiter)[1:]
    found = []
    for section in sections:
        if section.startswith(b"--"):
            break
        head, _, content = section.partition(eol + eol)
        found.append((head, content))
    return found
