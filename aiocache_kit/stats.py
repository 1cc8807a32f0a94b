"""What a provider has done so far, as a value that no longer changes.

Rule: counters only grow, so the difference of two `Stats` tells what happened in between; `size`, `items` and
`waiting_loads` are states and keep the newer reading in a difference. Sums are kept rather than means, so that means of
a difference are right.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final

LOAD_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds up to which loads are counted together, in `Stats.load_buckets`."""
_NO_LOADS: Final = (0,) * (len(LOAD_BOUNDS) + 1)
_STATES: Final = frozenset({"size", "items", "counted", "waiting_loads", "layers", "share", "health", "load_buckets"})
_NO_LAYERS: Final[Mapping[str, "Stats"]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Counters since the provider was made. Durations are seconds, `size` is bytes, `hit_rate` is 0 to 1."""

    hits: int = 0
    """Reads that got a value, stale ones included."""
    misses: int = 0
    size: int = 0
    """Bytes held, as estimated or told by `cost`; 0 where the storage is not bounded in bytes, and counts none."""
    items: int = 0
    """Entries held; those that have expired and are not swept yet included."""
    counted: bool = True
    """Whether that is known. False: the storage, such as Redis, cannot tell cheaply; `items` and `size` are 0 then."""
    evictions: int = 0
    expired: int = 0
    errors: int = 0
    loads: int = 0
    load_failures: int = 0
    coalesced: int = 0
    """Callers that got their value from a load that was already under way."""
    shed_loads: int = 0
    """Loads that were not begun, because too many waited already (`OverloadedError`, or an old value in its place)."""
    waiting_loads: int = 0
    """Loads of the whole provider that wait for room at this moment; 0 where loads are not bounded."""
    refused_calls: int = 0
    """Calls that a rate limit has refused (`RateLimitedError`), whoever made them."""
    stale_hits: int = 0
    refreshes: int = 0
    sets: int = 0
    deletes: int = 0
    load_time: float = 0.0
    """Seconds spent in loaders, those that failed included."""
    load_buckets: tuple[int, ...] = _NO_LOADS
    """For each of `LOAD_BOUNDS`, how many loads took so long at most, and longer than the one before; then the rest."""
    get_time: float = 0.0
    """Seconds of the reads that were timed; see `timed_gets`."""
    timed_gets: int = 0
    """How many reads were timed: a sample, because timing a read from memory would cost as much as the read."""
    share: float = 1.0
    """Of a part of a composite storage: the share of all keys that belong to it first; 1.0 for all others."""
    health: float = 1.0
    """Of a part of a composite storage: 1.0 while it works, 0.5 while it catches up, 0.0 while it is left alone."""
    missed: int = 0
    """Of a part of a composite storage: changes that did not reach it, and that it has to make up for."""
    layers: Mapping[str, "Stats"] = field(default_factory=lambda: _NO_LAYERS)
    """The parts of a composite storage by name; empty for others."""

    @property
    def hit_rate(self) -> float:
        """The share of reads that got a value, 0 to 1; 0.0 before the first read."""
        reads = self.hits + self.misses
        return self.hits / reads if reads else 0.0

    @property
    def average_load_time(self) -> float:
        """Mean seconds of a load; 0.0 before the first one."""
        return self.load_time / self.loads if self.loads else 0.0

    @property
    def average_get_time(self) -> float:
        """Mean seconds of a timed read; 0.0 before the first one."""
        return self.get_time / self.timed_gets if self.timed_gets else 0.0

    def __sub__(self, earlier: "Stats") -> "Stats":
        """What happened since `earlier`, a reading of the same provider."""
        changes: dict[str, Any] = {
            each.name: getattr(self, each.name) - getattr(earlier, each.name)
            for each in fields(self)
            if each.name not in _STATES
        }
        changes["load_buckets"] = tuple(
            now - before for now, before in zip(self.load_buckets, earlier.load_buckets, strict=True)
        )
        layers = {name: now - earlier.layers.get(name, Stats()) for name, now in self.layers.items()}
        states = {name: getattr(self, name) for name in _STATES - {"layers", "load_buckets"}}
        return Stats(layers=MappingProxyType(layers), **states, **changes)

    def as_dict(self) -> dict[str, object]:
        """Everything as plain values, the three derived figures included; fit for JSON."""
        plain: dict[str, object] = {
            each.name: getattr(self, each.name) for each in fields(self) if each.name != "layers"
        }
        for name in ("hit_rate", "average_load_time", "average_get_time"):
            plain[name] = getattr(self, name)
        plain["load_buckets"] = dict(zip([*map(str, LOAD_BOUNDS), "inf"], self.load_buckets, strict=True))
        plain["layers"] = {name: layer.as_dict() for name, layer in self.layers.items()}
        return plain
