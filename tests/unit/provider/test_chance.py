"""What is left to chance is drawn from the `random` that a provider was given, so that it can come again."""

from collections.abc import Callable
from random import Random

import pytest

from aiocache_kit import Provider
from aiocache_kit.events import Hit
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, FaultyStorage

STORAGES: list[Callable[[], Storage]] = [memory_storage, lambda: FaultyStorage(memory_storage())]
storages = pytest.mark.parametrize("make", STORAGES, ids=["in tables", "elsewhere"])


def seeded(seed: int) -> Random:
    """Make what draws the same each time."""
    return Random(seed)  # noqa: S311  - to be repeated


def number() -> int:
    """Be a loader."""
    return 1


async def lives(make: Callable[[], Storage], random: Random | None) -> list[float | None]:
    """Give how long ten values live that are loaded with as much jitter as there may be."""
    async with Provider(make(), clock=FakeClock(), random=random) as cache:
        for key in "abcdefghij":
            await cache.get_or_set(key, number, 100, jitter=0.5)
        return [(await cache.get_item(key)).ttl for key in "abcdefghij"]


@storages
async def test_lives_are_spread_by_chance(make: Callable[[], Storage]) -> None:
    """The same seed spreads lives in the same way, another seed or none in other ways."""
    first = await lives(make, seeded(1))

    assert len(set(first)) == 10
    assert await lives(make, seeded(1)) == first
    assert await lives(make, seeded(2)) != first
    assert await lives(make, None) != first


class Loaded(Random):
    """A die that always shows the same."""

    def __init__(self, shows: float) -> None:
        super().__init__()
        self._shows = shows

    def random(self) -> float:
        """Show it."""
        return self._shows


@storages
@pytest.mark.parametrize(("shows", "loads"), [(0.0, 1), (0.5, 2)])
async def test_loads_ahead_are_begun_by_chance(make: Callable[[], Storage], shows: float, loads: int) -> None:
    """The most eager hit loads nothing ahead where chance says no, and does where it says yes."""
    clock, counted = FakeClock(), 0

    async def load() -> int:
        nonlocal counted
        counted += 1
        return counted

    async with Provider(make(), clock=clock, random=Loaded(shows)) as cache:
        for _ in range(2):
            assert await cache.get_or_set("k", load, 10, early_beta=1e12) == 1
            await clock.settle()
        assert counted == loads


async def heard(make: Callable[[], Storage], random: Random) -> list[str | None]:
    """Give what a sample of one hit in ten holds of a thousand."""
    async with Provider(make(), random=random) as cache, cache.events(kinds={"hit"}, keys=True, sample=10) as stream:
        keys = [f"k{number}" for number in range(1000)]
        await cache.set_multi(dict.fromkeys(keys, 1))
        for key in keys:
            await cache.get(key)
        return [event.key for event in stream.take() if isinstance(event, Hit)]


@storages
async def test_a_sample_is_chosen_by_chance(make: Callable[[], Storage]) -> None:
    """The same seed lets the same hits be heard, another seed lets others."""
    first = await heard(make, seeded(1))

    assert 50 < len(first) < 200
    assert await heard(make, seeded(1)) == first
    assert await heard(make, seeded(2)) != first
