"""`.env.example` and `docs/configuration.md` are what the settings say."""

from pathlib import Path

from google_drive_worker.config import Settings, load_settings
from google_drive_worker.config_reference import configuration_page, env_example, main

ROOT = Path(__file__).parents[3]
MEND = "run `python -m google_drive_worker.config_reference` in the root of the repository"


def test_both_files_are_up_to_date() -> None:
    """Whoever adds a setting regenerates the two files."""
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == env_example(), MEND
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == configuration_page(), MEND


def test_the_example_is_the_default_configuration() -> None:
    """Loading the example unchanged changes nothing, and it names every variable."""
    pairs = (line.split("=", 1) for line in env_example().splitlines() if "=" in line and not line.startswith("#"))
    assert load_settings(dict(pairs)) == Settings()
    assert all(f"{name.upper()}=" in env_example() for name in Settings.model_fields)


def test_the_writer_writes_both_files(tmp_path: Path) -> None:
    """The command leaves both files below the given root."""
    (tmp_path / "docs").mkdir()
    main(tmp_path)
    assert (tmp_path / ".env.example").read_text(encoding="utf-8") == env_example()
    assert (tmp_path / "docs" / "configuration.md").read_text(encoding="utf-8") == configuration_page()
