"""The tables of docs/reliability.md."""

from pathlib import Path

import pytest

from chaos.fences import Case, Seen
from chaos.report import REPORT, fault_table, fence_table, write_report
from chaos.run import Result

RESULTS = [
    Result("frozen", 1, lost=1, recoveries_s=(2.0, 4.0), redone_at_once=3),
    Result("frozen", 2, doubled=2, recoveries_s=(3.0,), records_redone=7),
]


def test_a_fault_has_a_row_with_the_sums_of_all_its_seeds() -> None:
    """What was counted is added up, recovery is given by its median and its 99th percentile."""
    row = next(line for line in fault_table(RESULTS).splitlines() if line.startswith("| `frozen`"))
    assert row.split(" | ")[1:] == ["2, seeds 1-2", "1", "2", "0", "0", "0", "3", "3.0", "4.0", "30", "3", "7 |"]


def test_a_case_without_a_fence_has_a_row_with_what_came_of_it() -> None:
    """Counts that broke, a takeover that took too long, or nothing."""
    doubled = Seen(Case("late-commit", ("order", "stable"), "doubled"), Result("late-commit", 1, doubled=4))
    late = Seen(Case("late-commit", ("transactional_id",), "takeover"), None, "the takeover: not within 20 s")
    held = Seen(Case("late-commit", ("stable",)), Result("late-commit", 1))
    assert all(seen.as_expected for seen in (doubled, late, held))
    rows = fence_table([doubled, late, held]).splitlines()[2:]
    assert [row.split(" | ")[2] for row in rows] == [
        "doubled 4 |",
        "not taken over in time |",
        "nothing: the other fences hold |",
    ]


def test_the_report_keeps_what_is_around_its_tables(tmp_path: Path) -> None:
    """Twice written is as once; a report without the marks is not touched."""
    report = tmp_path / "reliability.md"
    report.write_text(REPORT.read_text())
    write_report(RESULTS, [], report)
    once = report.read_text()
    write_report(RESULTS, [], report)
    assert report.read_text() == once
    assert once.startswith("# Reliability")
    assert "## What is not tried" in once
    report.write_text("nothing here")
    with pytest.raises(ValueError, match="no <!-- chaos-table -->"):
        write_report(RESULTS, [], report)
