"""The simulator as a server: embedded, in a thread, and what it writes and shows beside Drive."""

import json
import random
import tomllib
import urllib.request
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import pytest

from drive_simulator.api import exports
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.edits.random_edits import choose_edit, random_edits
from drive_simulator.model import content
from drive_simulator.truth.items import (
    untold,
    visible_comments,
    visible_drives,
    visible_items,
    visible_permissions,
    visible_revisions,
)
from support.simulators import serving, serving_in_thread
from support.worlds import Stage


async def _token(session: aiohttp.ClientSession, credentials: dict[str, str]) -> str:
    names = ("client_id", "client_secret", "refresh_token")
    form = {"grant_type": "refresh_token", **{name: credentials[name] for name in names}}
    async with session.post(credentials["token_uri"], data=form) as response:
        assert response.status == 200
        return str((await response.json())["access_token"])


async def test_the_connections_file_opens_the_door(tmp_path: Path) -> None:
    """Each user's connection leads to their own Drive; the service account speaks for the first user."""
    stage = Stage()
    async with serving(stage.world) as simulator, aiohttp.ClientSession() as session:
        simulator.write_connections(tmp_path / "connections.toml")
        connections = tomllib.loads((tmp_path / "connections.toml").read_text(encoding="utf-8"))
        assert set(connections) == {"conn_user_1", "conn_user_2", "conn_service_account"}
        robot = connections["conn_service_account"]["credentials"]
        assert robot["subject"] == "alice@example.com"
        assert robot["info"]["private_key"].startswith("-----BEGIN PRIVATE KEY-----\n")
        token = await _token(session, connections["conn_user_2"]["credentials"])
        headers = {"Authorization": f"Bearer {token}"}
        async with session.get(simulator.base_url + "/about?fields=user", headers=headers) as response:
            assert (await response.json())["user"]["emailAddress"] == "bob@example.com"


async def test_the_truth_is_served_a_line_an_item() -> None:
    """Drives and files of one user, as the model says, trash only where asked for."""
    world = generate(CorpusPlan(files=300))
    user = next(iter(world.users.values()))
    async with serving(world) as simulator, aiohttp.ClientSession() as session:
        for include_trashed in (False, True):
            query = {"user": user.email, "include_trashed": str(include_trashed).lower(), "fields": "id"}
            async with session.get(simulator.origin + "/_simulator/truth", params=query) as response:
                lines = [json.loads(line) for line in (await response.text()).splitlines()]
            files = {line["file"]["id"] for line in lines if "file" in line}
            assert files == set(visible_items(world, user, include_trashed=include_trashed))
            assert {line["drive"]["id"] for line in lines if "drive" in line} == set(visible_drives(world, user))
        query = {"user": user.email, "fields": "id", "also": "permissions,revisions,comments"}
        async with session.get(simulator.origin + "/_simulator/truth", params=query) as response:
            lines = [json.loads(line) for line in (await response.text()).splitlines()]
        for name, truth in (
            ("permission", visible_permissions(world, user)),
            ("revision", visible_revisions(world, user)),
            ("comment", visible_comments(world, user)),
        ):
            told = {(line[name]["item_id"], line[name]["id"]): line[name] for line in lines if name in line}
            assert set(told) == set(truth)
            assert truth
        async with session.get(simulator.origin + "/_simulator/truth?user=nobody") as response:
            assert response.status == 404


async def test_the_truth_tells_of_bytes_and_of_what_no_log_tells() -> None:
    """Sizes and checksums, or why there are none, and the ids below folders that the user does not see."""
    world = generate(CorpusPlan(files=300, shared_drives=1))
    user = list(world.users.values())[1]
    document = "application/vnd.google-apps.document"
    async with serving(world) as simulator, aiohttp.ClientSession() as session:
        query = [
            ("user", user.email),
            ("fields", "id"),
            ("also", "contents,untold"),
            ("export", f"{document}:text/plain"),
        ]
        async with session.get(simulator.origin + "/_simulator/truth", params=query) as response:
            lines = [json.loads(line) for line in (await response.text()).splitlines()]
    contents = {line["content"].pop("id"): line["content"] for line in lines if "content" in line}
    blob = next(item for item in world.items.values() if item.id in contents and item.size > 0)
    bytes_ = content.read(blob)
    assert contents[blob.id] == {"status": "available", "size": len(bytes_), "sha256": sha256(bytes_).hexdigest()}
    exported = next(item for item in world.items.values() if item.id in contents and item.mime_type == document)
    text = exports.export(exported, "text/plain")
    assert text is not None
    assert contents[exported.id]["sha256"] == sha256(text).hexdigest()
    others = {world.items[each].mime_type for each, found in contents.items() if found["status"] == "not_exportable"}
    assert others
    assert document not in others
    assert {line["untold"] for line in lines if "untold" in line} == untold(world, user) != set()


def test_it_serves_from_a_thread_while_its_world_changes() -> None:
    """`apply` changes the world between two calls, whichever thread asks."""
    stage = Stage()
    with serving_in_thread(stage.world) as (simulator, _):
        file = simulator.apply(lambda _: stage.file("von außen"))
        query = urlencode({"access_token": simulator.access_token("alice@example.com"), "fields": "name"})
        with urllib.request.urlopen(f"{simulator.base_url}/files/{file.id}?{query}") as response:  # noqa: S310
            assert json.load(response) == {"name": "von außen"}


async def test_a_taken_port_is_an_error_of_the_start() -> None:
    """Nothing is left behind by a simulator that could not start."""
    stage = Stage()
    async with serving(stage.world) as first:
        port = int(first.origin.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            async with serving(stage.world, port=port):
                pass


async def test_latency_delays_and_errors_are_observed_alike() -> None:
    """Observers get every call with its answer, refused ones too; methods of later days are refused cleanly."""
    stage = Stage()
    file = stage.file()
    async with serving(stage.world, latency_ms=1) as simulator, aiohttp.ClientSession() as session:
        seen: list[tuple[str, int]] = []
        simulator.observers.append(lambda exchange: seen.append((exchange.method_id, exchange.status)))
        headers = {"Authorization": f"Bearer {simulator.access_token('alice@example.com')}"}
        for path in ("files", f"files/{file.id}", f"files/{file.id}/listLabels", f"files/{file.id}/accessproposals"):
            async with session.get(f"{simulator.base_url}/{path}", headers=headers):
                pass
        assert seen == [
            ("files.list", 200),
            ("files.get", 200),
            ("files.listLabels", 200),
            ("accessproposals.list", 501),
        ]


def test_a_corpus_is_the_same_for_the_same_seed() -> None:
    """Id for id and name for name; another seed gives another one."""
    plans = (CorpusPlan(files=500, seed=7), CorpusPlan(files=500, seed=7), CorpusPlan(files=500, seed=8))
    first, second, third = ([(item.id, item.name) for item in generate(plan).items.values()] for plan in plans)
    assert first == second
    assert first != third


def test_a_corpus_is_realistic() -> None:
    """Few huge folders and many small ones, every script, every kind, trash and shares among it."""
    world = generate(CorpusPlan(files=5_000, shared_drives=3, users=3))
    items = [item for item in world.items.values() if item.parent is not None]
    sizes = sorted((len(item.children) for item in items if item.children is not None), reverse=True)
    assert len(items) == 5_000
    assert sizes[0] > 20 * sizes[len(sizes) // 2]
    assert any(not item.name.isascii() for item in items)
    assert len({item.mime_type for item in items}) > 20
    assert any(item.trashed and not item.explicitly_trashed for item in items)
    assert any(item.grants for item in items)


def test_random_edits_are_allowed_calls() -> None:
    """None of a few hundred is refused, and all kinds occur."""
    world = generate(CorpusPlan(files=300, shared_drives=3))
    done = random_edits(world, random.Random(1), 800)  # noqa: S311
    assert done.total() == 800
    assert {"create", "rename", "move", "move_folder", "trash", "untrash", "delete", "share", "unshare"} <= set(done)


async def test_chosen_edits_can_be_made_over_http() -> None:
    """`choose_edit` says what to call; each call is taken."""
    world = generate(CorpusPlan(files=200, shared_drives=2))
    rng = random.Random(3)  # noqa: S311
    async with serving(world) as simulator, aiohttp.ClientSession() as session:
        for _ in range(100):
            edit = choose_edit(world, rng)
            headers = {
                "Authorization": f"Bearer {simulator.access_token(edit.user)}",
                "Content-Type": edit.content_type,
            }
            url = simulator.origin + edit.target
            async with session.request(edit.method, url, data=edit.payload, headers=headers) as response:
                assert response.status in {200, 204}, (edit, await response.text())
