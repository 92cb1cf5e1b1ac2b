"""The admin endpoint for how lists and logs differ from what is true: ours, not Google's."""

import json

import pytest

from support.google_client import Site
from support.plain_http import send

PATH = "/_simulator/consistency"


def test_fields_are_changed_one_by_one(site: Site) -> None:
    """Others stay as they are, and the answer tells all of them."""
    assert send(site, "PATCH", PATH, b'{"list_lag_s": [5, 60]}').json["list_lag_s"] == [5.0, 60.0]
    assert send(site, "PATCH", PATH, b'{"missed": 0.5}').json["list_lag_s"] == [5.0, 60.0]
    assert send(site, "GET", PATH).json == send(site, "PATCH", PATH, b"{}").json
    assert site.simulator.apply(lambda world: world.consistency.missed) == 0.5


@pytest.mark.parametrize(
    "body", ['{"missed": 2}', '{"list_lag_s": [60, 5]}', '{"list_lag_s": "x"}', '{"bogus": 1}', "[]", "nonsense"]
)
def test_nonsense_is_refused_and_says_why(site: Site, body: str) -> None:
    """Nothing is changed."""
    before = send(site, "GET", PATH).json
    answer = send(site, "PATCH", PATH, body.encode())
    assert (answer.status, list(json.loads(answer.body))) == (400, ["error"])
    assert send(site, "GET", PATH).json == before
