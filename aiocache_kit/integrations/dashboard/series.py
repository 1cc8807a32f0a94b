"""Readings of `Stats` become what the page draws: points of a line, each of what happened since the reading before.

Rule 1: nothing is made up. Where there were no reads there is no hit rate, and where nobody looked for a while, or the
counters began again, there is a gap: a point without figures.
Rule 2: it is bounded: the oldest point goes when there are as many as may be kept.
Rule 3: a point is written as JSON once, when it is made, and not for each viewer: writing hundreds would hold the loop.
"""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from aiocache_kit.stats import LOAD_BOUNDS, Stats

_GAP: Final = 5
"""Intervals without a reading after which the mean of that time says little of any moment of it."""
_RATES: Final = (
    *("hits", "misses", "stale_hits", "coalesced", "loads", "load_failures", "refreshes"),
    *("sets", "deletes", "evictions", "expired", "errors"),
)
_PARTS: Final = frozenset({"layers", "load_buckets"})
_OWN: Final = ("hits", "misses", "loads", "sets", "deletes")
"""Counted by the provider itself. What storages count can go back when a node of theirs goes away."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the counters were at one moment."""

    number: int
    """Grows by one with each reading of all providers."""
    at: float
    """Seconds since the epoch."""
    monotonic: float
    stats: Stats


class Series:
    """The points of one provider, oldest first."""

    __slots__ = ("_gap", "_last", "_points")

    def __init__(self, interval: float, most: int) -> None:
        """Expect a reading every `interval` seconds or later, and keep at most `most` points."""
        self._gap = interval * _GAP
        self._points: deque[tuple[int, str]] = deque(maxlen=most)
        self._last: Reading | None = None

    @property
    def last(self) -> Reading | None:
        """The newest reading; None before the first."""
        return self._last

    def add(self, reading: Reading) -> None:
        """Add a reading; from the second one on, each makes a point."""
        before, self._last = self._last, reading
        if before is None:
            return
        point: dict[str, object] = {"number": reading.number, "at": reading.at}
        seconds = reading.monotonic - before.monotonic
        if 0.0 < seconds <= self._gap and not has_restarted(before.stats, reading.stats):
            point |= figures_of(reading.stats - before.stats, seconds)
        self._points.append((reading.number, json.dumps(point, allow_nan=False, separators=(",", ":"))))

    def since(self, number: int) -> str:
        """Give the points of readings after that of this `number`, as a JSON array."""
        return f"[{','.join(text for at, text in self._points if at > number)}]"


def figures_of(change: Stats, seconds: float) -> dict[str, object]:
    """Give what a change of counters within `seconds` means: counts a second, and means where there is any to take."""
    figures: dict[str, object] = {name: max(0, getattr(change, name)) / seconds for name in _RATES}
    figures["hit_rate"] = change.hit_rate if change.hits + change.misses else None
    figures["load_time"] = change.average_load_time if change.loads else None
    figures["load_time_95"] = quantile_of(change.load_buckets, 0.95)
    figures["get_time"] = change.average_get_time if change.timed_gets else None
    return figures | {"items": change.items if change.counted else None, "size": change.size}


def quantile_of(buckets: Sequence[int], share: float) -> float | None:
    """Give the seconds within which this share of loads took place, as nearly as their buckets tell; None for no loads.

    Within a bucket loads are taken to lie evenly, and the last one, which has no end, to end where it begins.
    """
    wanted, below = sum(buckets) * share, 0
    for count, low, high in zip(buckets, (0.0, *LOAD_BOUNDS), (*LOAD_BOUNDS, LOAD_BOUNDS[-1]), strict=True):
        if count and below + count >= wanted:
            return low + (high - low) * (wanted - below) / count
        below += count
    return None


def has_restarted(earlier: Stats, later: Stats) -> bool:
    """Whether counters went back, as those of a new provider in the place of an old one do."""
    return any(getattr(later, name) < getattr(earlier, name) for name in _OWN)


def totals_of(stats: Stats) -> dict[str, object]:
    """Give the counters as they are, without layers and buckets."""
    return {name: value for name, value in stats.as_dict().items() if name not in _PARTS}


def layers_of(stats: Stats, depth: int = 0) -> Iterator[dict[str, object]]:
    """Give the parts of a composite storage, each followed by its own parts, with how deep they lie."""
    for name, layer in stats.layers.items():
        yield {"name": name, "depth": depth, **totals_of(layer)}
        yield from layers_of(layer, depth + 1)
