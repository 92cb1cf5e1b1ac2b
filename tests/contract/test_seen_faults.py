"""Faults that were seen of live Drive: items that fail for ever, and calls and batches that fail once."""

import json

import pytest

from drive_simulator.faults.plan import Effect
from drive_simulator.faults.presets import SOFT_LIMIT, failing_for_ever
from support.google_client import Site
from support.plain_http import Answer, send

DOCUMENT = "application/vnd.google-apps.document"


@pytest.fixture
def documents(site: Site) -> tuple[str, str]:
    """Two documents of Alice's."""
    files = site.drive(site.alice).files()
    one, two = (files.create(body={"name": name, "mimeType": DOCUMENT}).execute()["id"] for name in ("One", "Two"))
    return str(one), str(two)


def add(site: Site, **rule: object) -> None:
    """Add a fault over HTTP, as somebody outside of the process does."""
    answer = send(site, "POST", "/_simulator/faults", json.dumps(rule).encode())
    assert answer.status == 200, answer.body


def batch(site: Site, *targets: str) -> Answer:
    """Send GETs as one batch."""
    head = "--b\r\nContent-Type: application/http\r\nContent-ID:"
    parts = [f"{head} <{n}>\r\n\r\nGET /drive/v3/{target} HTTP/1.1\r\n\r\n" for n, target in enumerate(targets)]
    body = "".join(parts) + "--b--\r\n"
    return send(site, "POST", "/batch/drive/v3", body.encode(), type="multipart/mixed; boundary=b")


def part(answer: Answer, number: int) -> tuple[int, bytes]:
    """Status and body of one part's answer."""
    [found] = [each for each in answer.body.split(b"\r\n--") if f"<response-{number}>".encode() in each] or [b""]
    _, head, body = found.lstrip(b"-").split(b"\r\n\r\n", 2)
    return int(head.split(b" ")[1]), body


@pytest.mark.parametrize(
    ("preset", "status", "text"),
    [
        ("batch_not_found", 404, b"<title>Error 404 (Not Found)!!1</title>"),
        ("batch_too_large", 413, b"<title>Error 413 (Request Entity Too Large)!!1</title>"),
        ("batch_rate_limited", 429, b'"rateLimitExceeded"'),
    ],
)
def test_a_whole_batch_fails_once(
    site: Site, documents: tuple[str, str], preset: str, status: int, text: bytes
) -> None:
    """A batch as a whole is 404, 413 or 429, and its parts are not made (reported; the text of 413 is assumed)."""
    add(site, preset=preset)
    site.simulator.counters.clear()
    refused = batch(site, *(f"files/{each}" for each in documents))
    assert refused.status == status
    assert text in refused.body
    assert refused.headers["Content-Type"].startswith("application/json" if status == 429 else "text/html")
    assert site.simulator.counters.count("files.get") == 0
    assert send(site, "GET", f"/drive/v3/files/{documents[0]}").status == 200
    assert batch(site, f"files/{documents[0]}").status == 200


def test_a_rule_for_everything_strikes_no_whole_batch(site: Site, documents: tuple[str, str]) -> None:
    """Rules without a method strike the parts, each for itself."""
    add(site, effect={"error": "backendError"})
    answer = batch(site, f"files/{documents[0]}", f"files/{documents[1]}")
    assert answer.status == 200
    assert [part(answer, number)[0] for number in (0, 1)] == [503, 503]


def test_a_part_exceeds_a_soft_limit_once(site: Site, documents: tuple[str, str]) -> None:
    """One part is 403 `forbidden` and asks to be sent again (reported: skaut/skaut-google-drive-gallery #2162)."""
    add(site, preset="part_soft_limit", match={"item": documents[1]})
    targets = [f"files/{each}" for each in documents]
    answer = batch(site, *targets)
    status, body = part(answer, 1)
    error = json.loads(body)["error"]
    assert (part(answer, 0)[0], status) == (200, 403)
    assert (error["message"], error["errors"][0]["reason"]) == (SOFT_LIMIT, "forbidden")
    assert part(batch(site, *targets), 1)[0] == 200


def test_the_front_door_answers_in_html(site: Site, documents: tuple[str, str]) -> None:
    """A call is 403 in HTML: "automated queries" (reported: googleworkspace/python-samples #1424)."""
    add(site, preset="automated_queries")
    answer = send(site, "GET", f"/drive/v3/files/{documents[0]}")
    assert (answer.status, answer.headers["Content-Type"]) == (403, "text/html; charset=UTF-8")
    assert b"sending automated queries" in answer.body
    assert send(site, "GET", f"/drive/v3/files/{documents[0]}").status == 200


def test_a_document_is_never_exported(site: Site, documents: tuple[str, str]) -> None:
    """files.export of one document is 500 for ever, while its other calls and other documents work (reported)."""
    add(site, preset="export_fails", match={"item": documents[0]}, times=None)
    one, two = (f"/drive/v3/files/{each}/export?mimeType=text/plain" for each in documents)
    assert {send(site, "GET", one).error for _ in range(5)} == {(500, "internalError", None)}
    assert send(site, "GET", two).status == 200
    links = send(site, "GET", f"/drive/v3/files/{documents[0]}?fields=exportLinks").json["exportLinks"]
    assert send(site, "GET", links["text/plain"].removeprefix(site.simulator.origin)).status == 200
    begun = send(site, "POST", f"/drive/v3/files/{documents[0]}/download?mimeType=text/plain", b"")
    assert begun.status == 200


@pytest.mark.parametrize(
    ("effect", "status"),
    [
        (Effect(error="internalError"), 500),
        (Effect(error="forbidden"), 403),
        (Effect(error="domainPolicy"), 403),
        (Effect(html=502), 502),
        (Effect(lost_access=True), 404),
    ],
)
def test_an_item_fails_for_ever(site: Site, documents: tuple[str, str], effect: Effect, status: int) -> None:
    """One call of one item always has the same answer, alone and as a part of a batch (reported of exports)."""
    bad, good = documents
    site.simulator.faults.add(failing_for_ever(bad, "permissions.list", effect))
    path = f"files/{bad}/permissions"
    for _ in range(3):
        assert send(site, "GET", f"/drive/v3/{path}").status == status
        answer = batch(site, path, f"files/{good}/permissions", f"files/{bad}")
        assert [part(answer, number)[0] for number in range(3)] == [status, 200, 200]


@pytest.mark.parametrize(
    "rule",
    [
        {"preset": "no_such"},
        {"preset": "batch_not_found", "effect": {}},
        {"preset": "export_fails", "match": {"file": "x"}},
        {"effect": {"html": 418}},
    ],
)
def test_nonsense_is_refused(site: Site, rule: dict[str, object]) -> None:
    """A preset that there is not, a member that means nothing, a page that there is not."""
    assert send(site, "POST", "/_simulator/faults", json.dumps(rule).encode()).status == 400
