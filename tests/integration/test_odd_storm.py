"""A storm of all odd answers at once, with files that are bad for ever: what it may cost, and that it heals by itself.

One seed is run with the others; `ODD_STORM_SEEDS=10` in the environment runs ten.
"""

import os
import random
from itertools import cycle
from pathlib import Path

import pytest

from drive_simulator.corpus.details import Details
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.model.item_changes import replace_content
from drive_simulator.model.world import World
from support import oddities
from support.altering_proxy import BATCH, EVERYTHING, Match, Request
from support.mirroring import FIRST
from support.odd_drives import Mirrored, OddStage, behind_proxy
from support.topics import Topics

pytestmark = pytest.mark.kafka

SEEDS = range(1, 1 + int(os.environ.get("ODD_STORM_SEEDS", "1")))
SHARE = 0.01
SMALL = {"GDRIVE_PAGE_SIZE": "10"}
"""Pages so small that one answer in a hundred is some answers."""

RICH = Details(shared=0.15, limited=0.01, commented=0.5, revised=0.3)
REFUSALS = {
    400: oddities.google_error(400, "badRequest"),
    403: oddities.google_error(403, "domainPolicy"),
    410: oddities.google_error(410, "gone"),
    451: oddities.google_error(451, "unavailableForLegalReasons"),
    500: oddities.google_error(500, "internalError"),
}
WAYS = frozenset({"files.export", "files.download", "links.export"})
BAD = {"revisions.list": 6, "comments.list": 5, "permissions.list": 2, "files.get": 4, "files.export": 3}
"""How many files are bad for ever, by the call that fails: 20 in all."""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_storm_of_odd_answers_loses_nothing(topics: Topics, tmp_path: Path, seed: int) -> None:
    """The sync closes with the gaps there are, nothing is deleted, and it becomes equal and complete by itself."""
    world = generate(CorpusPlan(files=160, shared_drives=3, users=2, seed=seed, details=RICH))
    with behind_proxy(world, topics, tmp_path, seed=seed, settings="sync_content = true\n", environment=SMALL) as odd:
        one = Mirrored(FIRST, odd.stage.email())
        assert odd.close(one).status == "completed"
        odd.assert_equal(one)
        before = len(odd.errors(one))
        bad = _bad_files(odd, one, random.Random(seed))  # noqa: S311 - files that can be drawn again
        _write_again(odd, one, [file_id for file_id, (method, _) in bad.items() if method.startswith("files.")])
        for refused, (method, status) in bad.items():
            odd.alter(REFUSALS[status], _match(one, method, refused))
        storm = [
            odd.alter(oddities.any_oddity(seed), match, share=SHARE) for match in (EVERYTHING, Match(method=BATCH))
        ]
        closed = odd.close(one)
        errors = odd.errors(one)[before:]

        assert any(rule.struck for rule in storm)
        assert closed.status == "incomplete"
        assert closed.gap_ids() >= set(bad)
        of_items = {each["resource"]["id"].partition("/")[0] for each in errors}  # of a list: "file/element"
        assert closed.gap_ids() <= of_items
        for file_id, (method, status) in bad.items():
            told = [e for e in errors if e["resource"]["id"] == file_id and e["error"]["http_status"] == status]
            assert len(told) == 1, f"{file_id}, whose {method} answers {status}, is told of {len(told)} times"
        assert odd.deleted(one) == []
        odd.proxy.clear()
        odd.wait_whole(one)
        odd.assert_contents(one)


def _bad_files(odd: OddStage, one: Mirrored, draw: random.Random) -> dict[str, tuple[str, int]]:
    """By a file's id the call that is refused for it, and with which status: files that were asked for by that call."""
    drives = odd.stage.simulator.apply(lambda world: set(world.drives))
    statuses = cycle(REFUSALS)
    bad: dict[str, tuple[str, int]] = {}
    for method, count in BAD.items():
        media = {"query": {"alt": "media"}} if method == "files.get" else {}
        asked = {each.file_id for each in odd.proxy.requests(one.match(method, **media)) if each.file_id}
        for file_id in draw.sample(sorted(asked - drives - bad.keys()), count):
            bad[file_id] = method, next(statuses)
    return bad


def _match(one: Mirrored, method: str, file_id: str) -> Match:
    if method == "files.get":
        return one.match(method, file_id=file_id, query={"alt": "media"})
    if method == "files.export":
        return Match(user=one.email, file_id=file_id, fits=_is_export)
    return one.match(method, file_id=file_id)


def _is_export(request: Request) -> bool:
    return request.method_id in WAYS


def _write_again(odd: OddStage, one: Mirrored, file_ids: list[str]) -> None:
    """Let the files have new contents, which are fetched then."""

    def write(world: World) -> None:
        for file_id in file_ids:
            item = world.items[file_id]
            replace_content(world, item, world.user(one.email), content=None if item.is_workspace else b"new")

    odd.stage.simulator.apply(write)
