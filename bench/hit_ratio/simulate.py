"""Drives an eviction policy as the storage's table does, and nothing else: no values, no clock, no awaits.

Rule 1: the order of the calls is that of `EvictionPolicy`: fill the columns, insert, evict while the bound is exceeded.
Rule 2: what is not there is always stored after the miss, as a loader's result would be; what is larger than the whole
bound is not.
Rule 3: keys are whole numbers unless the caller has others, so that a run repeats itself: the hash of a text changes
from process to process.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from math import inf
from random import Random
from typing import Any

from aiocache_kit.management.eviction import make_policy
from aiocache_kit.management.eviction.policy import Columns


@dataclass(slots=True)
class Score:
    """What a cache answered: of so many requests, for so many bytes."""

    requests: int = 0
    hits: int = 0
    bytes: int = 0
    bytes_hit: int = 0

    @property
    def ratio(self) -> float:
        """The share of the requests, from 0 to 1."""
        return self.hits / self.requests if self.requests else 0.0

    @property
    def byte_ratio(self) -> float:
        """The share of the bytes, from 0 to 1."""
        return self.bytes_hit / self.bytes if self.bytes else 0.0


class Cache:
    """A shard without values, with a policy of its own."""

    def __init__(self, policy: str, capacity: int, *, weighted: bool = False, seed: int = 0) -> None:
        """Start empty, for `capacity` entries, or bytes where it is `weighted`."""
        self.capacity = capacity
        self.columns: Any = Columns(weighted=weighted)  # whose keys are texts, and here whatever was asked for
        self.policy = make_policy(policy, capacity, self.columns, Random(seed))
        self.index: dict[Hashable, int] = {}
        self.free: list[int] = []
        self.held = 0

    def run(self, keys: Sequence[Hashable], sizes: Iterable[int] | None = None) -> Score:
        """Ask for each key in turn; `sizes` gives the bytes of each request's object, None counts entries."""
        columns, policy, index = self.columns, self.policy, self.index
        ceiling, touch = policy.ceiling, policy.touch if policy.touches else None
        hits_of = columns.hits
        score = Score(requests=len(keys))
        for key, size in zip(keys, repeat(1) if sizes is None else sizes, strict=False):
            score.bytes += size
            slot = index.get(key)
            if slot is None:
                if size <= self.capacity:
                    self._store(key, size)
                continue
            score.hits += 1
            score.bytes_hit += size
            if touch is not None:
                touch(slot)
            elif hits_of[slot] < ceiling:
                hits_of[slot] += 1
        return score

    def _store(self, key: Hashable, size: int) -> None:
        columns, policy = self.columns, self.policy
        weights = columns.weights
        if self.free:
            slot = self.free.pop()
            columns.keys[slot] = key
            columns.hits[slot] = 0
            if weights is not None:
                weights[slot] = size
        else:
            slot = len(columns.keys)
            columns.keys.append(key)
            columns.hits.append(0)
            columns.fresh.append(inf)
            if weights is not None:
                weights.append(size)
            policy.add_slot()
        self.index[key] = slot
        self.held += size
        policy.insert(slot)
        while self.held > self.capacity:
            victim = policy.evict(0.0)
            del self.index[columns.keys[victim]]
            self.held -= 1 if weights is None else weights[victim]
            self.free.append(victim)


def simulate(
    policy: str, capacity: int, keys: Sequence[Hashable], sizes: Sequence[int] | None = None, *, shards: int = 1
) -> Score:
    """Run the requests through a new cache and give its score; `shards`, a power of two, divide keys and capacity."""
    weighted = sizes is not None
    if shards == 1:
        return Cache(policy, capacity, weighted=weighted).run(keys, sizes)
    parts: list[list[Hashable]] = [[] for _ in range(shards)]
    sizes_of: list[list[int]] = [[] for _ in range(shards)]
    for key, size in zip(keys, repeat(1) if sizes is None else sizes, strict=False):
        # A whole number is its own hash; that of a tuple is mixed, and so spreads numbers over shards as texts spread.
        place = hash((key,)) % shards
        parts[place].append(key)
        sizes_of[place].append(size)
    total = Score()
    for place in range(shards):
        share = capacity // shards + (place < capacity % shards)
        score = Cache(policy, share, weighted=weighted, seed=place).run(
            parts[place], sizes_of[place] if weighted else None
        )
        total.requests += score.requests
        total.hits += score.hits
        total.bytes += score.bytes
        total.bytes_hit += score.bytes_hit
    return total
