"""`PYTHONPATH=tests python -m benchmarks.push`: edits that arrive by push, and how long each takes to a record.

Simulated Google at 100 ms a call, the proxy, a real broker and the worker, the last three in processes of their own.
It stands on the stage of the integration tests, so that the figures are of what these prove.
"""

import tempfile
from pathlib import Path

import click

from benchmarks.surroundings import broker
from drive_simulator.corpus.generator import CorpusPlan, generate
from support.mirroring import FIRST, staged
from support.push import channels_of, edits_by_push, proxy_process, push_settings
from support.topics import create_topics, delete_topics

LATENCY_MS = 100.0


@click.command()
@click.option("--edits", default=1_000, show_default=True, type=click.IntRange(min=1))
@click.option("--per-second", default=50.0, show_default=True, type=click.FloatRange(min=0.1))
def main(*, edits: int, per_second: float) -> None:
    """Make edits at a pace, trigger nothing, and print the latency from each to its committed record."""
    with tempfile.TemporaryDirectory(prefix="gdw-push-") as directory, broker() as servers:
        topics = create_topics(servers)
        world = generate(CorpusPlan(files=500))
        try:
            with (
                staged(world, topics, Path(directory), latency_ms=LATENCY_MS, push=True) as stage,
                proxy_process(stage.environment) as address,
                stage.worker(push_settings(address)) as worker,
            ):
                stage.trigger(FIRST, "full_sync")
                worker.wait_until(
                    lambda: bool(found := channels_of(stage)) and all(each.get("last_number") for each in found),
                    "channels stand",
                )
                stage.settle(FIRST)
                before = stage.simulator.counters.requests
                made = edits_by_push(stage, edits, per_second=per_second)
                calls = stage.simulator.counters.requests - before
                stage.settle(FIRST)
                stage.assert_equal()
        finally:
            delete_topics(topics)
    p50, p99, worst = (made.quantile_s(share) * 1000 for share in (0.5, 0.99, 1.0))
    click.echo(f"{edits:,} edits at {per_second:g} a second, {LATENCY_MS:g} ms a call: all there, the mirror is equal")
    click.echo(
        f"edit to committed record, ms: p50 {p50:.0f}, p99 {p99:.0f}, worst {worst:.0f}; {calls:,} HTTP requests"
    )


if __name__ == "__main__":
    main()
