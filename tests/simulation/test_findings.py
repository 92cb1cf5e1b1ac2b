"""What the simulation finds wrong is told by kind where lists and logs are unkind on purpose."""

import re

import pytest

from simulation.__main__ import main
from simulation.findings import Broken, Findings


@pytest.mark.parametrize("mode", ["lag", "missed", "late-logs", "views"])
def test_the_command_tells_by_kind_what_is_wrong(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    """At its end, and for each seed; it fails where anything was."""
    status = main(["--mode", mode, "--steps", "1200", "--run-steps", "400", "--seed", "1", "--keep-going"])
    *others, last = capsys.readouterr().out.splitlines()
    kinds = last.removeprefix("wrong, by kind: ")
    assert re.fullmatch(r"nothing|[^,]+: \d+(, [^,]+: \d+)*", kinds), last
    assert status == (kinds != "nothing") == any(line.startswith("seed ") for line in others)


def test_findings_are_counted_once_for_each_resource() -> None:
    """By kind, however often they were found."""
    findings = Findings(counted=True)
    for _ in range(2):
        findings.report([("missing file", "a"), ("missing file", "b"), ("unexpected folder", "a")], "settled")
    findings.note_end(Broken("not settled within 3 steps", "not settled"))
    assert findings.by_kind == {"missing file": 2, "unexpected folder": 1, "ended: not settled": 1}


def test_the_first_finding_ends_a_run_that_counts_none() -> None:
    """With what is known of it; where nothing is found nothing happens."""
    findings = Findings()
    findings.report([], "settled: 0 differences")
    with pytest.raises(Broken, match="settled: 1 differences") as broken:
        findings.report([("missing file", "a")], "settled: 1 differences: missing file a")
    assert broken.value.kind == "missing file"
