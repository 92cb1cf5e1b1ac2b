"""`GET /_simulator/truth?user=EMAIL`: `truth` over HTTP, one JSON object a line.

Each line is `{"file": …}` or `{"drive": …}`. `include_trashed=true` and `include_shared_drives=false` are understood,
and `fields`, a mask of the File schema, cuts the files.
"""

from itertools import islice

import orjson
from aiohttp import web

from drive_simulator.errors import ApiError
from drive_simulator.fault_effects import error_response
from drive_simulator.fields import compile_fields
from drive_simulator.methods.files import render
from drive_simulator.truth import visible, visible_drives
from drive_simulator.world import World

_CHUNK = 1_000


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
        # The ids are taken at once: the world may change while the lines go out.
        items = list(
            visible(
                world,
                user,
                include_trashed=request.query.get("include_trashed") == "true",
                include_shared_drives=request.query.get("include_shared_drives") != "false",
            )
        )
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        drives = b"".join(orjson.dumps({"drive": each}) + b"\n" for each in visible_drives(world, user).values())
        await response.write(drives)
        rest = iter(items)
        while chunk := list(islice(rest, _CHUNK)):
            await response.write(b"".join(orjson.dumps({"file": render(i, user, mask)}) + b"\n" for i in chunk))
        await response.write_eof()
        return response

    app.router.add_get("/_simulator/truth", get_truth)
