"""A table without values, to drive a policy with, and traffic to drive it through."""

from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import blake2b
from itertools import accumulate
from math import inf
from random import Random

from aiocache_kit.management.eviction import make_policy
from aiocache_kit.management.eviction.policy import Columns


class Steady(str):
    """A text whose hash is the same in every process, so that a run with it repeats itself."""

    __slots__ = ()

    def __hash__(self) -> int:
        return int.from_bytes(blake2b(self.encode(), digest_size=8).digest(), "big", signed=True)


@cache
def steady(text: str) -> Steady:
    """Give the key as policies see it here."""
    return Steady(text)


class Driver:
    """Calls a policy in the order that `EvictionPolicy` asks for, and checks on the way what it promises."""

    def __init__(
        self, policy: str, capacity: int, *, weighted: bool = False, most_entries: float = inf, seed: int = 0
    ) -> None:
        self.capacity = capacity
        self.most_entries = most_entries
        self.columns = Columns(weighted=weighted)
        self.policy = make_policy(policy, capacity, self.columns, Random(seed))  # noqa: S311  - a repeatable run
        self.index: dict[str, int] = {}
        self.free: list[int] = []
        self.weight = 0
        self.now = 0.0
        self.victims: list[str] = []

    def ask(self, key: str, weight: int = 1, fresh: float = inf) -> bool:
        """Look the key up and store it if it is not there; say whether it was."""
        slot = self.index.get(key)
        if slot is None:
            self.store(key, weight, fresh)
            return False
        self.hit(slot)
        return True

    def hit(self, slot: int) -> None:
        """Record a hit as the table does."""
        if self.policy.touches:
            self.policy.touch(slot)
        elif self.columns.hits[slot] < self.policy.ceiling:
            self.columns.hits[slot] += 1

    def store(self, key: str, weight: int = 1, fresh: float = inf) -> None:
        """Put the key in, or give it another weight, and make room."""
        slot = self.index.get(key)
        if slot is None:
            slot = self._slot(key, weight, fresh)
            self.index[key] = slot
            self.weight += weight
            self.policy.insert(slot)
        else:
            old = self._weight_of(slot)
            self.columns.fresh[slot] = fresh
            if self.columns.weights is not None:
                self.columns.weights[slot] = weight
                self.weight += weight - old
            self.policy.rewrite(slot, old)
        while self.weight > self.capacity or len(self.index) > self.most_entries:
            self.evict()
            assert key in self.index or not self.index

    def evict(self) -> str:
        """Let the policy choose a victim; give its key."""
        slot = self.policy.evict(self.now)
        key = str.__str__(self.columns.keys[slot])
        assert self.index.get(key) == slot, "the victim is held"
        self._release(key)
        self.victims.append(key)
        return key

    def remove(self, key: str) -> None:
        """Take a held key out."""
        self.policy.remove(self.index[key])
        self._release(key)

    def run(self, keys: Iterable[str]) -> int:
        """Ask for each key; count the hits."""
        return sum([self.ask(key) for key in keys])

    def _slot(self, key: str, weight: int, fresh: float) -> int:
        columns = self.columns
        if self.free:
            slot = self.free.pop()
            columns.keys[slot] = steady(key)
            columns.hits[slot] = 0
            columns.fresh[slot] = fresh
            if columns.weights is not None:
                columns.weights[slot] = weight
            return slot
        columns.keys.append(steady(key))
        columns.hits.append(0)
        columns.fresh.append(fresh)
        if columns.weights is not None:
            columns.weights.append(weight)
        self.policy.add_slot()
        return len(columns.keys) - 1

    def _weight_of(self, slot: int) -> int:
        return 1 if self.columns.weights is None else self.columns.weights[slot]

    def _release(self, key: str) -> None:
        slot = self.index.pop(key)
        self.weight -= self._weight_of(slot)
        self.free.append(slot)


def names(numbers: Iterable[int]) -> list[str]:
    """Make keys of numbers, the same object for the same number."""
    known: dict[int, str] = {}
    return [known.setdefault(number, f"key:{number}") for number in numbers]


def zipf(keys: int, length: int, *, seed: int) -> list[int]:
    """Draw numbers with a popularity of 1 / rank."""
    weights = list(accumulate(1 / (rank + 1) for rank in range(keys)))
    return Random(seed).choices(range(keys), cum_weights=weights, k=length)  # noqa: S311  - a repeatable run


def with_scans(numbers: Sequence[int], *, every: int, width: int) -> list[int]:
    """Put runs of numbers that come once in between."""
    mixed: list[int] = []
    new = 1_000_000
    for start in range(0, len(numbers), every):
        mixed += numbers[start : start + every]
        mixed += range(new, new + width)
        new += width
    return mixed
