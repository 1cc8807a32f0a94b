"""Providers whose figures follow a script, so that a page of them looks the same each time.

They do what the dashboard asks of a provider, and remember what was changed through it.
"""

import asyncio
import math
import random
from bisect import bisect_left
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from operator import add
from types import MappingProxyType

from aiocache_kit import Stats
from aiocache_kit.events import Event, EventKind, Hit, Load, Miss
from aiocache_kit.stats import LOAD_BOUNDS


def _spread(loads: int, mean: float) -> list[int]:
    """Give the buckets of loads of which most take about as long as the mean, and some three times as long."""
    counts = [0] * (len(LOAD_BOUNDS) + 1)
    for number in range(loads):
        counts[
            bisect_left(LOAD_BOUNDS, mean * (0.4 + 1.4 * (number / loads) ** 2 + (1.2 if number % 12 == 0 else 0)))
        ] += 1
    return counts


class Scripted:
    """A provider with traffic in waves: each reading of `stats` is `seconds` after the one before."""

    def __init__(
        self,
        *,
        seed: int = 0,
        reads: float = 900.0,
        hit_rate: float = 0.94,
        load_time: float = 0.021,
        get_time: float = 1.9e-6,
        items: int = 10_000,
        layers: tuple[str, ...] = (),
        groups: tuple[tuple[str, float, float], ...] = (),
        seconds: float = 2.0,
    ) -> None:
        """Draw the traffic from `seed`. `groups` are the names of key groups, their hit rates and seconds of a load."""
        self._chance = random.Random(seed)  # noqa: S311  - traffic, and the same each time
        self._chance_of_groups = random.Random(seed)  # noqa: S311  - as above
        self._reads, self._hit_rate, self._load_time, self._get_time = reads, hit_rate, load_time, get_time
        self._items, self._layers, self._seconds = items, layers, seconds
        self.groups = groups
        self._turn = 0
        self.current = Stats()
        self.readings = 0
        self.changes: list[tuple[str, ...]] = []
        self.failing: Exception | None = None
        self.frozen: Stats | None = None

    async def stats(self) -> Stats:
        """Let some seconds of traffic pass."""
        self.readings += 1
        if self.failing is not None:
            raise self.failing
        if self.frozen is not None:
            return self.frozen
        self._turn += 1
        wave = 1 + 0.3 * math.sin(self._turn / 19) + 0.08 * self._chance.uniform(-1, 1)
        dip = 0.22 * math.exp(-(((self._turn - 96) / 7) ** 2))
        rate = self._hit_rate - dip + 0.012 * self._chance.uniform(-1, 1)
        reads = round(self._reads * wave * self._seconds)
        hits = round(reads * rate)
        misses = reads - hits
        loads = round(misses * 0.72)
        evictions = round(loads * 0.4)
        load_time = self._load_time * (wave + 1.8 * dip) * self._chance.uniform(0.92, 1.08)
        was = self.current
        self.current = replace(
            was,
            hits=was.hits + hits,
            misses=was.misses + misses,
            stale_hits=was.stale_hits + round(hits * 0.015 * wave),
            loads=was.loads + loads,
            load_failures=was.load_failures + (self._chance.random() < 0.02),
            coalesced=was.coalesced + misses - loads,
            load_time=was.load_time + loads * load_time,
            load_buckets=tuple(map(add, was.load_buckets, _spread(loads, load_time))),
            get_time=was.get_time + 40 * self._get_time * self._chance.uniform(0.9, 1.2),
            timed_gets=was.timed_gets + 40,
            sets=was.sets + loads,
            deletes=was.deletes + round(3 * wave),
            refreshes=was.refreshes + round(loads * 0.05),
            evictions=was.evictions + evictions,
            expired=was.expired + round(loads * 0.55),
            items=round(self._items * (1 - math.exp(-self._turn / 40))),
            size=round(self._items * 1_730 * (1 - math.exp(-self._turn / 40))),
        )
        self.current = replace(self.current, layers=MappingProxyType(self._of_layers()))
        return self.current

    def _of_layers(self) -> dict[str, Stats]:
        total, parts = self.current, dict[str, Stats]()
        for place, name in enumerate(self._layers):
            hits = total.hits * (8, 2)[place % 2] // 10
            parts[name] = Stats(
                hits=hits,
                misses=total.hits + total.misses - hits if not place else total.misses,
                items=0 if name == "redis" else total.items // (3, 1)[place % 2],
                counted=name != "redis",
                size=total.size // 3 if not place else 0,
                evictions=total.evictions if not place else 0,
                missed=0 if place < 2 else 12,
                health=1.0 if place < 2 else 0.5,
            )
        return parts

    @asynccontextmanager
    async def events(
        self, *, kinds: Collection[EventKind | str] | None = None, sample: int = 1
    ) -> AsyncGenerator[AsyncIterator[Event]]:
        """Give some events of some groups, and then wait for the end."""
        yield self._told(frozenset(kinds or EventKind), sample)

    async def _told(self, kinds: Collection[str], sample: int) -> AsyncIterator[Event]:
        for place, (group, rate, seconds) in enumerate(self.groups):
            for _ in range(round(3000 / (place + 1) ** 1.3)):
                is_hit = self._chance_of_groups.random() < rate
                if EventKind.HIT in kinds:
                    yield (Hit if is_hit else Miss)(at=0.0, group=group, weight=sample)
                for _ in range(0 if is_hit else 14):
                    yield Load(at=0.0, group=group, seconds=seconds * self._chance_of_groups.uniform(0.6, 1.5))
        await asyncio.Event().wait()

    async def invalidate_tags(self, *tags: str) -> None:
        """Remember that tags were invalidated."""
        self.changes.append(("invalidate", *tags))

    async def clear(self) -> None:
        """Remember that everything was removed."""
        self.changes.append(("clear",))

    async def delete(self, key: str, /) -> bool:
        """Remember that a key was deleted; every key was there that does not begin with ``no``."""
        self.changes.append(("delete", key))
        return not key.startswith("no")
