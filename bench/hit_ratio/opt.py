"""The optimum: what no policy can beat, because it would have to know the future.

L. A. Belady, "A study of replacement algorithms for a virtual-storage computer", IBM Systems Journal, 1966: whoever is
asked for again last goes first. A newcomer may itself be that one, in which case it is not kept at all.
"""

from collections.abc import Sequence
from heapq import heappop, heappush
from math import inf


def optimal_hits(keys: Sequence[int], capacity: int) -> int:
    """Count the hits of the best possible cache of `capacity` entries."""
    upcoming = _next_uses(keys)
    use_of: dict[int, float] = {}
    latest: list[tuple[float, int]] = []
    hits = 0
    for key, use in zip(keys, upcoming, strict=True):
        if key in use_of:
            hits += 1
        elif len(use_of) >= capacity:
            while use_of.get(latest[0][1]) != -latest[0][0]:
                heappop(latest)
            if -latest[0][0] <= use:
                continue
            del use_of[heappop(latest)[1]]
        use_of[key] = use
        heappush(latest, (-use, key))
    return hits


def _next_uses(keys: Sequence[int]) -> list[float]:
    """Give for each request the place of the next one for the same key, infinity where there is none."""
    uses = [inf] * len(keys)
    seen: dict[int, int] = {}
    for place in range(len(keys) - 1, -1, -1):
        uses[place] = seen.get(keys[place], inf)
        seen[keys[place]] = place
    return uses
