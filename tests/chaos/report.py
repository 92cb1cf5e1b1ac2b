"""The tables in docs/reliability.md, made of results."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from chaos.faults import BY_NAME
from chaos.fences import Seen
from chaos.run import Result, percentile

REPORT = Path(__file__).parents[2] / "docs" / "reliability.md"

HEAD = """\
| fault | runs | lost | doubled | misordered | checkpoints off | from an old owner | recoveries | p50 s | p99 s | \
deadline s | pages redone at once, most | records aborted a run, most |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"""

FENCES_HEAD = """\
| takeover | without | what comes of it |
|---|---|---|"""


def fault_table(results: Sequence[Result]) -> str:
    """A row for each fault, in the order of the results, with all its seeds."""
    rows = [_row(name, list(runs)) for name, runs in groupby(results, key=lambda result: result.fault)]
    return "\n".join([HEAD, *rows, "", f"{len(results)} runs, {datetime.now(UTC):%Y-%m-%d}."])


def _row(name: str, runs: list[Result]) -> str:
    recoveries = [seconds for result in runs for seconds in result.recoveries_s]
    fault = BY_NAME[name]
    cells = [
        f"`{name}`: {fault.what}",
        f"{len(runs)}, seeds {min(result.seed for result in runs)}-{max(result.seed for result in runs)}",
        sum(result.lost for result in runs),
        sum(result.doubled for result in runs),
        sum(result.misordered for result in runs),
        sum(result.checkpoints_off for result in runs),
        sum(result.from_old_owner for result in runs),
        len(recoveries),
        f"{percentile(recoveries, 0.5):.1f}" if recoveries else "",
        f"{percentile(recoveries, 0.99):.1f}" if recoveries else "",
        f"{fault.recovers_within_s:.0f}",
        max(result.redone_at_once for result in runs),
        max(result.records_redone for result in runs),
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def fence_table(seen: Sequence[Seen]) -> str:
    """A row for each case, with what was seen of it."""
    rows = [f"| `{each.case.fault}` | {', '.join(each.case.without)} | {each} |" for each in seen]
    return "\n".join([FENCES_HEAD, *rows])


def write_report(results: Sequence[Result], seen: Sequence[Seen], report: Path = REPORT) -> None:
    """Put the tables between the report's marks. Raises `ValueError` where the marks are missing."""
    text = _between(report.read_text(), "chaos-table", fault_table(results))
    report.write_text(_between(text, "fence-table", fence_table(seen)))


def _between(text: str, name: str, table: str) -> str:
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, opened, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise ValueError(f"the report has no {begin} … {end}")
    return f"{before}{begin}\n{table}\n{end}{after}"
