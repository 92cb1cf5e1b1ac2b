r"""The admin endpoints, outside of Drive's paths: what a test or a stranger steers the simulator with.

| call | body and answer |
|---|---|
| `POST /_simulator/faults` | a rule or a list of rules (see `faults`); answers `{"ids": [1, 2]}` |
| `GET /_simulator/faults` | `{"rules": [{"id", "rule", "seen", "struck"}]}` |
| `DELETE /_simulator/faults`, `…/faults/{id}` | takes all, or one, away; 204 |
| `GET /_simulator/counters` | `{"requests", "total", "methods", "users", "by_user", "statuses", "repeated_pages"}` |
| `GET /_simulator/calls?method=files.list` | `{"calls": [{"method_id", "user", "parameters", "status"}]}` |
| `DELETE /_simulator/counters` | back to zero; 204 |
| `POST /_simulator/tokens/expire` | `{"user": "…"}` or nothing for all; answers `{"expired": n}` |
| `POST /_simulator/grants/revoke` | `{"user": "…"}` or nothing for all; answers `{"revoked": n}` |
| `POST /_simulator/quota` | `{"model": "units", "project_per_minute": …, "user_per_minute": …}`; 204 |
| `GET /_simulator/consistency` | how lists and logs differ from what is true (see `Consistency`) |
| `PATCH /_simulator/consistency` | the fields to change, as `{"list_lag_s": [5, 60]}`; answers as GET does |

Quota models are `requests`, `units` and `unlimited`; limits that are left out are Google's. A body that can't be
read is 400 `{"error": "what is wrong"}`. Those of push notifications stand in `channel_routes`.
"""

from typing import Literal, TypeVar

import msgspec
from aiohttp import web

from drive_simulator.auth.oauth import TokenService
from drive_simulator.faults.plan import FaultPlan
from drive_simulator.faults.presets import parse_rules
from drive_simulator.model.consistency import Consistency
from drive_simulator.model.world import World
from drive_simulator.server.counters import Counters
from drive_simulator.server.quota import UNLIMITED, Quota, QuotaModel, request_model, unit_model

PREFIX = "/_simulator"
T = TypeVar("T")


class Whose(msgspec.Struct, forbid_unknown_fields=True):
    """The user that a call is about; None is everybody."""

    user: str | None = None


class QuotaSetting(msgspec.Struct, forbid_unknown_fields=True):
    """Which quota model is in force; limits that are not given are Google's."""

    model: Literal["requests", "units", "unlimited"]
    project_per_minute: float | None = None
    user_per_minute: float | None = None

    def quota_model(self) -> QuotaModel:
        """The model that the setting describes."""
        if self.model == "unlimited":
            return UNLIMITED
        base = request_model() if self.model == "requests" else unit_model()
        project, user = self.project_per_minute, self.user_per_minute
        return QuotaModel(
            base.project_per_minute if project is None else project,
            base.user_per_minute if user is None else user,
            base.default_cost,
            base.costs,
            base.download_cost,
        )


def add_admin_routes(
    app: web.Application, plan: FaultPlan, counters: Counters, tokens: TokenService, quota: Quota
) -> None:
    """Serve the admin endpoints under `/_simulator`."""
    router = app.router
    _add_fault_routes(app, plan)

    async def get_counters(_: web.Request) -> web.Response:
        return answer_json({**counters.snapshot(), "repeated_pages": len(counters.repeated_pages())})

    async def get_calls(request: web.Request) -> web.Response:
        entries = counters.entries(request.query.get("method"))
        return answer_json({"calls": [{**msgspec.to_builtins(e), "parameters": dict(e.parameters)} for e in entries]})

    async def delete_counters(_: web.Request) -> web.Response:
        counters.clear()
        return web.Response(status=204)

    async def expire(request: web.Request) -> web.Response:
        whose = await read_body(request, Whose)
        return answer_json({"expired": tokens.expire_tokens(whose.user)})

    async def revoke(request: web.Request) -> web.Response:
        whose = await read_body(request, Whose)
        return answer_json({"revoked": tokens.revoke_grants(whose.user)})

    async def set_quota(request: web.Request) -> web.Response:
        quota.set_model((await read_body(request, QuotaSetting)).quota_model())
        return web.Response(status=204)

    router.add_get(f"{PREFIX}/counters", get_counters)
    router.add_get(f"{PREFIX}/calls", get_calls)
    router.add_delete(f"{PREFIX}/counters", delete_counters)
    router.add_post(f"{PREFIX}/tokens/expire", expire)
    router.add_post(f"{PREFIX}/grants/revoke", revoke)
    router.add_post(f"{PREFIX}/quota", set_quota)


def add_consistency_routes(app: web.Application, world: World) -> None:
    """Serve how the world's lists and logs differ from what is true."""

    async def get(_: web.Request) -> web.Response:
        return answer_json(world.consistency)

    async def patch(request: web.Request) -> web.Response:
        given = await read_body(request, dict[str, object])
        try:
            world.consistency = msgspec.convert({**msgspec.to_builtins(world.consistency), **given}, Consistency)
        except ValueError as error:
            raise refusal(str(error)) from None
        return answer_json(world.consistency)

    app.router.add_get(f"{PREFIX}/consistency", get)
    app.router.add_patch(f"{PREFIX}/consistency", patch)


def _add_fault_routes(app: web.Application, plan: FaultPlan) -> None:
    async def post(request: web.Request) -> web.Response:
        try:
            return answer_json({"ids": [plan.add(rule) for rule in parse_rules(await request.read())]})
        except ValueError as error:
            raise refusal(str(error)) from None

    async def get(_: web.Request) -> web.Response:
        return answer_json({"rules": msgspec.to_builtins(plan.states())})

    async def delete(_: web.Request) -> web.Response:
        plan.clear()
        return web.Response(status=204)

    async def delete_one(request: web.Request) -> web.Response:
        if not plan.remove(int(request.match_info["id"])):
            raise web.HTTPNotFound
        return web.Response(status=204)

    app.router.add_post(f"{PREFIX}/faults", post)
    app.router.add_get(f"{PREFIX}/faults", get)
    app.router.add_delete(f"{PREFIX}/faults", delete)
    app.router.add_delete(PREFIX + r"/faults/{id:\d{1,9}}", delete_one)


async def read_body(request: web.Request, kind: type[T]) -> T:
    """The body's JSON, nothing being an empty object. Raises 400."""
    try:
        return msgspec.json.decode(await request.read() or b"{}", type=kind)
    except ValueError as error:
        raise refusal(str(error)) from None


def refusal(text: str) -> web.HTTPBadRequest:
    """400 with what is wrong."""
    return web.HTTPBadRequest(text=msgspec.json.encode({"error": text}).decode(), content_type="application/json")


def answer_json(value: object) -> web.Response:
    """The value as JSON."""
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
