"""Odd answers of the simulated Google, drawn from the run's die: what proxies, overload and bugs make of right ones.

Every oddity passes, and none is a lie that could not be told from the truth: a page that lacks items says that the
search is incomplete, an empty token stands only where there is none, and of an id a wrong `notFound` comes once. So
once the answers are right again, everything has to come right by itself. `odd_pages` alters the JSON of answers; here
are refusals, and files that are bad: calls for them fail until `recover`.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

import msgspec

from simulation.odd_pages import (
    ODD_ELEMENT,
    ODD_VALUES,
    PAGE_ODDITIES,
    Asked,
    drop_resource,
    with_senseless_files,
)

Answer = tuple[int, Mapping[str, str], bytes]

_JSON = {"Content-Type": "application/json; charset=UTF-8"}
_HTML = {"Content-Type": "text/html; charset=UTF-8"}
_OK = 200
_NOT_FOUND = 404
_BASE = "/drive/v3/"
_SHARES = (0.01, 0.05, 0.05, 0.3)
_SPELL = 12
"""How many answers of one call an outage takes: as long as a proxy's restart, or a limit that was reached."""


@dataclass(slots=True)
class Oddities:
    """What is odd about Google's answers: a `share` of them. `bad` says what each bad file's calls are answered, by the
    call, and `met` which of these were asked for. Of the `crooked` files an element is odd, always the one that the
    number says. `blurred` are revisions whose size came without sense."""

    die: random.Random
    done: Counter[str]
    share: float = 0.0
    bad: dict[str, dict[str, Answer]] = field(default_factory=dict)
    crooked: dict[str, int] = field(default_factory=dict)
    met: set[tuple[str, str]] = field(default_factory=set)
    blurred: set[str] = field(default_factory=set)
    _denied: set[str] = field(default_factory=set)
    _tokens: dict[str, list[str]] = field(default_factory=dict)
    _spell: tuple[str, Answer, int] = ("", (0, {}, b""), 0)

    def begin(self) -> None:
        """From now on answers are odd: now and then, or as good as always."""
        self.share = self.die.choice(_SHARES)

    def end(self) -> None:
        """Answers are right, but for the bad files'."""
        self.share = 0.0
        self._spell = ("", (0, {}, b""), 0)
        self._denied.clear()
        self._tokens.clear()

    @property
    def lasting(self) -> set[str]:
        """The files that can't be had as they are."""
        return self.bad.keys() | self.crooked.keys()

    def spoil(self, file_ids: Iterable[str]) -> None:
        """Some calls for each of these files fail from now on, always alike, or have an odd element."""
        for file_id in file_ids:
            if self.die.random() < 0.4:
                self.crooked[file_id] = self.die.randrange(1_000)
                continue
            calls = self.die.sample(_SPOILT, self.die.randint(1, len(_SPOILT)))
            self.bad[file_id] = {call: self.die.choice(_LASTING_OF.get(call, _LASTING))() for call in calls}

    def recover(self) -> None:
        """No file is bad any more."""
        self.bad.clear()
        self.crooked.clear()

    def of_batch(self) -> Answer | None:
        """What the whole of a batch is answered in place of its parts."""
        if not self.share or self.die.random() >= self.share:
            return None
        status = self.die.choice((404, 403, 413, 429, 500))
        self.done[f"odd: batch {status}"] += 1
        return _html(status)

    def of_call(self, target: str, right: Answer, *, in_batch: bool = False) -> Answer:
        """What the call is answered, where `right` is the right answer."""
        asked = asked_of(target)
        lasting = self._of_bad_file(asked)
        if lasting is not None:
            return lasting
        if self.crooked and right[0] == _OK and asked.is_json:
            right = self._of_crooked_files(asked, right)
        if not self.share:
            return right
        if right[0] == _NOT_FOUND:
            self._denied.update(asked.ids)  # nothing that comes and goes is denied wrongly as well
        name, answer, left = self._spell
        if left and name == asked.call:
            self._spell = (name, answer, left - 1)
            return answer
        if self.die.random() >= self.share:
            return self._noting_token(asked, right)
        if right[0] == _OK and asked.is_json and self.die.random() < 0.6:
            return self._noting_token(asked, self._altered(asked, right))
        return self._refused(asked, right, in_batch=in_batch)

    def _of_bad_file(self, asked: Asked) -> Answer | None:
        if not self.bad or not asked.ids:
            return None
        calls = self.bad.get(asked.ids[0], {})
        lasting = calls.get("content" if asked.call in _CONTENT else asked.call)
        if lasting is not None:
            self.met.add((asked.ids[0], asked.call))
            self.done["odd: bad file"] += 1
        return lasting

    def _of_crooked_files(self, asked: Asked, right: Answer) -> Answer:
        """With an odd element in what hangs on such a file, and senseless values in its own resource."""
        page = msgspec.json.decode(right[2])
        seed = self.crooked.get(asked.ids[0]) if asked.ids else None
        if seed is not None and asked.list_name and page.get(asked.list_name):
            die = random.Random(seed)  # noqa: S311 - a simulation
            odd = die.choice((ODD_ELEMENT, ODD_VALUES))
            if odd is ODD_ELEMENT:
                self.met.add((asked.ids[0], asked.call))
            self.done[f"odd for ever: {odd.name}"] += 1
            return right[0], right[1], odd.alter(asked, page, die, [], self.blurred)
        body = with_senseless_files(page, self.crooked)
        return right if body is None else (right[0], right[1], body)

    def _refused(self, asked: Asked, right: Answer, *, in_batch: bool) -> Answer:
        kinds = [*_PASSING, *(_IN_BATCH if in_batch else ())]
        if asked.ids and right[0] == _OK and self._denied.isdisjoint(asked.ids):
            kinds += [_not_found] * 3
        refuse = self.die.choice(kinds)
        self.done[f"odd: {refuse.__name__.strip('_')}"] += 1
        if refuse is _not_found:
            self._denied.update(asked.ids)
            return _not_found()
        answer = refuse()
        if self.die.random() < 0.1:
            self._spell = (asked.call, answer, _SPELL)
        return answer

    def _altered(self, asked: Asked, right: Answer) -> Answer:
        try:
            page = msgspec.json.decode(right[2])
        except msgspec.DecodeError:  # half of a surrogate pair is in it already
            return right
        if not isinstance(page, dict):
            return right
        fitting = [each for each in PAGE_ODDITIES if each.fits(asked, page)]
        odd = self.die.choice([drop_resource, *fitting])
        self.done[f"odd: {odd.name}"] += 1
        body = odd.alter(asked, page, self.die, self._tokens.get(asked.listing, []), self.blurred)
        return right[0], right[1], body

    def _noting_token(self, asked: Asked, answer: Answer) -> Answer:
        if asked.token is not None:
            tokens = self._tokens.setdefault(asked.listing, [])
            if asked.token not in tokens:
                tokens.append(asked.token)
        return answer


def asked_of(target: str) -> Asked:
    """Which call a target is, and which ids it is about."""
    path, _, query = target.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    parameters = dict(pairs)
    token = parameters.pop("pageToken", None)
    parameters.pop("pageSize", None)
    listing = f"{path}?{sorted(parameters.items())}"
    if not path.startswith(_BASE):
        ids = (parameters["id"],) if "id" in parameters else ()
        return Asked("files.link", ids, parameters, listing, token)
    kind, _, rest = path.removeprefix(_BASE).partition("/")
    own, _, what = rest.partition("/")
    if kind == "files" and own:
        call = f"{what}.list" if what in _HANGING else f"files.{what or 'get'}"
        if parameters.get("alt") == "media":
            call = "files.media"
        return Asked(call, (unquote(own),), parameters, listing, token)
    if kind == "drives" and own:
        return Asked("drives.get", (unquote(own),), parameters, listing, token)
    named = [parameters["driveId"]] if "driveId" in parameters else []
    folder = parameters.get("q", "").partition(" in parents")[0]
    if kind == "files" and folder.startswith("'"):
        named.insert(0, folder.strip("'"))
    call = "changes.getStartPageToken" if own == "startPageToken" else f"{kind}.list"
    return Asked(call, tuple(named), parameters, listing, token)


_HANGING = frozenset({"permissions", "revisions", "comments"})
_CONTENT = frozenset({"files.media", "files.export", "files.download", "files.link"})
_SPOILT = ("permissions.list", "revisions.list", "comments.list", "files.get", "content")


def _html(status: int) -> Answer:
    return status, _HTML, b"<!DOCTYPE html><html><title>Error %d</title><p>That is all we know.</html>" % status


def _refusal(status: int, reason: str, message: str, **more: object) -> Answer:
    errors = [{"message": message, "domain": "global", "reason": reason}]
    body = {"error": {"code": status, "message": message, "errors": errors, **more}}
    return status, _JSON, msgspec.json.encode(body)


def _not_found() -> Answer:
    return _refusal(404, "notFound", "File not found: .")


def _html_not_found() -> Answer:
    return _html(404)


def _html_forbidden() -> Answer:
    return _html(403)


def _unknown_forbidden() -> Answer:
    return _refusal(403, "someReasonOfTomorrow", "It is forbidden for now.")


def _rate_limit_in_details() -> Answer:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED"}]
    return _refusal(403, "forbidden", "Quota exceeded for quota metric.", details=details)


def _too_many() -> Answer:
    return _refusal(429, "rateLimitExceeded", "Too many requests.")


def _backend_error() -> Answer:
    return _refusal(500, "backendError", "Internal Error")


def _empty_error() -> Answer:
    return 500, _JSON, b'{"error":{"errors":[{}],"code":500}}'


def _bad_gateway() -> Answer:
    return _html(502)


def _unavailable() -> Answer:
    return 503, {}, b""


def _inner_batch_limit() -> Answer:
    return _refusal(403, "forbidden", "Exceeds allowed inner batch requests soft limit. Please retry.")


def _bad_request() -> Answer:
    return _refusal(400, "badRequest", "Bad Request")


def _gone() -> Answer:
    return _refusal(410, "gone", "It is gone.")


def _domain_policy() -> Answer:
    return _refusal(403, "domainPolicy", "The domain administrators have disabled Drive apps.")


def _legal_reasons() -> Answer:
    return _refusal(451, "unavailableForLegalReasons", "Unavailable For Legal Reasons")


_PASSING: tuple[Callable[[], Answer], ...] = (
    _html_not_found,
    _html_forbidden,
    _unknown_forbidden,
    _rate_limit_in_details,
    _too_many,
    _backend_error,
    _empty_error,
    _bad_gateway,
    _unavailable,
)
_IN_BATCH: tuple[Callable[[], Answer], ...] = (_inner_batch_limit,) * 3
_LASTING: tuple[Callable[[], Answer], ...] = (_bad_request, _gone, _domain_policy, _legal_reasons, _backend_error)
_LASTING_OF = {"content": _LASTING[1:]}
"""A document that is not exported to some type is refused with 400 as well, for good reason and for good."""
