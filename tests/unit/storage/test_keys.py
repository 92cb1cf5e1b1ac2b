"""The keys of objects."""

import re

from hypothesis import given
from hypothesis import strategies as st

from google_drive_worker.storage.keys import note_key, object_key, tenant_prefix

CUSTOMERS = st.text(st.characters(exclude_categories=[]), max_size=20) | st.sampled_from(["cust_1", "..", "", "a/b"])


@given(CUSTOMERS, CUSTOMERS)
def test_no_two_customers_share_a_prefix(one: str, other: str) -> None:
    """Nor does one's lie within another's, whatever the ids are."""
    first, second = tenant_prefix(one), tenant_prefix(other)
    assert (first == second) == (one == other)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+/google-drive", first)
    assert ".." not in first


@given(st.text(max_size=30))
def test_a_key_holds_nothing_but_digests(topic: str) -> None:
    """A topic may name a file: none of it can be read in the bucket."""
    key = note_key("cust_1/google-drive", topic)
    assert re.fullmatch(r"cust_1/google-drive/notes/([0-9a-f]{2})/\1[0-9a-f]{62}", key)
    assert object_key("p", "ab" + "0" * 62) == "p/objects/ab/ab" + "0" * 62
