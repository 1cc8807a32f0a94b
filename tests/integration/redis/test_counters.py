"""Counters in Redis: no increment is lost, none is done twice, and a counter lives as long as it was born to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import pytest
import redis.asyncio

from aiocache_kit import MISSING, NotFoundError, Provider, WrongTypeError
from tests.integration.redis.caches import cache_at
from tests.integration.redis.workers import Workers
from tests.servers.server import Server

EDGES = (0, 9, 10**17, 10**18 - 2, 10**18 + 2, 2**62, 2**63 - 2, 2**63, 2**64, 10**30)


@pytest.fixture
async def caches(redis_server: Server, fresh_prefix: str) -> AsyncIterator[list[Provider]]:
    """Give two providers with one prefix."""
    async with cache_at(redis_server.port, fresh_prefix) as one, cache_at(redis_server.port, fresh_prefix) as other:
        yield [one, other]


@pytest.fixture
async def admin(redis_server: Server) -> AsyncIterator[Any]:
    """Talk to the server past the cache."""
    client: Any = redis.asyncio.Redis(port=redis_server.port)
    yield client
    await client.aclose()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("edge", EDGES)
async def test_counting_over_an_edge(caches: list[Provider], edge: int, sign: int) -> None:
    """Counting is exact whatever the size, on the way up and on the way down, with steps of any size."""
    one, other = caches
    expected = sign * edge
    assert await one.increment("k", 0, initial=expected) == expected
    for delta in (1, 1, 1, 1, -1, 5, -10, edge, -2 * edge, 3 * edge, -(10**40), 10**40, 2**63, -(2**63)):
        expected += delta
        assert await one.increment("k", delta) == expected
        assert await other.get("k") == expected
        assert (await other.get_item("k")).value == expected
        one, other = other, one


async def test_counting_on_what_was_set(caches: list[Provider]) -> None:
    """An integer that was set is counted on, with its tags, cost and time; what is no integer is refused."""
    one, other = caches
    await one.set("k", 5, 100, tags=["t"], cost=7)
    assert await other.increment("k", 2, ttl=5) == 7
    item = await one.get_item("k")
    assert (item.value, item.tags, item.cost) == (7, ("t",), 7)
    assert item.ttl is not None
    assert 90 < item.ttl <= 100
    await one.invalidate_tags("t")
    assert await other.increment("k") == 1
    for value in ("5", 5.0, True, None, [5], b"5"):
        await one.set("k", value)
        with pytest.raises(WrongTypeError):
            await other.increment("k")
        assert await other.get("k") == value


@pytest.mark.parametrize("tags", [(), ("t",)])
@pytest.mark.parametrize("first", [0, 10**18 - 50, 2**63 - 50])
async def test_no_increment_is_lost(caches: list[Provider], first: int, tags: tuple[str, ...]) -> None:
    """Of increments, updates and touches at once, by two who share Redis, each increment and update counts once."""
    await caches[0].set("k", first, 100, tags=tags)

    async def count(cache: Provider, random: Random) -> None:
        for _ in range(10):
            match random.choice("iiut"):
                case "i":
                    assert await cache.increment("k") > first
                case "u":
                    await cache.update("k", lambda old: old + 1, 100)
                case _:
                    assert await cache.touch("k", 100)
                    await cache.increment("k")

    await asyncio.gather(*(count(cache, Random(at)) for at in range(5) for cache in caches))  # noqa: S311  - an order
    assert await caches[1].get("k") == first + 100
    assert (await caches[0].get_item("k")).ttl is not None


async def test_counting_in_processes(workers: Workers, redis_server: Server, fresh_prefix: str) -> None:
    """Four processes count to eight hundred: each number is given once; updates count as well."""
    async with workers(redis_server, fresh_prefix, 4) as processes:
        calls = [each.start("increments", "k", 200) for each in processes]
        numbers = [number for call in calls for number in await call.result()]
        assert sorted(numbers) == list(range(1, 801))
        updates = [each.start("updates", "k", 10) for each in processes]
        for call in updates:
            await call.result()
        assert await processes[0].call("get", "k") == 840


async def test_time_of_a_counter(caches: list[Provider], admin: Any, fresh_prefix: str) -> None:  # noqa: ANN401  - a client
    """A counter's time begins with it and is not moved by counting; touching moves it."""
    one, other = caches
    name = f"{fresh_prefix}k"
    await one.increment("k", ttl=100)
    for ttl in (5, 1000, None):
        await other.increment("k", ttl=ttl)
        assert 90_000 < await admin.pttl(name) <= 100_000
    assert await one.touch("k", 1000)
    assert await one.increment("k", ttl=5) == 5
    assert 900_000 < await admin.pttl(name) <= 1_000_000
    assert await one.touch("k", None)
    assert await one.increment("k", ttl=5) == 6
    assert await admin.pttl(name) == -1
    assert await one.expire("k")
    assert await other.get("k", MISSING) is MISSING
    assert await other.increment("k", initial=10, ttl=50) == 11
    assert 40_000 < await admin.pttl(name) <= 50_000


async def test_no_counter_becomes_immortal(caches: list[Provider], admin: Any, fresh_prefix: str) -> None:  # noqa: ANN401  - a client
    """Whatever is done to a counter that lives for a moment, at whatever moment: it never lives for ever."""
    calls: list[Callable[[Provider], Any]] = [
        lambda cache: cache.increment("k", ttl=0.005),
        lambda cache: cache.increment("k", ttl=0.005),
        lambda cache: cache.increment("k", 10**17, ttl=0.005),
        lambda cache: cache.decrement("k", 10**18 - 1, ttl=0.005),
        lambda cache: cache.touch("k", 0.004),
        lambda cache: cache.expire("k"),
        lambda cache: cache.delete("k"),
        lambda cache: cache.set("k", 5, 0.003),
        lambda cache: cache.update("k", lambda old: old + 1, 0.004, default=1),
        lambda cache: cache.get_or_set("k", lambda: 3, 0.004),
        lambda cache: cache.compare_and_set("k", 1, 7, 0.004),
    ]

    async def work(cache: Provider, random: Random) -> None:
        for _ in range(80):
            await random.choice(calls)(cache)

    async def look() -> None:
        while not over.is_set():
            assert await admin.pttl(f"{fresh_prefix}k") != -1

    over = asyncio.Event()
    looking = asyncio.create_task(look())
    await asyncio.gather(*(work(cache, Random(at)) for at in range(4) for cache in caches))  # noqa: S311  - an order
    over.set()
    await looking
    assert await admin.pttl(f"{fresh_prefix}k") != -1


async def test_expired_item_tells_no_ttl(caches: list[Provider]) -> None:
    """A counter that ends between two questions is gone, and is not given as one without an end."""
    one, other = caches
    ends: list[object] = []
    for _ in range(200):
        await one.increment("k", ttl=0.001)
        try:
            ends.append((await other.get_item("k")).expiration)
        except NotFoundError:
            continue
    assert None not in ends
