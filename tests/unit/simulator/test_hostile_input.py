"""Whatever comes in, the protocol's parsers answer with Google's errors and never with one of their own."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from drive_simulator.api.discovery import methods, parse_parameters
from drive_simulator.api.errors import ApiError
from drive_simulator.api.fields import compile_fields
from drive_simulator.api.order_by import parse_order_by
from drive_simulator.api.query import parse_query
from drive_simulator.api.search import predicate
from drive_simulator.auth.oauth import JWT_BEARER, OAuthError, TokenService
from drive_simulator.faults.presets import parse_rules
from drive_simulator.server.batch import parse_batch

QUERY_WORDS = st.sampled_from(
    [
        "name",
        "contains",
        "=",
        "!=",
        "<",
        "'a'",
        "'me'",
        "'root'",
        "in",
        "parents",
        "owners",
        "and",
        "or",
        "not",
        "(",
        ")",
        "trashed",
        "true",
        "properties",
        "has",
        "{",
        "}",
        "key",
        "value",
        "modifiedTime",
        "'2026-01-01'",
        "'",
        "\\\\",
        "9",
        "sharedWithMe",
        "'0001-01-01T00:00:00+23:59'",
        "'9999-12-31T23:59:59-23:59'",
        "'2026-01-01T00:00:00.5Z'",
    ]
)
FIELD_WORDS = st.sampled_from(
    ["files", "id", "owners", "*", "/", "(", ")", ",", " ", "x", "appProperties", "kind", "."]
)


@given(st.one_of(st.text(max_size=60), st.lists(QUERY_WORDS, max_size=14).map(" ".join)))
def test_queries(text: str) -> None:
    """A query is understood, and makes a predicate, or is refused."""
    with contextlib.suppress(ApiError):
        predicate(parse_query(text), "a@example.com")


@given(st.one_of(st.text(max_size=40), st.lists(FIELD_WORDS, max_size=16).map("".join)))
def test_masks(text: str) -> None:
    """A mask is understood, and never adds anything, or is refused."""
    value: dict[str, object] = {"files": [{"id": "1", "owners": [{"me": True}]}], "kind": "k"}
    with contextlib.suppress(ApiError):
        cut = compile_fields(text, "FileList").apply(value)
        assert set(cut) <= set(value)


@given(st.text(max_size=40))
def test_orders(text: str) -> None:
    """An order is understood or refused."""
    with contextlib.suppress(ApiError):
        parse_order_by(text)


@given(
    st.sampled_from(sorted(methods())), st.lists(st.tuples(st.sampled_from(["pageSize", "q", "alt", "x"]), st.text()))
)
def test_parameters(method_id: str, pairs: list[tuple[str, str]]) -> None:
    """Parameters are typed or refused."""
    with contextlib.suppress(ApiError):
        parse_parameters(method_id, pairs)


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"--b\r\n", b"--b\nContent-Type: x\n\n", b"--b\r\n\r\nGET / HTTP/1.1"]),
)
def test_batches(body: bytes, start: bytes) -> None:
    """A batch is taken apart or refused."""
    with contextlib.suppress(ApiError):
        parse_batch("multipart/mixed; boundary=b", start + body + b"\r\n--b--")


@given(st.binary(max_size=100))
def test_rules(body: bytes) -> None:
    """Rules are read or refused."""
    with contextlib.suppress(ValueError):
        parse_rules(body)


@given(st.text(max_size=80), st.sampled_from(["refresh_token", JWT_BEARER, "", "x"]))
def test_token_requests(text: str, grant_type: str) -> None:
    """A token request that is none is an OAuth error."""
    form = {"grant_type": grant_type, "assertion": text, "client_id": text, "refresh_token": text}
    with contextlib.suppress(OAuthError):
        TokenService({"a"}).exchange(form)
