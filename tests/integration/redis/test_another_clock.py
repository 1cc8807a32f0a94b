"""Redis whose clock says something else than that of its clients: by an hour, in either direction.

The clock of a server and that of a client are as far apart whichever of the two is wrong, so it is the clients' that
are set here, each to another time.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest

from aiocache_kit import Config, Layer, Provider, RedisConfig, new_layered, new_provider, new_storage
from aiocache_kit.clock import SystemClock
from aiocache_kit.storage.layered import Layer as LayerOf
from aiocache_kit.storage.layered import LayeredStorage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FaultyStorage
from tests.servers.server import Server

HOUR = 3600.0
over_both = pytest.mark.parametrize(("mine", "theirs"), [(HOUR, 0.0), (-HOUR, 0.0), (HOUR, -HOUR)])


class ClockApart:
    """A clock that was set wrongly, by so many seconds."""

    def __init__(self, apart: float) -> None:
        right = SystemClock()
        self.monotonic = right.monotonic
        self.sleep = right.sleep
        self.time: Callable[[], float] = lambda: right.time() + apart


def config(server: Server, prefix: str) -> Config:
    """Give what all clients have in common."""
    part = RedisConfig(addr=f"{server.host}:{server.port}", key_prefix=prefix)
    return Config(provider="redis", default_ttl=None, redis_config=part)


@asynccontextmanager
async def clients(server: Server, prefix: str, *apart: float) -> AsyncGenerator[list[tuple[Provider, ClockApart]]]:
    """Give a client for each time that its clock is off."""
    made = [(new_provider(config(server, prefix), clock=clock), clock) for clock in map(ClockApart, apart)]
    try:
        yield made
    finally:
        for cache, _ in made:
            await cache.close()


@over_both
async def test_what_is_left_of_an_item_is_the_same_for_all(
    redis_server: Server, fresh_prefix: str, mine: float, theirs: float
) -> None:
    """An item has the seconds left that it has, by the clock of whoever reads it, also in a layer before Redis."""
    async with clients(redis_server, fresh_prefix, mine, theirs) as ((writer, _), (reader, clock)):
        await writer.set("k", "v", 600)
        item = await reader.get_item("k")
        layers = [Layer("memory://", ttl="1h"), Layer(config(redis_server, fresh_prefix))]
        async with new_layered(*layers, clock=clock) as layered:
            copies = [await layered.get_item("k") for _ in range(2)]
        for found in (item, *copies):
            assert found.expiration is not None
            assert 590 < found.expiration - clock.time() <= 600.5
            assert not found.is_stale


@over_both
async def test_what_is_over_is_over_for_all(
    redis_server: Server, fresh_prefix: str, mine: float, theirs: float
) -> None:
    """A short life ends for everybody, an item that was expired is stale to all, and a longer one begins anew."""
    async with clients(redis_server, fresh_prefix, mine, theirs) as ((writer, clock), (reader, _)):
        await writer.set("k", "short", 0.15)
        assert await reader.get("k") == "short"
        await clock.sleep(0.2)
        assert await reader.get("k") is None
        await writer.set("k", "long", 600)
        assert await writer.expire("k") is True
        assert await reader.get("k") is None
        assert await reader.get_or_set("k", lambda: "anew", 600) == "anew"
        assert await writer.get("k") == "anew"


@over_both
async def test_tags_are_invalidated_for_what_was_there(
    redis_server: Server, fresh_prefix: str, mine: float, theirs: float
) -> None:
    """An invalidation kills what was written before it, by whomever, and nothing that is written after it."""
    async with clients(redis_server, fresh_prefix, mine, theirs) as caches:
        for writer, killer in (caches, reversed(caches)):
            await writer[0].set("k", "old", tags=["t"])
            await killer[0].invalidate_tags("t")
            assert [await cache.get("k") for cache, _ in caches] == [None, None]
            await writer[0].set("k", "new", tags=["t"])
            assert [await cache.get("k") for cache, _ in caches] == ["new", "new"]


@pytest.mark.parametrize("tags", [(), ("t",)], ids=["plain", "tagged"])
@pytest.mark.parametrize("first", ["mine", "theirs"])
@over_both
async def test_the_newer_one_wins_after_an_outage(  # noqa: PLR0917  - who differs in what
    redis_server: Server, fresh_prefix: str, mine: float, theirs: float, first: str, tags: tuple[str, ...]
) -> None:
    """Of a write that waited for Redis and one that did not, the one that came later is left."""
    async with clients(redis_server, fresh_prefix, mine, theirs) as ((_, clock), (other, _)):
        redis = FaultyStorage(new_storage(config(redis_server, fresh_prefix), clock=clock))
        layers = [LayerOf(memory_storage(), "near"), LayerOf(redis, "redis")]
        storage = LayeredStorage(layers, failures=1, probe_after=0.05)
        async with Provider(storage, default_ttl=None, clock=clock) as cache:
            await cache.set("k", "old")
            redis.fail(times=None)
            changes = {"mine": lambda: cache.set("k", "mine"), "theirs": lambda: other.set("k", "theirs", tags=tags)}
            second = next(each for each in changes if each != first)
            await changes[first]()
            await clock.sleep(0.02)  # of two changes at one instant none is the later one
            await changes[second]()
            redis.heal()
            while (await cache.stats()).layers["redis"].health < 1.0:
                await clock.sleep(0.01)

            assert await other.get("k") == second
