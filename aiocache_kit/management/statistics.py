"""The counters behind `Stats`: a recorder goes in, a snapshot comes out.

Rule 1: whoever counts adds to a slot of the recorder directly; one addition is all that a hit can afford.
Rule 2: a namespace has a recorder of its own, and its parent's figures include it, for good: when a namespace's view is
thrown away, its counts are added to the parent's.
"""

from collections.abc import Iterator

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
    "refreshes",
    "errors",
    "get_time",
    "timed_gets",
)


class Recorder:
    """Counts what one provider, or one namespace of it, does."""

    __slots__ = ("children", *_COUNTERS)

    hits: int
    misses: int
    stale_hits: int
    sets: int
    deletes: int
    loads: int
    load_failures: int
    load_time: float
    coalesced: int
    refreshes: int
    errors: int
    get_time: float
    timed_gets: int

    def __init__(self) -> None:
        """Start at zero, without children."""
        for name in _COUNTERS:
            setattr(self, name, 0.0 if name.endswith("_time") else 0)
        self.children: set[Recorder] = set()

    def child(self) -> "Recorder":
        """Make the recorder of a namespace; its counts are part of `totals` from now on."""
        made = Recorder()
        self.children.add(made)
        return made

    def absorb(self, child: "Recorder") -> None:
        """Keep the counts of a `child` whose view is gone, and let go of the child."""
        if child in self.children:
            self.children.remove(child)
            for name, count in child.totals():
                setattr(self, name, getattr(self, name) + count)

    def totals(self) -> Iterator[tuple[str, float]]:
        """Give each counter by its name in `Stats`, children included."""
        parts = [dict(child.totals()) for child in self.children]
        for name in _COUNTERS:
            yield name, getattr(self, name) + sum(part[name] for part in parts)
