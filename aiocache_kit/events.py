"""What a provider tells of what it does, to whoever listens: values that say that something happened, and how.

An event never holds a value. It holds the key only if the listener asked for keys; otherwise it has the key's *group*:
a name out of a bounded number of them, such as ``user:{user_id}``, fit for the label of a metric.

    Event
    +-- KeyEvent
    |   +-- Hit
    |   |   +-- StaleHit
    |   +-- Miss
    |   +-- Load
    |   +-- Refresh
    |   +-- Removal
    +-- Failure
    +-- CircuitChange
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final


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
    REMOVAL = "removal"
    """A storage in this process has let an item go."""
    FAILURE = "failure"
    """The storage failed, were it behind a caller's back."""
    CIRCUIT = "circuit"
    """A layer, a node or a server is left alone from now on, tried again, or back."""


READS: Final = frozenset({EventKind.HIT, EventKind.STALE_HIT, EventKind.MISS})
"""The kinds of which there may be very many, and of which a sample can be asked for."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something happened."""

    kind: ClassVar[EventKind]
    at: float
    """When: seconds since the epoch (UTC), by the provider's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEvent(Event):
    """Something happened to one key, or to several that were loaded by one call."""

    namespace: str = ""
    """The names of the namespaces that the key lies in, the outermost first, with ``:`` between them; "": the root."""
    group: str = ""
    """The group of the key, never the key."""
    key: str | None = None
    """The key as its users write it, where the listener asked for keys; None otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit(KeyEvent):
    """A read got a value."""

    kind = EventKind.HIT
    weight: int = 1
    """How many reads this one stands for; above 1 where the listener asked for a sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleHit(Hit):
    """A read got an old value."""

    kind = EventKind.STALE_HIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss(KeyEvent):
    """A read found no value."""

    kind = EventKind.MISS
    weight: int = 1
    """How many reads this one stands for; above 1 where the listener asked for a sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load(KeyEvent):
    """A loader has ended; `group` and `key` are those of the first of its keys."""

    kind = EventKind.LOAD
    seconds: float
    """How long it took."""
    keys: int = 1
    """How many keys it was to load."""
    error: str = ""
    """The name of the class of what it raised; "": it succeeded."""

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return not self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh(KeyEvent):
    """A load was begun in the background."""

    kind = EventKind.REFRESH


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal(KeyEvent):
    """A storage in this process has let an item go. Clearing everything lets items go without telling of each."""

    kind = EventKind.REMOVAL
    cause: RemovalCause
    layer: str = ""
    """The layer or node that let it go, as `Stats.layers` calls it; inner ones after a ``/``; "": the only storage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(Event):
    """Something went wrong on the way."""

    kind = EventKind.FAILURE
    doing: str
    """What was being done: the name of a call that raised, such as ``get``, or what its caller did not see: ``store``,
    ``remove``, ``tidy``, ``sync`` or ``background load``."""
    error: str
    """The name of the class of the error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitChange(Event):
    """A circuit breaker has another state."""

    kind = EventKind.CIRCUIT
    layer: str
    """The layer, node or server that it leads to, as `Stats.layers` calls it; inner ones after a ``/``."""
    state: CircuitState
