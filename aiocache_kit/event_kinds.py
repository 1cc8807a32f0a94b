"""The kinds of events and what they tell, as words: what everybody knows who has something to tell.

Rule: the events themselves are in `aiocache_kit.events`, which is loaded when somebody listens: making a dozen classes
takes a third as long as importing all the rest.
"""

from enum import StrEnum
from typing import Final


class EventKind(StrEnum):
    """The kinds of events, by which a listener chooses."""

    HIT = "hit"
    """A read got a value that is not old."""
    STALE_HIT = "stale_hit"
    """A read got an old value, because its policy says so."""
    MISS = "miss"
    """A read found no value; a load may follow."""
    LOAD = "load"
    """A loader has ended."""
    REFRESH = "refresh"
    """A load was begun in the background, behind a value that was given."""
    REFUSAL = "refusal"
    """A load was not begun, or a call not made, because there were too many."""
    REMOVAL = "removal"
    """A storage in this process has let an item go."""
    FAILURE = "failure"
    """The storage failed, were it behind a caller's back."""
    CIRCUIT = "circuit"
    """A layer, a node or a server is left alone from now on, tried again, or back."""


READS: Final = frozenset({EventKind.HIT, EventKind.STALE_HIT, EventKind.MISS})
"""The kinds of which there may be very many, and of which a sample can be asked for."""


class RefusalCause(StrEnum):
    """Why something was refused."""

    OVERLOADED = "overloaded"
    """A load: as many as may be are under way, and as many as may wait do (`LoadConfig.max_loads`)."""
    RATE_LIMITED = "rate limited"
    """A call: its caller has no token left (`Provider.limited`)."""


class RemovalCause(StrEnum):
    """Why an item was let go."""

    EVICTED = "evicted"
    """Others needed its room."""
    EXPIRED = "expired"
    """Its time was over; told when its room is freed, which may be a while later."""
    DELETED = "deleted"
    """Somebody removed it by its key, or by a prefix."""
    INVALIDATED = "invalidated"
    """One of its tags was invalidated; told when its room is freed."""
    REPLACED = "replaced"
    """Another value was stored under its key."""


class CircuitState(StrEnum):
    """What a circuit breaker does from now on."""

    CLOSED = "closed"
    """It lets all calls through."""
    OPEN = "open"
    """It lets none through."""
    HALF_OPEN = "half open"
    """It lets one through, to see how that ends."""
