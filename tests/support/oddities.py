"""Odd answers, ready made for `altering_proxy`: what Google, its front doors and proxies before it were seen to answer.

Each function returns an alteration. Sources are in the Drive facts of the project: issues of Google's clients, and
measurements. `any_oddity` draws from all of them, those that fit a request.
"""

import asyncio
import gzip as gzip_format
import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from support.altering_proxy import BATCH, JSON, Alteration, Answer, Ask, Dropped, Request, lead_back, led_back

HTML = "text/html; charset=UTF-8"

LISTS = ("files", "changes", "drives", "permissions", "revisions", "comments", "labels")
"""The members of Google's pages that hold their elements."""

SOFT_LIMIT = "Exceeds allowed inner batch requests soft limit. Please retry."

Element = dict[str, Any]
Edit = Callable[[Element], object]
"""Changes an element of a page; returns what stands in its place."""


def always(answer: Answer) -> Alteration:
    """That answer, whatever was asked; the simulator is not asked."""

    async def alter(_: Request, __: Ask) -> Answer:
        return answer

    return alter


def html(status: int) -> Alteration:
    """A page for people, from a front door or a proxy: it says nothing of what was asked for."""
    text = f"<!DOCTYPE html><html lang=en><title>Error {status}</title><p>That is an error. That is all we know."
    return always(Answer(status, {"Content-Type": HTML}, text.encode()))


def google_error(status: int, reason: str, message: str = "Not now.", location: str | None = None) -> Alteration:
    """An error as Google's JSON APIs word it."""
    detail = {"domain": "global", "reason": reason, "message": message}
    if location is not None:
        detail |= {"location": location, "locationType": "parameter"}
    body = {"error": {"code": status, "message": message, "errors": [detail]}}
    return always(Answer(status, {"Content-Type": JSON}, orjson.dumps(body)))


def not_found() -> Alteration:
    """Google's own 404 for the very id that was asked for."""

    async def alter(request: Request, ask: Ask) -> Answer:
        item_id = request.file_id or request.drive_id or "."
        what = "Shared drive" if request.file_id is None and request.drive_id is not None else "File"
        return await google_error(404, "notFound", f"{what} not found: {item_id}.", "fileId")(request, ask)

    return alter


def rpc_error(status: int, reason: str) -> Alteration:
    """An error in the form of Google's newer APIs: the reason stands in `details`, and `errors` are not there."""
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}
    error = {"code": status, "message": "Quota exceeded.", "status": "PERMISSION_DENIED", "details": [info]}
    return always(Answer(status, {"Content-Type": JSON}, orjson.dumps({"error": error})))


def soft_limit() -> Alteration:
    """What parts of a batch are refused with that is too much at once."""
    return google_error(403, "forbidden", SOFT_LIMIT)


def retry_after(value: str, status: int = 503) -> Alteration:
    """A refusal that says when to come back."""
    return always(Answer(status, {"Content-Type": HTML, "Retry-After": value}, b"<html>later</html>"))


def empty_object() -> Alteration:
    """200 and `{}`: no page at all."""
    return always(Answer(200, {"Content-Type": JSON}, b"{}"))


def drop() -> Alteration:
    """No answer: the connection ends."""

    async def alter(_: Request, __: Ask) -> Answer:
        raise Dropped

    return alter


def delayed(delay_s: float) -> Alteration:
    """The right answer, late."""

    async def alter(request: Request, ask: Ask) -> Answer:
        await asyncio.sleep(delay_s)
        return await ask(request)

    return alter


def gzip_anyway() -> Alteration:
    """The body compressed, though the request said `identity`."""

    async def alter(request: Request, ask: Ask) -> Answer:
        answer = await ask(request)
        return Answer(
            answer.status, {**answer.headers, "Content-Encoding": "gzip"}, gzip_format.compress(answer.body, mtime=0)
        )

    return alter


def refused_above(page_size: int) -> Alteration:
    """500 for pages that are larger than that."""

    async def alter(request: Request, ask: Ask) -> Answer:
        if int(request.query.get("pageSize", "100")) <= page_size:
            return await ask(request)
        return await google_error(500, "internalError", "Internal Error")(request, ask)

    return alter


def changed(change: Callable[[Request, Element], object]) -> Alteration:
    """A JSON answer, after `change` has had it; errors and bytes stay as they are."""

    async def alter(request: Request, ask: Ask) -> Answer:
        answer = await ask(request)
        if not answer.is_json or request.is_media:
            return answer
        page = answer.json()
        change(request, page)
        # Unlike orjson, json writes half of a surrogate pair.
        return Answer(answer.status, answer.headers, json.dumps(page).encode())

    return alter


def incomplete_search() -> Alteration:
    """`incompleteSearch: true`, where the request asks for that field."""

    def change(request: Request, page: Element) -> None:
        if "incompleteSearch" in request.query.get("fields", "incompleteSearch"):
            page["incompleteSearch"] = True

    return changed(change)


def without_key(*names: str) -> Alteration:
    """A page that lacks these members."""

    def change(_: Request, page: Element) -> None:
        for name in names:
            page.pop(name, None)

    return changed(change)


def token_cycle(length: int) -> Alteration:
    """Page tokens that go round in a circle of so many: the page is the same again and again.

    A circle of one is a `nextPageToken` that is the one asked with.
    """

    async def alter(request: Request, ask: Ask) -> Answer:
        token = request.query.get("pageToken")
        step, base = led_back(token) or (0, token)
        if token is None:
            following: str | None = lead_back(0, None)
        else:
            step = (step + 1) % length
            following = base if step == 0 and base is not None else lead_back(step, base)

        def change(_: Request, page: Element) -> None:
            page.pop("newStartPageToken", None)
            page["nextPageToken"] = following

        return await changed(change)(request.with_query(pageToken=base), ask)

    return alter


def stuck_token() -> Alteration:
    """A `nextPageToken` that leads to the same page."""
    return token_cycle(1)


def empty_token() -> Alteration:
    """An empty `nextPageToken` where there is none."""

    def change(_: Request, page: Element) -> None:
        page.setdefault("nextPageToken", "")

    return changed(change)


def odd_element(edit: Edit, of: str | None = None) -> Alteration:
    """One element of a page, or the item that is the answer, as `edit` leaves it.

    `of` is its id (of a change: its file's or drive's); without it, it is the first one.
    """

    def change(_: Request, page: Element) -> None:
        elements = elements_of(page)
        if elements is None:
            if of in {None, page.get("id")}:
                edit(page)
            return
        for at, element in enumerate(elements):
            inner = element.get("file", element.get("drive")) if "changeType" in element else element
            if of in {None, element.get("id"), element.get("fileId"), element.get("driveId")} and inner:
                odd = edit(inner)
                if inner is element:
                    elements[at] = odd
                break

    return changed(change)


def elements_of(page: Element) -> list[Any] | None:
    """The elements of a page; `None` where it is none."""
    return next((page[name] for name in LISTS if isinstance(page.get(name), list)), None)


def given(**values: object) -> Edit:
    """An edit: those members with those values."""

    def edit(element: Element) -> Element:
        element |= values
        return element

    return edit


def lacking(*names: str) -> Edit:
    """An edit: without those members."""

    def edit(element: Element) -> Element:
        for name in names:
            element.pop(name, None)
        return element

    return edit


def within(name: str, edit: Edit) -> Edit:
    """An edit of the first element of a list inside the element, or of the object of that name."""

    def outer(element: Element) -> Element:
        inner = element.get(name)
        if isinstance(inner, list) and inner:
            inner[0] = edit(inner[0])
        elif isinstance(inner, dict):
            element[name] = edit(inner)
        return element

    return outer


def replaced_by(value: object) -> Edit:
    """An edit: something else in the element's place."""
    return lambda _: value


HALF_A_PAIR = "half a \ud83d pair"

ODD_ELEMENTS: Mapping[str, Mapping[str, Edit]] = {
    "files": {
        "half a pair": given(name=HALF_A_PAIR),
        "a null capability": within("capabilities", given(canEdit=None)),
        "a size of words": given(size="many"),
        "a negative size": given(size="-1"),
        "no id": lacking("id"),
        "a number": replaced_by(7),
        "null": replaced_by(None),
        "parents of numbers": given(parents=[1]),
    },
    "drives": {
        "a null capability": within("capabilities", given(canEdit=None)),
        "half a pair": given(name=HALF_A_PAIR),
        "no id": lacking("id"),
    },
    "permissions": {
        "no id": lacking("id"),
        "no role": lacking("role"),
        "an unknown type": given(type="alien"),
        "null details": given(permissionDetails=None),
    },
    "revisions": {
        "a negative size": given(size="-1"),
        "an empty size": given(size=""),
        "no id": lacking("id"),
        "null flags": given(keepForever=None),
    },
    "comments": {
        "no id": lacking("id"),
        "a reply without id": within("replies", lacking("id")),
        "null replies": given(replies=None),
        "half a pair": given(content=HALF_A_PAIR),
    },
}
"""Edits by the kind of element and by name."""


def any_odd_element(die: random.Random) -> Alteration:
    """One element of whatever page it is, drawn, as an edit that is drawn leaves it."""

    async def alter(request: Request, ask: Ask) -> Answer:
        kind = "files" if request.method_id == "changes.list" else request.method_id.partition(".")[0]
        edit = die.choice(list(ODD_ELEMENTS.get(kind, ODD_ELEMENTS["files"]).values()))
        at = die.random()

        def change(_: Request, page: Element) -> None:
            elements = elements_of(page)
            if elements:
                chosen = int(at * len(elements))
                element = elements[chosen]
                if "changeType" not in element:
                    elements[chosen] = edit(element)
                elif "file" in element:
                    element["file"] = edit(element["file"])

        return await changed(change)(request, ask)

    return alter


def any_oddity(seed: int) -> Alteration:
    """Any odd answer that the request may get, drawn for each request by a die of that seed."""
    die = random.Random(seed)  # noqa: S311 - oddities that can be repeated
    odd_element_drawn = any_odd_element(die)

    async def alter(request: Request, ask: Ask) -> Answer:
        return await die.choice(_oddities_of(request, odd_element_drawn))(request, ask)

    return alter


def _oddities_of(request: Request, odd_element_drawn: Alteration) -> Sequence[Alteration]:
    refusals = (
        *(html(status) for status in (403, 404, 413, 429, 502)),
        google_error(500, "internalError"),
        google_error(403, "unknownReason"),
        rpc_error(403, "RATE_LIMIT_EXCEEDED"),
        soft_limit(),
        retry_after("1"),
    )
    if request.method_id == BATCH:
        return (*refusals, empty_object(), drop(), delayed(0.5))
    if request.is_media:
        return (*refusals, gzip_anyway(), drop(), not_found())
    if request.method_id.endswith(".list"):
        pages = (stuck_token(), token_cycle(2), token_cycle(3), empty_token(), empty_object(), odd_element_drawn)
        searches = (incomplete_search(), without_key("files")) if request.method_id == "files.list" else ()
        return (*refusals, not_found(), drop(), *pages, *searches)
    return (*refusals, not_found(), drop(), empty_object())
