"""The altering proxy passes on what it is not told to alter, and alters what it is told to, alone and in batches."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import pytest

from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.server.server import Simulator
from google_drive_worker.client.batch import decode_batch, encode_batch
from support import oddities
from support.altering_proxy import BATCH, AlteringProxy, Match, altering
from support.simulators import serving_in_thread

LISTING = "/files?corpora=user&pageSize=5&fields=nextPageToken,incompleteSearch,files(id,name,modifiedTime)"


class Stand:
    """A simulator, the proxy before it, and a user."""

    def __init__(self, simulator: Simulator, proxy: AlteringProxy) -> None:
        self.simulator = simulator
        self.proxy = proxy
        self.email = simulator.accounts["conn_user_1"].email
        self.headers = {"Authorization": f"Bearer {simulator.access_token(self.email)}"}

    async def get(self, target: str, **headers: str) -> tuple[int, Any, bytes]:
        """Status, headers and body; a target without an address is one of the proxy's."""
        url = target if target.startswith("http") else f"{self.proxy.origin}/drive/v3{target}"
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.get(url, headers={**self.headers, "Accept-Encoding": "identity", **headers}) as answer,
        ):
            return answer.status, answer.headers, await answer.read()

    async def page(self, target: str = LISTING, token: str | None = None) -> dict[str, Any]:
        """A page's JSON."""
        status, _, body = await self.get(target if token is None else f"{target}&pageToken={token}")
        assert status == 200
        found = json.loads(body)
        assert isinstance(found, dict)
        return found

    async def batch(self, *paths: str) -> tuple[int, list[int | None]]:
        """The status of a batch, and of its parts in the order of the paths; `None` for one without an answer."""
        content_type, body = encode_batch([f"/drive/v3{path}" for path in paths], "x")
        url = f"{self.proxy.origin}/batch/drive/v3"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers={**self.headers, "Content-Type": content_type}) as answer,
        ):
            if answer.status != 200:
                return answer.status, []
            parts = decode_batch(answer.headers["Content-Type"], await answer.read(), len(paths))
            return 200, [None if part is None else part.status for part in parts]

    def blob(self) -> str:
        """The id of a file of some thousand bytes of the user's own."""
        user = self.simulator.world.user(self.email)
        return next(item.id for item in self.simulator.world.items.values() if item.size > 3_000 and item.owner is user)


@contextmanager
def standing() -> Iterator[Stand]:
    """A stand on a small Drive."""
    with (
        serving_in_thread(generate(CorpusPlan(files=60, shared_drives=1, users=1, seed=2))) as (simulator, _),
        altering(simulator) as proxy,
    ):
        yield Stand(simulator, proxy)


@pytest.fixture
def stand() -> Iterator[Stand]:
    """A stand of a test's own."""
    with standing() as made:
        yield made


async def test_without_rules_everything_is_as_the_simulator_answers(stand: Stand) -> None:
    """Pages, errors, bytes and their ranges, whole batches."""
    file_id = stand.blob()
    direct = stand.simulator.base_url
    for target in (f"/files/{file_id}", "/files/no-such-file", f"/files/{file_id}?alt=media"):
        through, straight = await stand.get(target), await stand.get(direct + target)
        assert (through[0], through[2]) == (straight[0], straight[2])
        assert through[1]["Content-Type"] == straight[1]["Content-Type"]
    status, headers, body = await stand.get(f"/files/{file_id}?alt=media", Range="bytes=1000-")
    assert (status, headers["Content-Range"].split("-")[0]) == (206, "bytes 1000")
    assert body == (await stand.get(f"{direct}/files/{file_id}?alt=media"))[2][1000:]
    assert await stand.batch(f"/files/{file_id}", "/files/no-such-file") == (200, [200, 404])
    assert not stand.proxy.altered


async def test_addresses_in_answers_lead_through_the_proxy(stand: Stand) -> None:
    """Export links are the proxy's, and bring the document."""
    document = "q=mimeType='application/vnd.google-apps.document'"
    page = await stand.page(f"/files?{document}&fields=files(id,exportLinks)&pageSize=1")
    link = next(iter(page["files"][0]["exportLinks"].values()))
    assert link.startswith(stand.proxy.origin)
    status, _, body = await stand.get(link)
    assert status == 200
    assert body


async def test_a_rule_strikes_what_it_is_for_as_often_as_it_says(stand: Stand) -> None:
    """By method and parameters, after those that are let through; what it did is counted."""
    rule = stand.proxy.add(oddities.html(404), Match(method="files.list", query={"pageToken": False}), times=2, skip=1)
    assert [(await stand.get(LISTING))[0] for _ in range(4)] == [200, 404, 404, 200]
    page = await stand.page()
    assert (await stand.get(f"{LISTING}&pageToken={page['nextPageToken']}"))[0] == 200
    assert (rule.struck, stand.proxy.altered) == (2, {"files.list": 2})
    assert len(stand.proxy.requests(Match(method="files.list", query={"pageToken": True}))) == 1


async def test_a_rule_that_ends_lets_answers_be_right_again(stand: Stand) -> None:
    """One by one, or all of them."""
    rule = stand.proxy.add(oddities.html(429), Match(method="files.*"))
    stand.proxy.add(oddities.html(413), Match(user=stand.email))
    assert (await stand.get(LISTING))[0] == 429
    rule.off()
    assert (await stand.get(LISTING))[0] == 413
    stand.proxy.clear()
    assert (await stand.get(LISTING))[0] == 200


async def test_a_share_of_all_answers_is_odd(stand: Stand) -> None:
    """By a die that falls the same each time."""
    rule = stand.proxy.add(oddities.html(404), share=0.3)
    statuses = [(await stand.get(LISTING))[0] for _ in range(50)]
    assert 5 < statuses.count(404) == rule.struck < 30


async def test_parts_of_batches_are_struck_by_themselves(stand: Stand) -> None:
    """The others are answered as ever; a whole batch is struck by its own name alone."""
    file_id = stand.blob()
    paths = (f"/files/{file_id}", f"/files/{file_id}/revisions", f"/files/{file_id}/comments?fields=*")
    rule = stand.proxy.add(oddities.soft_limit(), Match(method="revisions.list", file_id=file_id, in_batch=True))
    assert await stand.batch(*paths) == (200, [200, 403, 200])
    assert (await stand.get(paths[1]))[0] == 200
    rule.off()
    stand.proxy.add(oddities.drop(), Match(method="comments.list"), times=1)
    assert await stand.batch(*paths) == (200, [200, 200, None])
    stand.proxy.add(oddities.html(404), Match(method=BATCH), times=1)
    assert await stand.batch(*paths) == (404, [])
    assert await stand.batch(*paths) == (200, [200, 200, 200])


async def test_a_dropped_request_has_no_answer(stand: Stand) -> None:
    """The connection ends."""
    stand.proxy.add(oddities.drop())
    with pytest.raises(aiohttp.ClientError):
        await stand.get(LISTING)
    stand.proxy.clear()
    assert (await stand.get(LISTING))[0] == 200


@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("from_page", [1, 2])
async def test_tokens_lead_in_circles_until_they_are_right_again(stand: Stand, length: int, from_page: int) -> None:
    """The page is the same again and again; the token that is held then leads on to the next one."""
    first = await stand.page()
    token = None if from_page == 1 else first["nextPageToken"]
    right = await stand.page(token=token)
    rule = stand.proxy.add(oddities.token_cycle(length), Match(method="files.list"))
    tokens = []
    for _ in range(3 * length):
        page = await stand.page(token=token)
        assert page["files"] == right["files"]
        token = page["nextPageToken"]
        tokens.append(token)
    assert len(set(tokens)) == length
    assert tokens[:length] == tokens[length : 2 * length]
    rule.off()
    assert (await stand.page(token=token))["files"] == right["files"]


async def test_pages_lose_and_gain_members(stand: Stand) -> None:
    """Empty tokens, incomplete searches where that is asked for, no files at all, and odd elements."""
    files = (await stand.page())["files"]
    for alteration, expected in (
        (oddities.without_key("files"), {"nextPageToken", "incompleteSearch"}),
        (oddities.empty_object(), set()),
    ):
        stand.proxy.add(alteration, times=1)
        assert (await stand.page()).keys() == expected
    stand.proxy.add(oddities.empty_token(), times=1)
    assert (await stand.page("/drives?pageSize=100"))["nextPageToken"] == ""
    stand.proxy.add(oddities.incomplete_search())
    assert (await stand.page())["incompleteSearch"] is True
    assert "incompleteSearch" not in await stand.page("/files?fields=files(id)")
    stand.proxy.clear()
    half = oddities.given(name=oddities.HALF_A_PAIR)
    stand.proxy.add(oddities.odd_element(half, files[2]["id"]))
    found = (await stand.page())["files"]
    assert [each["name"] == oddities.HALF_A_PAIR for each in found] == [False, False, True, False, False]


async def test_large_pages_can_be_refused(stand: Stand) -> None:
    """Smaller ones are served."""
    stand.proxy.add(oddities.refused_above(5))
    assert (await stand.get("/files?pageSize=6"))[0] == 500
    assert (await stand.get("/files?pageSize=5"))[0] == 200


async def test_bytes_come_compressed_though_nobody_asked(stand: Stand) -> None:
    """As Content-Encoding says."""
    target = f"/files/{stand.blob()}?alt=media"
    plain = (await stand.get(target))[2]
    stand.proxy.add(oddities.gzip_anyway())
    _, headers, body = await stand.get(target)
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == plain


async def test_any_oddity_is_drawn_alike_for_a_seed(stand: Stand) -> None:
    """And differs from answer to answer."""

    async def drawn() -> list[object]:
        rule = stand.proxy.add(oddities.any_oddity(7))
        found: list[object] = []
        for _ in range(30):
            try:
                status, headers, body = await stand.get(LISTING)
                members = sorted(json.loads(body)) if body.startswith(b"{") else []
                found.append((status, headers.get("Content-Type"), members))
            except aiohttp.ClientError:
                found.append("dropped")
        rule.off()
        return found

    first, second = await drawn(), await drawn()
    assert first == second
    assert len({str(each) for each in first}) > 6
