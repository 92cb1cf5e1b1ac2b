"""Page tokens that make progress: a listing whose tokens go in a circle is noticed, in constant space.

Theory of operation. Proxies and faults at Google were seen to answer one token for ever, and a circle of several is as
endless. The last few tokens that pages were asked with are kept as digests: a token that leads back to one of them is
noticed at once. R. P. Brent's algorithm ("An improved Monte Carlo factorization algorithm", 1980) keeps one more, and
replaces it at each power of two: so a circle of any length is noticed before it is gone through four times. A listing
that stalls starts over from its last good place, `STALLS_AT_ONCE` times; then it is a gap.
"""

from hashlib import blake2b

from google_drive_worker.domain.ids import PageToken
from google_drive_worker.sync.checkpoint import Trail
from google_drive_worker.utils.errors import NoProgress

STALLS_AT_ONCE = 3
"""How many times one listing starts over within a sync because its tokens make no progress."""

RECENT_KEPT = 8
"""How many of the last tokens are kept: circles up to that length are noticed at once."""


def follow(trail: Trail, asked: PageToken | None, token: PageToken | None) -> Trail | None:
    """Return the trail after a page that was asked for with a token; `token` is where the listing is to go on.

    `None` where a page was asked for with that token before.
    """
    if asked is not None:
        digest, steps = _digest(asked), trail.steps + 1
        mark = digest if steps & (steps - 1) == 0 else trail.mark
        trail = Trail(steps, mark, (*trail.recent, digest)[-RECENT_KEPT:], trail.stalls)
    if token is not None and _digest(token) in {trail.mark, *trail.recent}:
        return None
    return trail


def _digest(token: PageToken) -> str:
    return blake2b(token.encode(), digest_size=6).hexdigest()


def stalled(trail: Trail) -> Trail:
    """Return the trail of a listing that starts over because its tokens made no progress."""
    return Trail(stalls=trail.stalls + 1)


def is_given_up(trail: Trail) -> bool:
    """Whether the listing has started over as often as it may in one sync."""
    return trail.stalls > STALLS_AT_ONCE


def no_progress(what: str) -> NoProgress:
    """Return the error of a listing that is ended, in whose text `what` names the listing."""
    return NoProgress(f"Google's page tokens for {what} go in a circle; it is read again later")
