"""The README tells of all that there is, and what the pages point to exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def test_the_table_of_rooms_names_every_room() -> None:
    """Every package and module of the worker stands in it, and none that is gone."""
    table = README.partition("| where | what |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(?:src/google_drive_worker|…)/(\w+)`", table))
    worker = ROOT / "src" / "google_drive_worker"
    rooms = {each.stem for each in worker.glob("*.py")} | {each.parent.name for each in worker.glob("*/__init__.py")}
    assert named == rooms - {"__init__", "__main__"}
    packages = {each.parent.name for each in (ROOT / "src").glob("*/__init__.py")}
    assert all(f"`src/{each}" in table for each in packages)


def test_the_readme_leads_to_every_page() -> None:
    """Nobody has to look through the folder to know what is written."""
    linked = {ROOT / target for target in _LINK.findall(README)}
    assert set((ROOT / "docs").glob("*.md")) <= linked


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_points_to_is_there(page: Path) -> None:
    """Links between the pages lead somewhere."""
    assert [target for target in _LINK.findall(page.read_text()) if not (page.parent / target).exists()] == []
