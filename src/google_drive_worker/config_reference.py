"""Writes `.env.example` and `docs/configuration.md` from the settings.

`python -m google_drive_worker.config_reference` does it; a test holds both files to what this makes.
"""

from pathlib import Path

from pydantic.fields import FieldInfo

from google_drive_worker.config import Settings, bounds, choices

_GROUPS = {
    "KAFKA": "Kafka",
    "WORKER": "The worker",
    "SYNC": "Syncs",
    "GDRIVE": "Google Drive",
    "WEBHOOK": "Push notifications",
    "S3": "Object store",
    "CONNECTIONS": "Connections",
    "CONTROL": "Control Plane",
    "HEALTH": "Health and metrics",
    "LOG": "Logs",
}

_ENV_HEAD = """\
# Every setting with its default. Copy to .env, change what you need, then:
#   set -a; . ./.env; set +a; google-drive-worker run
# or: docker run --env-file .env ...
"""

_PAGE_HEAD = """\
# Configuration

Everything is an environment variable. Unknown ones are ignored, empty ones count as unset. A wrong value stops the
start with one line that names the variable and the mend. This page and `.env.example` are made from
`src/google_drive_worker/config.py` by `python -m google_drive_worker.config_reference`.
"""


def env_example() -> str:
    """The text of `.env.example`: each variable at its default; one without a default is a comment."""
    lines = [_ENV_HEAD]
    for group, fields in _grouped().items():
        lines.append(f"# {group}")
        for name, field in fields.items():
            lines.append(f"# {field.description}{_range(field)}".replace("`", ""))
            default = _default(field)
            lines.append(f"#{name.upper()}=" if default is None else f"{name.upper()}={default}")
        lines.append("")
    return "\n".join(lines)


def configuration_page() -> str:
    """The text of `docs/configuration.md`: one table a group."""
    lines = [_PAGE_HEAD]
    for group, fields in _grouped().items():
        lines += [f"## {group}", "", "| variable | default | meaning |", "|---|---|---|"]
        for name, field in fields.items():
            default = _default(field)
            shown = "unset" if default is None else f"`{default}`"
            lines.append(f"| `{name.upper()}` | {shown} | {field.description}{_range(field)} |")
        lines.append("")
    return "\n".join(lines)


def _grouped() -> dict[str, dict[str, FieldInfo]]:
    groups: dict[str, dict[str, FieldInfo]] = {}
    for name, field in Settings.model_fields.items():
        groups.setdefault(_GROUPS[name.split("_")[0].upper()], {})[name] = field
    return groups


def _default(field: FieldInfo) -> str | None:
    if field.default is None:
        return None
    if isinstance(field.default, bool):
        return str(field.default).lower()
    return f"{field.default:g}" if isinstance(field.default, float) else str(field.default)


def _range(field: FieldInfo) -> str:
    if values := choices(field):
        return f" One of {', '.join(f'`{value}`' for value in values)}."
    low, high = bounds(field)
    return "" if low is None or high is None else f" From {low:,} to {high:,}."


def main(root: Path) -> None:
    """Write both files below `root`."""
    (root / ".env.example").write_text(env_example(), encoding="utf-8")
    (root / "docs" / "configuration.md").write_text(configuration_page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path.cwd())
