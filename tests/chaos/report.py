"""The table in docs/reliability.md, made of results."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from chaos.faults import BY_NAME
from chaos.run import Result, percentile

REPORT = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- chaos-table -->", "<!-- /chaos-table -->"

HEAD = """\
| fault | runs | lost | doubled | misordered | checkpoints off | from an old owner | recoveries | p50 s | p99 s | \
pages redone a run, most | records redone a run, most |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"""


def table(results: Sequence[Result]) -> str:
    """A row for each fault, in the order of the results."""
    rows = [_row(name, list(runs)) for name, runs in groupby(results, key=lambda result: result.fault)]
    return "\n".join([HEAD, *rows])


def _row(name: str, runs: list[Result]) -> str:
    recoveries = [seconds for result in runs for seconds in result.recoveries_s]
    cells = [
        f"`{name}`: {BY_NAME[name].what}",
        len(runs),
        sum(result.lost for result in runs),
        sum(result.doubled for result in runs),
        sum(result.misordered for result in runs),
        sum(result.checkpoints_off for result in runs),
        sum(result.from_old_owner for result in runs),
        len(recoveries),
        f"{percentile(recoveries, 0.5):.1f}" if recoveries else "",
        f"{percentile(recoveries, 0.99):.1f}" if recoveries else "",
        max(result.pages_redone for result in runs),
        max(result.records_redone for result in runs),
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def write_table(results: Sequence[Result], report: Path = REPORT) -> None:
    """Put the table between the report's marks, with its date. Raises `ValueError` where the marks are missing."""
    before, begin, rest = report.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{report} has no {BEGIN} … {END}")
    total = f"{len(results)} runs, {datetime.now(UTC):%Y-%m-%d}."
    report.write_text(f"{before}{BEGIN}\n{table(results)}\n\n{total}\n{END}{after}")
