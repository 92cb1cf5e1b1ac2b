"""One call and its answer, as an observer gets them."""

from hashlib import sha256

from drive_simulator.api.wire import Request, Response


class Exchange:
    """One call and its answer as an observer gets them: bodies plain, not compressed.

    `came_at_s` is when the call came, in seconds since 1970, before any latency. `session` tells access tokens apart
    without giving them away: two processes never share one, since each asks for its own.
    """

    __slots__ = (
        "came_at_s",
        "method",
        "method_id",
        "path",
        "query",
        "request_body",
        "response_body",
        "response_type",
        "session",
        "status",
        "user",
    )

    def __init__(self, request: Request, method_id: str, user: str | None, response: Response) -> None:
        self.method = request.http_method
        self.path = request.path
        self.query = request.query
        self.request_body = request.body
        self.method_id = method_id
        self.user = user
        self.came_at_s = request.came_at_s
        self.session = sha256(request.headers.get("Authorization", "").encode()).hexdigest()[:12]
        self.status = response.status
        self.response_body = response.body
        self.response_type = response.content_type
