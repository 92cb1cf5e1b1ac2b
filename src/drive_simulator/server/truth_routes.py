"""`GET /_simulator/truth?user=EMAIL`: `truth` over HTTP, one JSON object a line.

Each line is `{"file": …}` or `{"drive": …}`. `include_trashed=true` and `include_shared_drives=false` are understood,
and `fields`, a mask of the File schema, cuts the files. `also=permissions,revisions,comments` adds lines of what hangs
on the files, in the words of `truth`: `{"permission": {"item_id", "id", …}}`, `{"revision": …}` and `{"comment": …}`.
`also=contents` adds `{"content": {"id", "status", "size", "sha256"}}` for each file; documents are exported as each
`export=TYPE:TO` says. `also=untold` adds `{"untold": ID}` for what is below a folder that the user does not see.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from itertools import islice
from typing import Any, Protocol

import orjson
from aiohttp import web

from drive_simulator.api.errors import ApiError
from drive_simulator.api.fields import compile_fields
from drive_simulator.api.methods.files import render
from drive_simulator.faults.effects import error_response
from drive_simulator.model.items import User
from drive_simulator.model.sharing import end_expired
from drive_simulator.model.world import World
from drive_simulator.truth.items import (
    untold,
    visible,
    visible_comments,
    visible_contents,
    visible_drives,
    visible_permissions,
    visible_revisions,
)

_CHUNK = 1_000


class _Details(Protocol):
    """Says what hangs on the items that a user sees, by item's id and own id."""

    def __call__(
        self, world: World, user: User, /, *, include_trashed: bool, include_shared_drives: bool
    ) -> Mapping[tuple[str, str], Any]: ...


_DETAILS: Mapping[str, _Details] = {
    "comments": visible_comments,
    "permissions": visible_permissions,
    "revisions": visible_revisions,
}


def add_truth_routes(app: web.Application, world: World) -> None:
    """Serve the truth."""

    async def get_truth(request: web.Request) -> web.StreamResponse:
        user = world.users.get(request.query.get("user", "").lower())
        if user is None:
            return web.json_response({"error": "no such user; give user=EMAIL", "users": list(world.users)}, status=404)
        try:
            mask = compile_fields(request.query.get("fields", "*"), "File")
        except ApiError as error:
            return error_response(error)
        end_expired(world)
        options = {
            "include_trashed": request.query.get("include_trashed") == "true",
            "include_shared_drives": request.query.get("include_shared_drives") != "false",
        }
        # The ids are taken at once: the world may change while the lines go out.
        items = list(visible(world, user, among=None, **options))
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        await response.write(_lines({"drive": each} for each in visible_drives(world, user).values()))
        rest = iter(items)
        while chunk := list(islice(rest, _CHUNK)):
            await response.write(_lines({"file": render(each, user, mask)} for each in chunk))
        also = request.query.get("also", "").split(",")
        for kind in (each for each in also if each in _DETAILS):
            details = _DETAILS[kind](world, user, **options)
            pairs = iter([({"item_id": key[0], "id": key[1]}, detail) for key, detail in details.items()])
            while part := list(islice(pairs, _CHUNK)):
                name = kind.removesuffix("s")
                await response.write(_lines({name: ids | asdict(detail)} for ids, detail in part))
        if "contents" in also:
            export_types = dict(each.partition(":")[::2] for each in request.query.getall("export", []))
            contents = visible_contents(world, user, export_types, **options)
            await response.write(_lines({"content": {"id": id_, **asdict(each)}} for id_, each in contents.items()))
        if "untold" in also:
            await response.write(_lines({"untold": id_} for id_ in untold(world, user)))
        await response.write_eof()
        return response

    app.router.add_get("/_simulator/truth", get_truth)


def _lines(values: Iterable[Mapping[str, object]]) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in values)
