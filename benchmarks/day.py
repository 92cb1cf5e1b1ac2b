"""`python -m benchmarks.day`: what a change costs, edit by edit, and over a simulated day of a large Drive."""

from collections.abc import Iterator
from typing import Literal

import click
import msgspec
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

from benchmarks import day_course, day_table
from benchmarks.day_course import Day
from benchmarks.day_google import LOGS
from benchmarks.day_table import Line, Table
from benchmarks.day_worker import SyncCost

_WIDTH = 120
"""Of what is printed, in characters, where no terminal is wider."""


class DayReport(msgspec.Struct, frozen=True, kw_only=True):
    """All that was measured. `lines_over` and `day_over` name what does not hold; empty lists hold."""

    seed: int
    scale: float
    table: Table
    day: Day
    lines_over: list[tuple[str, bool, list[str]]]
    day_over: list[str]


@click.command()
@click.option("--scale", type=click.FloatRange(min=0.01), default=1.0, show_default=True, help="Size of the Drives.")
@click.option("--seed", default=1, show_default=True, help="Of the Drives and the edits.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def main(*, scale: float, seed: int, as_json: bool) -> None:
    """Measure what edits cost: records, quota units and calls of the sync that follows. No broker is needed."""
    run(scale=scale, seed=seed, as_json=as_json)


def run(*, scale: float, seed: int, as_json: bool) -> None:
    """Measure and print."""
    note = Console(stderr=True, quiet=as_json)
    note.print(f"seed {seed}, scale {scale:g}")
    with _progress(note) as progress:
        table = _measure_table(progress, seed, scale)
        day = _measure_day(progress, seed, scale)
    over = [(line.edit, line.restarted, line.broken) for line in table.lines]
    report = DayReport(seed=seed, scale=scale, table=table, day=day, lines_over=over, day_over=day.broken)
    if as_json:
        click.echo(msgspec.json.encode(report))
        return
    console = Console(width=max(_WIDTH, note.width))
    print_table(report.table, console)
    print_day(report.day, console)


def _measure_table(progress: Progress, seed: int, scale: float) -> Table:
    task = progress.add_task("the table", total=day_table.STEPS)

    def advance(text: str) -> None:
        progress.update(task, advance=1, description=text)

    return day_table.measure(seed, scale, advance)


def _measure_day(progress: Progress, seed: int, scale: float) -> Day:
    task = progress.add_task("the day", total=day_course.STEPS)

    def advance(text: str) -> None:
        progress.update(task, advance=1, description=text)

    return day_course.measure(seed, scale, advance)


def _progress(note: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        TimeElapsedColumn(),
        console=note,
        transient=True,
    )


def print_table(table: Table, console: Console) -> None:
    """Print the table for people: a line of its own after a restart only where the figures are others."""
    shown = RichTable(
        box=SIMPLE,
        title=f"One edit, then an incremental sync: {table.items:,} items, {table.shared_drives} shared drives, "
        f"{table.page_size:,} a page, seed {table.seed}",
        caption="In parentheses: at most. Logs: units of changes.list; further: all others.",
    )
    _add_columns(shown, "edit", "records", "logs", "further", "requests", "")
    for line in table.lines:
        if not line.restarted or line.edit in table.differing:
            _add_line(shown, line)
    console.print(shown)
    for line in table.lines:
        if not line.restarted:
            below = f" ({line.below})" if line.below else ""
            console.print(f"{line.edit}{below}: {_told(line.sync)}", highlight=False, soft_wrap=True)
    holding = sum(not line.broken for line in table.lines)
    console.print(f"{holding} of {len(table.lines)} lines hold, those after a restart counted apart")
    if table.differing:
        console.print(f"other figures after a restart: {', '.join(table.differing)}")
    else:
        console.print("after a restart with an empty state directory: the same figures, to the unit")


def _add_line(shown: RichTable, line: Line) -> None:
    cost, limit = line.sync.cost, line.limit
    name = "  after a restart" if line.restarted else line.edit
    log_limit = "" if limit.log_units is None else f" ({limit.log_units:,})"
    shown.add_row(
        name,
        f"{line.sync.record_count:,} ({limit.records:,})",
        f"{cost.log_units:,}{log_limit}",
        f"{cost.further_units:,} ({limit.further_units:,})",
        f"{cost.requests:,}",
        "holds" if not line.broken else "over: " + ", ".join(line.broken),
    )


def _told(sync: SyncCost) -> str:
    """Its records by kind, and the calls beside the logs, by method."""
    records = [f"{number:,} {kind}" for kind, number in sync.records.items()]
    calls = [f"{count:,} {method}" for method, count in sync.cost.calls.items() if method != LOGS]
    return f"{', '.join(records) or 'no records'}; {', '.join(calls) or 'no calls but for the logs'}"


def print_day(day: Day, console: Console) -> None:
    """Print the day for people."""
    shown = RichTable(
        box=SIMPLE,
        title=f"A day: {day.items:,} items, {day.shared_drives} shared drives, {day.edits:,} edits, seed {day.seed}",
    )
    _add_columns(shown, "kind of edit", "edits", "records", "least", "ratio", "units", "least units")
    for kind, each in day.kinds.items():
        ratio = "" if each.ratio is None else f"{each.ratio:.3f}"
        figures = (each.edits, each.records, each.least)
        shown.add_row(kind, *(f"{figure:,}" for figure in figures), ratio, f"{each.units:,}", f"{each.least_units:,}")
    console.print(shown)
    for text in _day_in_words(day):
        console.print(text, highlight=False, soft_wrap=True)


def _day_in_words(day: Day) -> Iterator[str]:
    syncs, cost, first = day.syncs, day.syncs.cost, day.first
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in syncs.records.items())
    yield f"{syncs.record_count:,} records: {kinds}"
    calls = ", ".join(f"{units:,} {method}" for method, units in cost.units_by_method.items())
    ratio = cost.units / day.least_units
    yield f"{cost.units:,} units, the least {day.least_units:,} ({ratio:.2f}), {cost.requests:,} requests: {calls}"
    state = f"{syncs.state_bytes:,} bytes of checkpoints and {syncs.items_bytes:,} of index entries"
    yield f"state written: {state}; by the first full sync {first.state_bytes:,} and {first.items_bytes:,}"
    hours, after = day_course.AFTERWARDS_S / 3600, day.afterwards
    yield f"in the {hours:g} hours after the last edit: {after.record_count:,} records, {after.cost.units:,} units"
    yield f"deleted and yet there: {day.wrong_deletes:,}"
    yield from day.wrong_delete_examples
    equal = "equal" if day.is_equal else f"NOT equal: {day.differences}"
    yield f"the mirror of {day.held:,} records is {equal}"
    yield from day.examples
    yield "the day holds" if not day.broken else f"the day does not hold: {', '.join(day.broken)}"
    if day.troubles:
        yield f"troubles: {day.troubles}"


def _add_columns(shown: RichTable, *names: str) -> None:
    """The first and a nameless one hold words, the others figures."""
    for place, name in enumerate(names):
        justify: Literal["left", "right"] = "right" if place and name else "left"
        shown.add_column(name, justify=justify, no_wrap=True, overflow="fold", min_width=len(name))


if __name__ == "__main__":
    main()
