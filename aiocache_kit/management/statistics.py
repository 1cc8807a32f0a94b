"""The counters behind `Stats`: a recorder goes in, a snapshot comes out.

Rule 1: whoever counts adds to a slot of the recorder directly; one addition is all that a hit can afford.
Rule 2: a namespace has a recorder of its own, and its parent's figures include it, for good: when a namespace's view is
thrown away, its counts are added to the parent's.
Rule 3: hits in the nearest layer of a hierarchy are counted apart, because they are that layer's as well.
"""

from bisect import bisect_left
from collections import deque

from aiocache_kit.stats import LOAD_BOUNDS

_COUNTERS = (
    "hits",
    "misses",
    "stale_hits",
    "sets",
    "deletes",
    "loads",
    "load_failures",
    "load_time",
    "coalesced",
    "shed_loads",
    "refused_calls",
    "refreshes",
    "errors",
    "get_time",
    "timed_gets",
)


class Recorder:
    """Counts what one provider, or one namespace of it, does."""

    __slots__ = ("_buckets", "_children", "_gone", "_near", *_COUNTERS)

    hits: int
    misses: int
    stale_hits: int
    sets: int
    deletes: int
    loads: int
    load_failures: int
    load_time: float
    coalesced: int
    shed_loads: int
    refused_calls: int
    refreshes: int
    errors: int
    get_time: float
    timed_gets: int

    def __init__(self) -> None:
        """Start at zero, without children."""
        for name in _COUNTERS:
            setattr(self, name, 0.0 if name.endswith("_time") else 0)
        self._buckets = [0] * (len(LOAD_BOUNDS) + 1)
        self._children: set[Recorder] = set()
        self._near: Recorder | None = None
        self._gone: deque[Recorder] = deque()
        """Children whose views are gone. The garbage collector says so, at any line and in any thread."""

    def note_load(self, seconds: float) -> None:
        """Count how long a loader took."""
        self.load_time += seconds
        self._buckets[bisect_left(LOAD_BOUNDS, seconds)] += 1

    def load_buckets(self) -> tuple[int, ...]:
        """Give how many loads took so long, as `Stats.load_buckets` has it, children included."""
        self._absorb()
        parts = [self._buckets, *(child.load_buckets() for child in self._children)]
        return tuple(map(sum, zip(*parts, strict=True)))

    @property
    def average_load_time(self) -> float:
        """Mean seconds of a load so far; 0.0 before the first one."""
        return self.load_time / self.loads if self.loads else 0.0

    def child(self) -> "Recorder":
        """Make the recorder of a namespace; its counts are part of `totals` from now on."""
        self._absorb()
        made = Recorder()
        self._children.add(made)
        return made

    def near(self) -> "Recorder":
        """Give the recorder for hits in the nearest layer, always the same; its counts are part of `totals`."""
        if self._near is None:
            self._near = Recorder()
        return self._near

    def near_hits(self) -> int:
        """Give how many hits the nearest layer has answered, children included."""
        self._absorb()
        own = 0 if self._near is None else self._near.hits
        return own + sum(child.near_hits() for child in self._children)

    def let_go(self, child: "Recorder") -> None:
        """Know that the view of a `child` is gone: its counts are kept, and the child is not."""
        self._gone.append(child)

    def _absorb(self) -> None:
        while self._gone:
            child = self._gone.popleft()
            self._children.discard(child)
            if near := child.near_hits():
                self.near().hits += near
                self.hits -= near  # they are in its totals, too
            for name, count in child.totals().items():
                setattr(self, name, getattr(self, name) + count)
            self._buckets = [own + its for own, its in zip(self._buckets, child.load_buckets(), strict=True)]

    def totals(self) -> dict[str, float]:
        """Give each counter by its name in `Stats`, children included."""
        self._absorb()
        parts = [child.totals() for child in self._children]
        if self._near is not None:
            parts.append(self._near.totals())
        return {name: getattr(self, name) + sum(part[name] for part in parts) for name in _COUNTERS}
