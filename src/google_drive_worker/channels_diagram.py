"""Writes the diagram of a push channel's life into `docs/push.md`, from the table in `sync.channels`.

`python -m google_drive_worker.channels_diagram` does it; a test holds the page to what this makes.
"""

import re
from pathlib import Path

from google_drive_worker.sync.channels import TRANSITIONS, diagram

PAGE = Path("docs") / "push.md"

_PLACE = re.compile(r"(<!-- channels: made from sync/channels.py -->\n).*(<!-- channels: end -->)", re.DOTALL)


def drawn(page: str) -> str:
    """The page's text with the diagram and the table as they are now."""
    rows = "\n".join(f"| {row.before} | {row.event} | {row.after or 'gone'} | {row.meaning} |" for row in TRANSITIONS)
    table = f"| state | event | next | meaning |\n|---|---|---|---|\n{rows}"
    return _PLACE.sub(lambda place: f"{place[1]}\n```mermaid\n{diagram()}\n```\n\n{table}\n\n{place[2]}", page)


def main(root: Path) -> None:
    """Write the page below `root`."""
    path = root / PAGE
    path.write_text(drawn(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path.cwd())
