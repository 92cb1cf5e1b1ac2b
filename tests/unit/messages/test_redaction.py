"""Redaction leaves JSON readable and everything harmless alone."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from google_drive_worker.domain.connection import Secret
from google_drive_worker.domain.ids import ConnectionId, CustomerId
from google_drive_worker.messages.channel_token import Owner, token_of
from google_drive_worker.messages.redaction import is_secret_key, redact

SECRET = "hunter2-hunter2"
_KEYS = st.sampled_from(["a", "access_token", "Authorization", "password", "X-Goog-Channel-Token", "name"])
_LEAVES = st.none() | st.integers() | st.text(max_size=10) | st.sampled_from(["password", '"', "\\", "secret=", "a:b"])


def documents(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Any JSON of a few leaves under telling and harmless keys, some of it JSON within a string."""
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(_KEYS, inner, max_size=3)
            | st.dictionaries(_KEYS, inner, max_size=3).map(json.dumps)
        ),
        max_leaves=8,
    )


@settings(deadline=None)
@given(documents(_LEAVES))
def test_redacted_json_parses(document: Any) -> None:
    """Whatever stands in it, JSON stays JSON."""
    json.loads(redact(json.dumps(document)))


@settings(deadline=None)
@given(documents(st.just(SECRET)).map(lambda inner: {"access_token": inner}))
def test_nothing_under_a_telling_key_survives(document: Any) -> None:
    """A whole structure under such a key goes."""
    text = json.dumps(document)
    assert SECRET not in redact(text)
    assert SECRET not in redact(json.dumps({"body": text}))


@settings(deadline=None)
@given(st.recursive(st.integers() | st.sampled_from(["name", "x y"]), lambda inner: st.lists(inner, max_size=3)))
def test_harmless_text_comes_back_as_it_was(document: Any) -> None:
    """Not even the spaces of a document without secrets change."""
    text = json.dumps({"name": document}, indent=3)
    assert redact(text) == text


def test_a_key_that_stands_twice_hides_nothing() -> None:
    """A decoder keeps the last of two values; neither is repeated, and null stays null."""
    text = redact(f'{{"password": "{SECRET}", "password": null}}')
    assert text == '{"password": "***", "password": null}'


def test_keys_are_compared_as_a_whole_and_without_case() -> None:
    """`page_token` is no secret, `ACCESS_TOKEN` is."""
    assert is_secret_key("ACCESS_TOKEN")
    assert not is_secret_key("page_token")
    assert not is_secret_key("my_password_hint")


def test_a_channels_token_is_known_by_its_shape() -> None:
    """It may stand anywhere in a notification that can't be read, such as in a list of headers."""
    owner = Owner(CustomerId("cust_1"), ConnectionId("conn 1"))
    token = token_of(owner, "channel", Secret("a secret of the worker's"))
    assert token is not None
    told = json.dumps({"headers": [["X", token.reveal()]]})
    for text in (told, told[:-3]):
        assert token.reveal().rpartition("~")[2] not in redact(text)
