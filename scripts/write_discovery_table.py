"""Writes `src/drive_simulator/discovery.json`: of Google's discovery document what the simulator needs, and no prose.

The document is the one that the test dependency `google-api-python-client` carries. A test proves the file up to date.

    .venv/bin/python scripts/write_discovery_table.py
"""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent.parent / "src" / "drive_simulator" / "discovery.json"
SCOPE_PREFIX = "https://www.googleapis.com/auth/"
PARAMETER_KEYS = ("type", "location", "required", "enum", "default", "minimum", "maximum", "repeated")


def document() -> dict[str, Any]:
    """Google's discovery document of Drive v3."""
    path = files("googleapiclient") / "discovery_cache" / "documents" / "drive.v3.json"
    return dict(json.loads(path.read_text()))


def table(source: dict[str, Any]) -> str:
    """The text of the table: JSON with one method or schema a line."""
    methods = dict(sorted(_methods(source)))
    schemas = {name: _schema(schema) for name, schema in sorted(source["schemas"].items())}
    lines = [
        "{",
        f'"revision": {json.dumps(source["revision"])},',
        f'"parameters": {_line(_parameters(source))},',
        '"methods": {',
        ",\n".join(f"{json.dumps(name)}: {_line(method)}" for name, method in methods.items()),
        "},",
        '"schemas": {',
        ",\n".join(f"{json.dumps(name)}: {_line(schema)}" for name, schema in schemas.items()),
        "}",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _line(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _parameters(holder: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {key: parameter[key] for key in PARAMETER_KEYS if key in parameter}
        for name, parameter in holder.get("parameters", {}).items()
    }


def _methods(resource: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for method in resource.get("methods", {}).values():
        entry = {"http_method": method["httpMethod"], "path": method["path"], "parameters": _parameters(method)}
        for direction in ("request", "response"):
            if direction in method:
                entry[direction] = method[direction]["$ref"]
        entry["scopes"] = sorted(scope.removeprefix(SCOPE_PREFIX) for scope in method.get("scopes", []))
        for flag, key in (("supportsMediaUpload", "media_upload"), ("supportsMediaDownload", "media_download")):
            if method.get(flag):
                entry[key] = True
        found.append((method["id"].removeprefix("drive."), entry))
    for inner in resource.get("resources", {}).values():
        found += _methods(inner)
    return found


def _schema(schema: dict[str, Any]) -> Any:
    """A field's value: "" for a scalar, a schema's name, "*" for a map, or the fields of an inline object."""
    if "$ref" in schema:
        return schema["$ref"]
    if schema.get("type") == "array":
        return _schema(schema["items"])
    if "additionalProperties" in schema:
        return "*"
    if schema.get("type") == "object":
        return {name: _schema(field) for name, field in schema.get("properties", {}).items()}
    return "*" if schema.get("type") == "any" else ""


if __name__ == "__main__":
    TARGET.write_text(table(document()))
