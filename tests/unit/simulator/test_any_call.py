"""Random calls of every method: the simulator answers each, and never with anything that is not Google's."""

import random
from typing import Any

import orjson
import pytest

from drive_simulator.api.discovery import Method, Parameter, method_parameters, methods
from drive_simulator.api.wire import Request
from drive_simulator.corpus.generator import CorpusPlan, generate
from drive_simulator.model.world import World
from support.direct import Direct
from support.observer import DiscoveryObserver
from support.simulators import unserved

ALL_ANSWERS = {200, 204, 308, 400, 401, 403, 404, 409, 413, 416, 501}
TEXTS = (
    "",
    "x",
    "*",
    "id",
    "root",
    "me",
    "true",
    "-1",
    "1",
    "9" * 30,
    "ünï",
    "a,b",
    "'root' in parents",
    "\0",
    "text/plain",
)
JSONS: tuple[Any, ...] = (
    None,
    True,
    0,
    -1.5,
    "",
    "x",
    "reader",
    "user",
    "owner",
    "2026-01-01T00:00:00Z",
    [],
    ["root"],
    {},
    {"a": 1},
)
FIELDS = (
    "name",
    "mimeType",
    "parents",
    "trashed",
    "starred",
    "role",
    "type",
    "emailAddress",
    "content",
    "action",
    "id",
)
MORE_FIELDS = (
    "modifiedTime",
    "createdTime",
    "properties",
    "shortcutDetails",
    "restrictions",
    "contentRestrictions",
    "folderColorRgb",
    "quotedFileContent",
    "expirationTime",
    "domain",
    "description",
    "keepForever",
)


class Caller:
    """Draws calls."""

    def __init__(self, world: World, seed: int) -> None:
        self.die = random.Random(seed)  # noqa: S311 - a test
        self.ids = [*list(world.items)[:40], *world.drives, "root", "nope", "anyone", "head"]

    def path(self, method: Method) -> str:
        """The method's path with ids at random."""
        path = method.path
        for name in method_parameters_in_path(method):
            path = path.replace("{" + name + "}", self.die.choice(self.ids))
        return path

    def query(self, method_id: str) -> tuple[tuple[str, str], ...]:
        """Some of the method's parameters, right or wrong."""
        pairs = []
        for name, parameter in method_parameters(method_id).items():
            if parameter.location == "query" and self.die.random() < (0.9 if parameter.required else 0.15):
                pairs.append((name, self.value(parameter)))
        if self.die.random() < 0.5:
            pairs.append(("fields", "*"))
        return tuple(pairs)

    def value(self, parameter: Parameter) -> str:
        """A value, mostly of the right type."""
        if self.die.random() < 0.1:
            return self.die.choice(TEXTS)
        if parameter.type == "boolean":
            return self.die.choice(("true", "false"))
        if parameter.type == "integer":
            return str(self.die.randint(0, 12))
        return self.die.choice([*parameter.enum, *TEXTS, *self.ids])

    def body(self) -> bytes:
        """A body at random."""
        names = self.die.sample(FIELDS + MORE_FIELDS, self.die.randint(0, 5))
        whole: Any = {name: self.die.choice(JSONS) for name in names}
        if self.die.random() < 0.05:
            whole = self.die.choice(JSONS)
        return b"{" if self.die.random() < 0.03 else orjson.dumps(whole)


def method_parameters_in_path(method: Method) -> list[str]:
    """The names in the method's path."""
    return [name for name, parameter in method.parameters.items() if parameter.location == "path"]


@pytest.mark.parametrize("seed", range(4))
def test_every_method_answers_whatever_is_asked(seed: int) -> None:
    """No call makes the simulator stumble, and no answer differs from Google's document."""
    world = generate(CorpusPlan(files=60, shared_drives=2, users=2, seed=seed))
    caller, users = Caller(world, seed), list(world.users)
    with unserved(world) as simulator:
        observer = simulator.observers[0]
        assert isinstance(observer, DiscoveryObserver)
        headers = [Direct(simulator, user).headers for user in users]
        with observer.refusing():
            for _ in range(60):
                for method_id, method in methods().items():
                    prefix = "/upload/drive/v3/" if method.media_upload and caller.die.random() < 0.3 else "/drive/v3/"
                    body = caller.body() if method.http_method in {"POST", "PATCH"} else b""
                    request = Request(
                        method.http_method,
                        prefix + caller.path(method),
                        caller.query(method_id),
                        caller.die.choice(headers),
                        body,
                    )
                    assert simulator.handle(request).status in ALL_ANSWERS, request
