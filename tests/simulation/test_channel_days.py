"""Ten simulated days of push: every connection is covered all the time, and no channel is leaked."""

from datetime import timedelta

import pytest

from simulation.channel_days import days_of

QUIET_DAYS = 2.0


@pytest.mark.parametrize("seed", range(1, 7))
async def test_ten_days_of_restarts_and_rebalances_leave_every_corpus_covered_and_no_channel_behind(seed: int) -> None:
    """At each step: what was watched once is watched, and whatever lives at Google is known to a committed state.

    Afterwards, with nothing going wrong, Google has one channel for each corpus, beside lost ones of drives that were
    left, of which nobody can tell how to stop them; once push is off and those have expired, none.
    """
    with days_of(seed, moves=seed % 2 == 0) as days:
        await days.begin()
        await days.pass_days(10)
        expected = {"moved", "crashed", "refused", "answer lost", "paused", "left"}
        assert expected | ({"readdressed"} if days.moves else set()) <= set(+days.seen)

        days.is_quiet, days.off = True, set()
        await days.pass_days(QUIET_DAYS)
        days.check()
        assert days.superfluous() == [], days.states

        days.off = set(days.states)
        await days.pass_days(timedelta(days=8) / timedelta(days=1))
        assert days.living() == []
        assert days.known() == set()
        counts = days.simulator.channels.counts().values()
        assert sum(each["made"] for each in counts) == sum(each["stopped"] + each["expired"] for each in counts)
