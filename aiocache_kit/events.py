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
    |   +-- Refusal
    |   +-- Removal
    +-- Failure
    +-- CircuitChange
"""

from dataclasses import dataclass
from typing import ClassVar

from aiocache_kit.event_kinds import READS, CircuitState, EventKind, RefusalCause, RemovalCause

__all__ = [
    "READS",
    "CircuitChange",
    "CircuitState",
    "Event",
    "EventKind",
    "Failure",
    "Hit",
    "KeyEvent",
    "Load",
    "Miss",
    "Refresh",
    "Refusal",
    "RefusalCause",
    "Removal",
    "RemovalCause",
    "StaleHit",
]


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
class Refusal(KeyEvent):
    """A load was not begun, or a call not made, because there were too many.

    Of a load, `group` and `key` are those of the first of its keys; an old value may have been given in its place. Of a
    call that a rate limit refused there is no key, and whose it was is not told.
    """

    kind = EventKind.REFUSAL
    cause: RefusalCause


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
