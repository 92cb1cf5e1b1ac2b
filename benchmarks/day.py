"""`python -m benchmarks.day`: what a change costs, edit by edit, and over a simulated day of a large Drive."""

import secrets

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as RichTable

from benchmarks import day_table
from benchmarks.day_table import Line, Table


class DayReport(msgspec.Struct, frozen=True, kw_only=True):
    """All that was measured."""

    seed: int
    scale: float
    table: Table | None = None


@click.command()
@click.option("--scale", type=click.FloatRange(min=0.01), default=1.0, show_default=True, help="Size of the Drives.")
@click.option("--seed", type=int, help="Of the Drives and the edits; drawn and printed where it is not given.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def main(*, scale: float, seed: int | None, as_json: bool) -> None:
    """Measure what edits cost: records, quota units and calls of the sync that follows. No broker is needed."""
    run(scale=scale, seed=seed, as_json=as_json)


def run(*, scale: float, seed: int | None, as_json: bool) -> None:
    """Measure and print."""
    seed = secrets.randbelow(10_000) if seed is None else seed
    note = Console(stderr=True, quiet=as_json)
    note.print(f"seed {seed}, scale {scale:g}")
    with _progress(note) as progress:
        report = DayReport(seed=seed, scale=scale, table=_measure_table(progress, seed, scale))
    if as_json:
        click.echo(msgspec.json.encode(report))
        return
    console = Console()
    if report.table is not None:
        print_table(report.table, console)


def _measure_table(progress: Progress, seed: int, scale: float) -> Table:
    task = progress.add_task("the table", total=day_table.STEPS)

    def advance(text: str) -> None:
        progress.update(task, advance=1, description=text)

    return day_table.measure(seed, scale, advance)


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
    """Print the table for people."""
    shown = RichTable(
        title=f"One edit, then one incremental sync: {table.items:,} items, {table.shared_drives} shared drives, "
        f"{table.page_size:,} a page"
    )
    shown.add_column("edit")
    shown.add_column("records")
    for name in ("at most", "log units", "further units", "at most", "requests"):
        shown.add_column(name, justify="right")
    shown.add_column("further calls")
    shown.add_column("")
    for line in table.lines:
        _add_line(shown, line)
    console.print(shown)
    holding = sum(not line.broken for line in table.lines)
    console.print(f"{holding} of {len(table.lines)} lines hold")
    if table.differing:
        console.print(f"other figures after a restart: {', '.join(table.differing)}")
    else:
        console.print("after a restart: the same figures, to the unit")


def _add_line(shown: RichTable, line: Line) -> None:
    sync, cost = line.sync, line.sync.cost
    name = "  after a restart" if line.restarted else line.edit + (f" ({line.below})" if line.below else "")
    further = {method: count for method, count in cost.calls.items() if method != "changes.list"}
    shown.add_row(
        name,
        ", ".join(f"{number:,} {kind}" for kind, number in sync.records.items()) or "0",
        f"{line.limit.records:,}",
        f"{cost.log_units:,}",
        f"{cost.further_units:,}",
        f"{line.limit.further_units:,}",
        f"{cost.requests:,}",
        ", ".join(f"{count:,} {method}" for method, count in further.items()),
        "holds" if not line.broken else "over: " + ", ".join(line.broken),
    )


if __name__ == "__main__":
    main()
