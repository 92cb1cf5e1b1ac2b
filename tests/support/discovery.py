"""Exchanges held against Google's discovery document, the one that `google-api-python-client` carries.

The document is read here anew, not through the simulator's own table, so that neither can excuse the other. Beside the
document a few rules are checked that Google states in prose: where `fields` is required, and how the parameters of
shared drives go together.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from drive_simulator.api.errors import ApiError
from drive_simulator.api.fields import compile_fields
from drive_simulator.api.order_by import parse_order_by
from drive_simulator.api.query import parse_query

BASE_PATH = "/drive/v3/"
UPLOAD_PATHS = ("/upload/drive/v3/", "/resumable/upload/drive/v3/")
FIELDS_REQUIRED = re.compile(r"drive\.(about\.get|(comments|replies)\.(create|get|list|update))")
# The method answers without a mask, or with another schema than the document's.
UNMASKED = frozenset({"drive.files.generateIds"})
MAX_QUOTA_USER = 40

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_INT64 = re.compile(r"-?\d{1,19}")
_BOUNDARY = re.compile(rb"--[^\r\n]+")
_ENUMS = {"corpora": {"user", "domain", "drive", "allDrives"}}
_SPACES = {"drive", "appDataFolder", "photos"}

Json = Any


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which an exchange is not Google's: whose fault (`request` or `response`), where and what."""

    side: str
    method_id: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.side} of {self.method_id}: {self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the document."""

    id: str
    http_method: str
    pattern: re.Pattern[str]
    parameters: Mapping[str, Json]
    request: str | None
    response: str | None
    media_upload: bool


@cache
def document() -> dict[str, Json]:
    """Google's discovery document of Drive v3."""
    path = files("googleapiclient") / "discovery_cache" / "documents" / "drive.v3.json"
    loaded: dict[str, Json] = json.loads(path.read_text())
    return loaded


@cache
def methods() -> tuple[Method, ...]:
    """Every method, those with fixed paths before those with parameters in the same place."""

    def walk(resource: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
        yield from resource.get("methods", {}).values()
        for inner in resource.get("resources", {}).values():
            yield from walk(inner)

    found = sorted(walk(document()), key=lambda method: (method["path"].count("{"), method["path"]))
    return tuple(
        Method(
            id=method["id"],
            http_method=method["httpMethod"],
            pattern=re.compile(re.sub(r"\{\w+\}", "[^/:]+", method["path"])),
            parameters=document()["parameters"] | method.get("parameters", {}),
            request=method.get("request", {}).get("$ref"),
            response=method.get("response", {}).get("$ref"),
            media_upload=bool(method.get("supportsMediaUpload")),
        )
        for method in found
    )


def is_drive(path: str) -> bool:
    """Whether the path is one of the Drive API at all: not a token, a batch or an admin endpoint."""
    return path.startswith((BASE_PATH, *UPLOAD_PATHS))


def find_method(http_method: str, path: str) -> Method | None:
    """The method of a path, by whichever of its addresses it is called."""
    upload = next((prefix for prefix in UPLOAD_PATHS if path.startswith(prefix)), None)
    relative = path.removeprefix(upload or BASE_PATH)
    for method in methods():
        # A resumable upload goes on with PUT, or with POST, whatever it began with; HEAD asks for what GET does.
        goes_on = upload is not None and http_method in {"PUT", "POST"}
        called = method.http_method == http_method or goes_on or (method.http_method, http_method) == ("GET", "HEAD")
        if called and method.pattern.fullmatch(relative) and (upload is None or method.media_upload):
            return method
    return None


def check_request(
    http_method: str, path: str, query: Iterable[tuple[str, str]], body: bytes | None = None
) -> list[Violation]:
    """How a request differs from what Google documents; empty where it does not."""
    method = find_method(http_method, path)
    if method is None:
        return [Violation("request", "?", f"{http_method} {path}", "no such method")]
    pairs = list(query)
    found = [*_check_parameters(method, pairs), *_check_rules(method, pairs)]
    found += _check_body(method, path, dict(pairs), body or b"")
    return [Violation("request", method.id, where, what) for where, what in found]


def check_response(
    method_id: str, status: int, body: bytes | None, fields: str | None = None, *, media: bool = False
) -> list[Violation]:
    """How an answer differs from the schema of its method, or from Google's error body; empty where it does not.

    `media` is a download or an export: its bytes mean nothing here. `fields` is the mask that was asked for.
    """
    method = next(method for method in methods() if method.id == method_id)
    return [
        Violation("response", method_id, where, what)
        for where, what in _check_answer(method, status, body, fields, media)
    ]


Found = Iterator[tuple[str, str]]


def _check_parameters(method: Method, pairs: Sequence[tuple[str, str]]) -> Found:
    given = {name for name, _ in pairs}
    for name, parameter in method.parameters.items():
        if parameter.get("required") and parameter["location"] == "query" and name not in given:
            yield name, "required parameter is missing"
    for name, text in pairs:
        parameter = method.parameters.get(name)
        if parameter is None or parameter["location"] != "query":
            if not (name == "upload_id" and method.media_upload):
                yield name, "unknown parameter"
            continue
        if [n for n, _ in pairs].count(name) > 1 and not parameter.get("repeated"):
            yield name, "given more than once"
        yield from ((name, what) for what in _check_value(name, parameter, text))


def _check_value(name: str, parameter: Mapping[str, Json], text: str) -> Iterator[str]:
    if parameter["type"] == "boolean" and text not in {"true", "false"}:
        yield f"{text!r} is no boolean"
    if parameter["type"] == "integer":
        if not re.fullmatch(r"-?\d+", text):
            yield f"{text!r} is no integer"
        elif not int(parameter.get("minimum", text)) <= int(text) <= int(parameter.get("maximum", text)):
            yield f"{text} is out of the range {parameter.get('minimum')} to {parameter.get('maximum')}"
    enum = set(parameter.get("enum", ())) or _ENUMS.get(name)
    if enum and text not in enum:
        yield f"{text!r} is none of {sorted(enum)}"


def _check_rules(method: Method, pairs: Sequence[tuple[str, str]]) -> Found:
    """What Google says in prose."""
    given = dict(pairs)
    if FIELDS_REQUIRED.fullmatch(method.id) and not given.get("fields"):
        yield "fields", "required by this method"
    if len(given.get("quotaUser", "")) > MAX_QUOTA_USER:
        yield "quotaUser", f"longer than {MAX_QUOTA_USER} characters"
    supports = given.get("supportsAllDrives") == "true"
    if given.get("includeItemsFromAllDrives") == "true" and not supports:
        yield "includeItemsFromAllDrives", "needs supportsAllDrives"
    if "driveId" in given and "supportsAllDrives" in method.parameters and not supports:
        yield "driveId", "needs supportsAllDrives"
    if method.id == "drive.files.list":
        yield from _check_corpora(given)
    yield from _check_languages(method, given)


def _check_corpora(given: Mapping[str, str]) -> Found:
    corpora = given.get("corpora")
    if ("driveId" in given) != (corpora == "drive"):
        yield "driveId", "goes with corpora=drive, and only with it"
    if corpora in {"drive", "allDrives"} and given.get("includeItemsFromAllDrives") != "true":
        yield "corpora", f"{corpora} needs includeItemsFromAllDrives and supportsAllDrives"
    for space in filter(None, given.get("spaces", "").split(",")):
        if space not in _SPACES:
            yield "spaces", f"{space!r} is none of {sorted(_SPACES)}"


def _check_languages(method: Method, given: Mapping[str, str]) -> Found:
    try:
        if method.id == "drive.files.list" and given.get("q"):
            parse_query(given["q"])
        if method.id == "drive.files.list":
            parse_order_by(given.get("orderBy"))
        if given.get("fields") and method.response:
            compile_fields(given["fields"], method.response, is_strict=True)
    except ApiError as error:
        yield str(error.location), error.message


def _check_body(method: Method, path: str, given: Mapping[str, str], body: bytes) -> Found:
    upload = given.get("uploadType") if path.startswith(UPLOAD_PATHS) else None
    if path.startswith(UPLOAD_PATHS) and upload not in {"media", "multipart", "resumable"}:
        yield "uploadType", f"{upload!r} is none of media, multipart, resumable"
    if upload == "media" or "upload_id" in given or not body:
        return
    if upload == "multipart":
        body = _metadata_part(body)
    if method.request is None:
        yield "body", "this method takes none"
        return
    try:
        value = json.loads(body)
    except ValueError:
        yield "body", "is no JSON"
        return
    yield from _check_schema({"$ref": method.request}, value, "body")


def _metadata_part(body: bytes) -> bytes:
    """The first part of a multipart upload."""
    boundary = _BOUNDARY.search(body)
    if boundary is None:
        return b""
    part = body[boundary.end() :].split(boundary[0])[0]
    return re.split(rb"\r?\n\r?\n", part, maxsplit=1)[-1].strip()


def _check_answer(method: Method, status: int, body: bytes | None, fields: str | None, media: bool) -> Found:
    if status >= 400:
        yield from _check_error(status, body or b"")
        return
    if media or status in {204, 308}:
        if status == 204 and body:
            yield "body", "204 has none"
        return
    if method.response is None or method.id == "drive.files.export":
        if body and method.id != "drive.files.export":
            yield "body", "this method answers nothing"
        return
    try:
        value = json.loads(body or b"")
    except ValueError:
        yield "body", "is no JSON"
        return
    yield from _check_schema({"$ref": method.response}, value, "body")
    if fields and isinstance(value, dict) and method.id not in UNMASKED:
        try:
            if compile_fields(fields, method.response).apply(value) != value:
                yield "body", f"holds more than was asked for: {fields}"
        except ApiError:
            yield "status", f"{status} for an invalid mask: {fields}"


def _check_error(status: int, body: bytes) -> Found:
    """Google's error body: code, message and at least one error with domain, reason and message."""
    try:
        error = json.loads(body)["error"]
        details = error["errors"]
        if error["code"] != status:
            yield "error.code", f"{error['code']} in an answer of status {status}"
        if not isinstance(error["message"], str) or not details:
            yield "error", "without message or errors"
        for detail in details:
            # Measured: wrongly typed values have no domain, and a spoilt page token's 500 has nothing at all.
            is_typed = "details" in error and status == 400
            missing = {"domain", "reason", "message"} - set(detail) - ({"domain"} if is_typed else set())
            if status == 500 and not detail:
                continue
            extra = set(detail) - {"domain", "reason", "message", "location", "locationType", "extendedHelp"}
            if missing or extra:
                yield "error.errors", f"missing {sorted(missing)}, not Google's {sorted(extra)}"
    except (ValueError, KeyError, TypeError):
        yield "body", f"is no error body of Google's: {body[:80]!r}"


def _check_schema(schema: Mapping[str, Json], value: Json, where: str) -> Found:
    if "$ref" in schema:
        schema = document()["schemas"][schema["$ref"]]
    kind = schema.get("type")
    if kind == "object":
        yield from _check_object(schema, value, where)
    elif kind == "array":
        if not isinstance(value, list):
            yield where, f"{type(value).__name__} where a list belongs"
            return
        for index, item in enumerate(value):
            yield from _check_schema(schema["items"], item, f"{where}[{index}]")
    else:
        yield from ((where, what) for what in _check_scalar(schema, value))


def _check_object(schema: Mapping[str, Json], value: Json, where: str) -> Found:
    if not isinstance(value, dict):
        yield where, f"{type(value).__name__} where an object belongs"
        return
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    for name, inner in value.items():
        if name in properties:
            yield from _check_schema(properties[name], inner, f"{where}.{name}")
        elif others is not None:
            yield from _check_schema(others, inner, f"{where}.{name}")
        else:
            yield f"{where}.{name}", "unknown property"


def _check_scalar(schema: Mapping[str, Json], value: Json) -> Iterator[str]:
    kind, form = schema.get("type"), schema.get("format")
    fits = {
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "any": True,
    }
    if not fits[str(kind)]:
        yield f"{value!r} is no {kind}"
    elif form == "int64" and not _INT64.fullmatch(value):
        yield f"{value!r} is no int64 in a string"
    elif form in {"date-time", "google-datetime"} and not _DATE_TIME.fullmatch(value):
        yield f"{value!r} is no RFC 3339 time"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{value!r} is none of {schema['enum']}"
