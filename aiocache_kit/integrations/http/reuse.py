"""What a stored response is good for, for one request at one instant (RFC 9111, 4.2, 4.3 and 5.2.1; RFC 5861).

Rule: a directive of the response that forbids to give it once it is stale is stronger than all that allow it.
"""

from enum import Enum

from aiocache_kit.integrations.http.directives import NOTHING_SAID, RequestControl
from aiocache_kit.integrations.http.stored import NEVER_STALE, NO_CACHE, Stored


class Use(Enum):
    """What to do with a stored response."""

    GIVE = "give"
    """Give it."""
    GIVE_AND_ASK = "give and ask"
    """Give it, and make a new one behind the reader's back."""
    ASK = "ask"
    """Ask the application first: whether it still holds, or for a new one."""


def use_of(stored: Stored, control: RequestControl, now: float) -> Use:
    """Decide what to do with a stored response that fits the request."""
    if stored.flags & NO_CACHE:
        return Use.ASK
    left, needed = stored.born + stored.lifetime - now, 0
    if control is not NOTHING_SAID:
        if control.no_cache or _is_too_old(stored, control, now):
            return Use.ASK
        needed = control.min_fresh or 0
    if left > needed:
        return Use.GIVE
    if left > 0 or needed or stored.flags & NEVER_STALE:
        return Use.ASK
    if control.max_stale is not None and -left <= control.max_stale:
        return Use.GIVE
    return Use.GIVE_AND_ASK if -left < stored.revalidate_for else Use.ASK


def _is_too_old(stored: Stored, control: RequestControl, now: float) -> bool:
    return control.max_age is not None and (control.max_age == 0 or now - stored.born > control.max_age)


def may_stand_in(stored: Stored, control: RequestControl, now: float) -> bool:
    """Whether a stored response may be given because the application fails."""
    if stored.flags & (NEVER_STALE | NO_CACHE):
        return False
    allowed = max(stored.stand_in_for, float(control.stale_if_error or 0))
    left = stored.born + stored.lifetime - now
    return left > 0 or -left < allowed


def age(stored: Stored, now: float) -> int:
    """Give the value of the `Age` header, whole seconds from 0 up."""
    return max(int(now - stored.born), 0)


def time_left(stored: Stored, now: float) -> int:
    """Give for how many whole seconds it is fresh; negative: since when it is stale."""
    return int((stored.born + stored.lifetime - now) // 1)
