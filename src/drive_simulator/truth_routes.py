"""`GET /_simulator/truth?user=EMAIL`: `truth` over HTTP, one JSON object a line.

Each line is `{"file": …}` or `{"drive": …}`. `include_trashed=true` and `include_shared_drives=false` are understood,
and `fields`, a mask of the File schema, cuts the files. `also=permissions,revisions,comments` adds lines of what hangs
on the files, in the words of `truth`: `{"permission": {"item_id", "id", …}}`, `{"revision": …}` and `{"comment": …}`.
"""

from collections.abc import Mapping
from dataclasses import asdict
from itertools import islice
from typing import Any, Protocol

import orjson
from aiohttp import web

from drive_simulator.errors import ApiError
from drive_simulator.fault_effects import error_response
from drive_simulator.fields import compile_fields
from drive_simulator.items import User
from drive_simulator.methods.files import render
from drive_simulator.sharing import end_expired
from drive_simulator.truth import visible, visible_comments, visible_drives, visible_permissions, visible_revisions
from drive_simulator.world import World

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
        items = list(visible(world, user, **options))
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        drives = b"".join(orjson.dumps({"drive": each}) + b"\n" for each in visible_drives(world, user).values())
        await response.write(drives)
        rest = iter(items)
        while chunk := list(islice(rest, _CHUNK)):
            await response.write(b"".join(orjson.dumps({"file": render(i, user, mask)}) + b"\n" for i in chunk))
        for kind in (each for each in request.query.get("also", "").split(",") if each in _DETAILS):
            details = _DETAILS[kind](world, user, **options)
            pairs = iter([({"item_id": key[0], "id": key[1]}, detail) for key, detail in details.items()])
            while part := list(islice(pairs, _CHUNK)):
                name = kind.removesuffix("s")
                await response.write(
                    b"".join(orjson.dumps({name: ids | asdict(detail)}) + b"\n" for ids, detail in part)
                )
        await response.write_eof()
        return response

    app.router.add_get("/_simulator/truth", get_truth)
