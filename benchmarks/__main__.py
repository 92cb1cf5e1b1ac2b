"""`python -m benchmarks`: the worker beside the floor and the common stack, alternating, in one run."""

import statistics
import subprocess
import sys
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks import calls, content, day, fairness, full_path, latency, restore, split
from benchmarks.calls import Calls
from benchmarks.content import Contents
from benchmarks.fairness import Fairness
from benchmarks.full_path import Memory
from benchmarks.latency import Latencies
from benchmarks.measure import Result
from benchmarks.pages import PAGE_SIZE
from benchmarks.restore import Restore
from benchmarks.split import Split
from benchmarks.surroundings import Surroundings, fresh_topics, surroundings

RUN_S = 300.0
"""For one run of one variant."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that was measured. Ratios are of records a processor second, medians of the runs, except where named wall."""

    files: int
    rounds: int
    runs: list[Result]
    worker_to_floor: float
    worker_to_floor_wall: float
    worker_to_floor_batched: float
    worker_to_floor_batched_with_headers: float
    worker_to_common_stack: float
    worker_to_common_stack_wall: float
    latencies: Latencies | None = None
    memory: list[Memory] = []
    splits: list[Split] = []
    calls: list[Calls] = []
    contents: Contents | None = None
    fairness: list[Fairness] = []
    restore: Restore | None = None


@click.command()
@click.option("--quick", is_flag=True, help="Fewer files: about 90 seconds.")
@click.option("--files", type=click.IntRange(min=PAGE_SIZE), help="Files a run, in whole pages of 1,000.")
@click.option("--rounds", default=3, show_default=True, help="Runs of each variant.")
@click.option("--memory", is_flag=True, help="Also sync 1, 2 and 5 million files, and look at memory. Takes minutes.")
@click.option("--split", "split_too", is_flag=True, help="Also list a million files at a second a page, in parts.")
@click.option("--fairness", "fair", is_flag=True, help="Also sync 40 Drives on two workers. Takes three minutes.")
@click.option("--restore", "idle", is_flag=True, help="Also start a worker with 10,000 idle connections.")
@click.option("--day", "day_alone", is_flag=True, help="Instead measure what changes cost, and a day. No broker.")
@click.option("--scale", type=click.FloatRange(min=0.01), default=1.0, help="With --day: the size of its Drives.")
@click.option("--seed", default=1, help="With --day: of its Drives and edits.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def main(
    *,
    quick: bool,
    files: int | None,
    rounds: int,
    memory: bool,
    split_too: bool,
    fair: bool,
    idle: bool,
    day_alone: bool,
    scale: float,
    seed: int,
    as_json: bool,
) -> None:
    """Measure the full path (HTTP, decode, normalize, transactions) beside its floor and the stack most would pick.

    All of it runs on this machine against one prepared page server and one real broker (KAFKA_BOOTSTRAP_SERVERS, or
    one of its own, for which Java and Maven are needed). Absolute figures depend on the machine: trust the ratios.
    """
    if day_alone:
        day.run(scale=scale, seed=seed, as_json=as_json)
        return
    files = files or (100_000 if quick else 300_000)
    note = Console(stderr=True, quiet=as_json)
    found: dict[str, Any] = {}
    try:
        with surroundings() as around:
            found["runs"] = _compare(around, files, rounds, note)
            note.print("latency …")
            found["latencies"] = latency.run(around, 3 if quick else 9)
            note.print("calls …")
            found["calls"] = [calls.run(around, 10_000), calls.run(around, 10_000, synced=calls.EVERYTHING)]
            note.print("contents …")
            found["contents"] = content.run(around)
            note.print("a listing in parts …")
            found["splits"] = [split.run(around, 50_000, page_size=100, latency_ms=100)]
            if split_too:
                found["splits"].append(split.run(around, 1_000_000, page_size=PAGE_SIZE, latency_ms=1_000))
            for millions in (1, 2, 5) if memory else ():
                note.print(f"memory, {millions} million files …")
                found.setdefault("memory", []).append(full_path.run_memory(around, millions * 1_000_000))
            if idle:
                note.print("restore …")
                found["restore"] = restore.run(around)
        if fair:
            found["fairness"] = fairness.run_both()
    finally:  # what was measured before something failed took its time as well
        if "runs" in found:
            report = msgspec.structs.replace(_report(files, rounds, found.pop("runs")), **found)
            if as_json:
                click.echo(msgspec.json.encode(report))
            else:
                _print(report, Console())


def _compare(around: Surroundings, files: int, rounds: int, note: Console) -> list[Result]:
    """The variants in turn, so that what else the machine does strikes them all alike."""
    _other(around, "benchmarks.floor", files)  # the broker's own warming up
    runs = []
    for number in range(rounds):
        note.print(f"round {number + 1} of {rounds} …")
        runs.append(_other(around, "benchmarks.floor", files))
        runs.append(full_path.run(around, files))
        runs.append(_other(around, "benchmarks.floor", files, "batched"))
        runs.append(_other(around, "benchmarks.floor", files, "batched", "headers"))
        runs.append(_other(around, "benchmarks.common_stack", max(PAGE_SIZE, files // 10)))
    return runs


def _other(around: Surroundings, module: str, files: int, *arguments: str) -> Result:
    around.serve(files)
    with fresh_topics(around.bootstrap_servers) as topics:
        command = [sys.executable, "-m", module, around.origin, around.bootstrap_servers, topics.name("data")]
        command += arguments
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=RUN_S)
    found = msgspec.json.decode(done.stdout, type=Result)
    if found.records != files // PAGE_SIZE * PAGE_SIZE:
        raise RuntimeError(f"{module}: {files} files were listed, and {found.records} records written")
    return found


def _report(files: int, rounds: int, runs: list[Result]) -> Report:
    def median(variant: str, measure: str) -> float:
        return float(statistics.median(getattr(run, measure) for run in runs if run.variant == variant))

    def ratio(other: str, measure: str) -> float:
        return round(median("worker", measure) / median(other, measure), 3)

    return Report(
        files=files,
        rounds=rounds,
        runs=runs,
        worker_to_floor=ratio("floor", "per_cpu_second"),
        worker_to_floor_wall=ratio("floor", "per_second"),
        worker_to_floor_batched=ratio("floor, batched", "per_cpu_second"),
        worker_to_floor_batched_with_headers=ratio("floor, batched, headers", "per_cpu_second"),
        worker_to_common_stack=ratio("common stack", "per_cpu_second"),
        worker_to_common_stack_wall=ratio("common stack", "per_second"),
    )


def _print(report: Report, console: Console) -> None:
    table = Table(title=f"{report.files:,} files, {PAGE_SIZE:,} a page; medians of {report.rounds} runs")
    for name in ("", "records/s", "records/CPU s", "CPU µs/record", "peak MB"):
        table.add_column(name, justify="right" if name else "left")
    for variant in ("floor", "floor, batched", "floor, batched, headers", "worker", "common stack"):
        runs = [run for run in report.runs if run.variant == variant]
        columns = ("per_second", "per_cpu_second", "cpu_us", "peak_mb")
        middle = [statistics.median(getattr(run, column) for run in runs) for column in columns]
        table.add_row(variant, f"{middle[0]:,.0f}", f"{middle[1]:,.0f}", f"{middle[2]:.1f}", f"{middle[3]:.0f}")
    console.print(table)
    for name, ratio, target in (
        ("floor", report.worker_to_floor, 0.60),
        ("floor with our batching", report.worker_to_floor_batched, None),
        ("floor with our batching and headers", report.worker_to_floor_batched_with_headers, 0.60),
        ("common stack", report.worker_to_common_stack, 7.0),
    ):
        _line(console, f"worker / {name}, records a CPU second", ratio, at_least=target)
    peak = max(run.peak_mb for run in report.runs if run.variant == "worker")
    _line(console, "peak memory, MB", peak, at_most=250.0)
    if report.latencies is not None:
        page_ms = report.latencies.page_ms
        _line(console, "trigger to first record of a full sync, ms", report.latencies.opened_ms, at_most=2 * page_ms)
        console.print(f"trigger to first file of a full sync, ms: {report.latencies.first_file_ms:.2f}")
        _line(
            console,
            "trigger to record of a one-change incremental, ms",
            report.latencies.incremental_ms,
            at_most=3 * page_ms + 150,
        )
    for each in report.splits:
        name = f"{each.files:,} files at {each.latency_ms:g} ms a page in parts, share of {each.sequential_s:.0f} s"
        _line(console, name, each.share, at_most=1 / 8)
        console.print(f"  {each.seconds:.1f} s, {each.pages_in_vain} pages in vain")
    for asked in report.calls:
        _print_calls(asked, console)
    if (stored := report.contents) is not None:
        console.print(
            f"{stored.files:,} files with contents, one of {stored.large_mb:,.0f} MB: {stored.objects:,} objects, "
            f"{stored.stored_mb:,.0f} MB in {stored.seconds:.1f} s"
        )
        _line(console, "peak memory with contents, MB", stored.peak_mb, at_most=300.0)
    for memory in report.memory:
        console.print(
            f"{memory.files:>10,} files: {memory.tenth_mb:.0f} MB after a tenth, {memory.end_mb:.0f} MB at the end, "
            f"{memory.peak_mb:.0f} MB at most"
        )
    if (idle := report.restore) is not None:
        console.print(
            f"{idle.connections:,} idle connections ({idle.state_mb:.1f} MB of state, read in {idle.read_s:.2f} s): "
            f"ready after {idle.ready_s:.1f} s ({idle.ready_without_s:.1f} s without any), "
            f"{idle.resident_mb:.0f} MB ({idle.resident_without_mb:.0f} MB without); "
            f"a trigger for one of them is served in {idle.served_s * 1000:.0f} ms"
        )
    for fair in report.fairness:
        _print_fairness(fair, console)


def _print_calls(each: Calls, console: Console) -> None:
    console.print(
        f"{each.items:,} items with {each.synced.replace(',', ', ')}, {each.latency_ms:g} ms a call: "
        f"{each.records:,} records in {each.seconds:.1f} s, {each.requests} HTTP requests "
        f"(a call for each resource: {each.naive_requests:,}), {each.units:,} quota units ({each.naive_units:,})"
    )
    if each.synced == calls.PERMISSIONS:
        _line(console, "HTTP requests", float(each.requests), at_most=150.0)
        _line(console, "records a second", each.per_second, at_least=2_000.0)
    else:
        _line(console, "calls for each HTTP request", each.naive_requests / each.requests, at_least=50.0)
    share = each.permission_units / each.naive_permission_units
    _line(console, "quota units for permissions, share of a call for each item", share, at_most=0.1)


def _print_fairness(fair: Fairness, console: Console) -> None:
    console.print(
        f"{fair.connections} connections of {fair.files:,} files in all on {fair.workers} workers: "
        f"{fair.seconds:.1f} s, {fair.per_second:,.0f} records/s; "
        f"Jain's index {fair.jain_least:.3f} at the least, {fair.jain:.3f} on average"
    )
    beside_one = "no" if fair.small_beside_one_s is None else f"{fair.small_beside_one_s:.2f}"
    beside_all = ", ".join(f"{each:.2f}" for each in fair.small_beside_all_s)
    console.print(
        f"a full sync of {fairness.SMALL_FILES} files: {fair.small_alone_s:.2f} s alone, "
        f"{beside_one} s beside a huge one, {beside_all} s beside all"
    )


def _line(console: Console, name: str, value: float, **target: Any) -> None:
    low, high = target.get("at_least"), target.get("at_most")
    if low is None and high is None:
        console.print(f"{name}: {value:.2f}")
        return
    reached = (low is None or value >= low) and (high is None or value <= high)
    aim = f"at least {low:g}" if low is not None else f"at most {high:g}"
    console.print(f"{name}: {value:.2f} (target: {aim}) {'reached' if reached else 'NOT reached'}")


if __name__ == "__main__":
    main()
