"""Tokens of push channels: each counts for one channel of one connection, and nobody else can make one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from google_drive_worker.domain.connection import Secret
from google_drive_worker.domain.ids import ConnectionId, CustomerId
from google_drive_worker.messages.channel_token import MAX_TOKEN_CHARS, Owner, owner_of, token_of
from google_drive_worker.proxy.notification import claimed_connection

OLD, NEW = Secret("the secret of last month"), Secret("the secret of this month")
OWNER = Owner(CustomerId("cust_123"), ConnectionId("conn_abc"))


def made(owner: Owner = OWNER, channel_id: str = "channel-1", secret: Secret = OLD) -> str:
    """A token as Google repeats it."""
    token = token_of(owner, channel_id, secret)
    assert token is not None
    return token.reveal()


def test_a_token_tells_whose_the_channel_is_also_by_the_secret_before() -> None:
    """During a rotation both are valid, and afterwards the old one is not."""
    assert owner_of(made(), "channel-1", [NEW, OLD]) == OWNER
    assert owner_of(made(), "channel-1", [NEW]) is None
    assert owner_of(made(), "channel-1", []) is None


def test_a_token_counts_for_its_own_channel_alone() -> None:
    """However genuine it is."""
    assert owner_of(made(), "channel-2", [OLD]) is None


@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
def test_ids_come_back_and_those_that_google_can_not_carry_have_no_token(customer: str, connection: str) -> None:
    """A token never exceeds Google's limit."""
    owner = Owner(CustomerId(customer), ConnectionId(connection))
    token = token_of(owner, "channel-1", OLD)
    if token is None:
        carried = connection.isascii() and connection.isprintable() and connection == connection.strip()
        assert not carried or len(customer.encode()) + len(connection) > 140
    else:
        assert len(token.reveal()) <= MAX_TOKEN_CHARS
        assert owner_of(token.reveal(), "channel-1", [OLD]) == owner


@given(st.integers(0, len(made()) - 1), st.characters())
def test_a_token_with_any_character_changed_never_becomes_another_ones(at: int, character: str) -> None:
    """It is nobody's; bits that base64 leaves unused at its end may differ."""
    token = made()
    assert owner_of(token[:at] + character + token[at + 1 :], "channel-1", [OLD]) in {None, OWNER}


@pytest.mark.parametrize("token", ["", ".", "...", "c.1~~", "c.2~YQ~YQ", "c.1~é~YQ", "c.1~a~b~c", "x" * 1000])
def test_what_is_no_token_is_nobodys(token: str) -> None:
    """And nothing is raised for it."""
    assert owner_of(token, "channel-1", [OLD]) is None


@given(st.text(max_size=300))
def test_no_text_is_a_token_by_chance(token: str) -> None:
    """And nothing is raised for it."""
    assert owner_of(token, "channel-1", [OLD, NEW]) is None


def test_a_proxy_can_read_the_connection_without_the_secret() -> None:
    """It stands before the last dot, also where an id has dots itself."""
    token = made(Owner(CustomerId("cust.123"), ConnectionId("conn.abc")))
    assert token.rpartition(".")[0] == "conn.abc"
    assert claimed_connection(token) == "conn.abc"
