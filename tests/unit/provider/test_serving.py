"""What a policy of freshness comes to, as callers see it; what holds on every storage is in the contract."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any, cast

import pytest

from aiocache_kit import LoadContext, Provider, cached, cached_multi, new_provider
from aiocache_kit.config import Config, LoadConfig
from aiocache_kit.errors import ProviderClosedError, RecursiveLoadError
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, FaultyStorage
from aiocache_kit.testing.provider_contract.case import Source


class DownError(Exception):
    pass


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["tables", "awaited"])
async def cache(clock: FakeClock, request: pytest.FixtureRequest) -> AsyncIterator[Provider]:
    storage = memory_storage(clock=clock)
    made = Provider(storage if request.param == "tables" else FaultyStorage(storage, turns=True), clock=clock)
    yield made
    await made.close()


async def test_ten_minutes_without_a_source(cache: Provider, clock: FakeClock) -> None:
    """A source is down for ten minutes: nobody sees an error, and it is asked once in each throttle period."""
    policy: dict[str, Any] = {"stale_if_error": 3600, "throttle": 30}
    await cache.get_or_set("k", Source("old").load, 60, **policy)
    await clock.advance(60.0)
    down, asked = Source(DownError()), list[float]()
    for _ in range(600):
        before = down.loads
        given = await asyncio.gather(*[cache.get_or_set("k", down.load, 60, **policy) for _ in range(5)])
        assert given == ["old"] * 5
        asked += [clock.monotonic()] * (down.loads - before)
        await clock.advance(1.0)

    assert len(asked) == 20
    assert min(later - sooner for sooner, later in pairwise(asked)) >= 30.0
    assert await cache.get_or_set("k", Source("new").load, 60, **policy) in {"old", "new"}
    await clock.advance(30.0)
    assert await cache.get_or_set("k", Source("new").load, 60, **policy) == "new"


async def test_refresh_ahead_with_a_source_that_fails(
    cache: Provider, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A thousand readers, a source that fails three times: one load at a time, old values, no flood in the log."""
    policy: dict[str, Any] = {"refresh_ahead": 0.8, "stale_if_error": 60, "throttle": 2}
    await cache.get_or_set("k", Source("old").load, 100, **policy)
    await clock.advance(81.0)
    running, most, loads = 0, 0, 0

    async def load() -> str:
        nonlocal running, most, loads
        loads += 1
        running += 1
        most = max(most, running)
        try:
            await clock.sleep(0.25)
            if loads <= 3:
                raise DownError
            return "new"
        finally:
            running -= 1

    async def ask() -> object:
        value: object = await cast("Any", cache).get_or_set("k", load, 100, **policy)
        return value

    with caplog.at_level(logging.WARNING):
        for _ in range(11):
            calls = [ask() for _ in range(1000)]
            given = await asyncio.gather(*calls)
            assert set(given) <= {"old", "new"}
            await clock.advance(1.0)

    assert await cache.get("k") == "new"
    assert (most, loads) == (1, 4)
    assert len(caplog.records) == 1


async def test_steady_traffic_never_waits(cache: Provider, clock: FakeClock) -> None:
    """With refresh-ahead no caller waits for a load after the first, for as long as somebody asks often enough."""
    source = Source("value")

    async def load() -> object:
        await clock.sleep(1.0)
        return await source.load()

    first = asyncio.create_task(cache.get_or_set("k", load, 10, refresh_ahead=0.5))
    await clock.advance(1.0)
    await first
    for _ in range(300):
        asked = asyncio.create_task(cache.get_or_set("k", load, 10, refresh_ahead=0.5))
        await clock.settle()
        assert asked.done()
        await clock.advance(1.0)

    assert 40 <= source.loads <= 60


async def test_ends_are_spread(clock: FakeClock) -> None:
    """Ten thousand keys that are loaded at once with one ttl end over the whole jitter, and in no tick too many."""
    async with Provider(memory_storage(max_entries=20_000, clock=clock), clock=clock) as cache:
        keys = [f"k{number}" for number in range(10_000)]
        await cache.get_or_set_multi(keys, lambda keys: dict.fromkeys(keys, 1), 600, jitter=0.1)
        await clock.advance(540.0)
        left = [(await cache.stats()).items]
        for _ in range(61):
            await clock.advance(1.0)
            left.append(sum([1 async for _ in cache.keys()]))  # noqa: SIM118  - no dict

    ended = [before - after for before, after in pairwise(left)]
    assert left[0] == 10_000
    assert left[-1] == 0
    assert all(ended[:60])
    assert max(ended) < 500


async def test_a_load_goes_on_behind_an_old_value(cache: Provider, clock: FakeClock) -> None:
    """Whoever has waited long enough gets the old value; the load goes on, for all of them once, and is kept."""
    policy: dict[str, Any] = {"stale_if_error": 600, "stale_timeout": 2}
    await cache.get_or_set("k", Source("old").load, 10, **policy)
    await clock.advance(20.0)
    source = Source("new", held=True)
    callers = [asyncio.create_task(cache.get_or_set("k", source.load, 10, **policy)) for _ in range(50)]
    await clock.advance(2.0)
    assert await asyncio.gather(*callers) == ["old"] * 50
    assert len(cache._core.background) == 1
    source.open()
    await clock.settle()

    assert await cache.get("k") == "new"
    assert (source.loads, source.cancelled) == (1, 0)


async def test_closing_keeps_what_ends_in_time(clock: FakeClock) -> None:
    """What is loaded in the background while the provider closes is stored if it ends in time."""
    storage = FaultyStorage(memory_storage(clock=clock), turns=True)
    cache = Provider(storage, clock=clock)
    await cache.get_or_set("k", Source("old").load, 10, stale_while_revalidate=60)
    await clock.advance(20.0)
    source = Source("new", held=True)
    assert await cache.get_or_set("k", source.load, 10, stale_while_revalidate=60) == "old"
    await clock.settle()
    storage.calls.clear()
    closing = asyncio.create_task(cache.close(5.0))
    await clock.advance(1.0)
    with pytest.raises(ProviderClosedError):
        await cache.get("k")
    source.open()
    await closing

    assert "write" in storage.calls
    assert not cache._core.background


async def test_closing_ends_what_takes_too_long(cache: Provider, clock: FakeClock) -> None:
    """A load in the background that takes longer than closing may is cancelled."""
    await cache.get_or_set("k", Source("old").load, 10, stale_while_revalidate=60)
    await clock.advance(20.0)
    source = Source("new", held=True)
    await cache.get_or_set("k", source.load, 10, stale_while_revalidate=60)
    await clock.settle()
    closing = asyncio.create_task(cache.close(5.0))
    await clock.advance(5.0)
    await closing

    assert source.cancelled == 1


async def test_a_load_in_the_background_is_no_part_of_the_one_that_began_it(cache: Provider, clock: FakeClock) -> None:
    """A loader that meets an old value begins its load, and may be waited for by it."""
    await cache.get_or_set("old", Source("old").load, 10, stale_while_revalidate=60)
    await clock.advance(20.0)
    begun = asyncio.Event()

    async def inner() -> str:
        begun.set()
        return f"inner of {await cache.get_or_set('outer', Source('never').load)}"

    async def outer() -> str:
        value = await cache.get_or_set("old", inner, 10, stale_while_revalidate=60)
        await begun.wait()
        await clock.sleep(1.0)
        return f"outer of {value}"

    asked = asyncio.create_task(cache.get_or_set("outer", outer))
    await clock.advance(1.0)

    assert await asked == "outer of old"
    assert await cache.get("old") == "inner of outer of old"


async def test_recursion_is_still_found(cache: Provider, clock: FakeClock) -> None:
    """A loader that waits for its own key is told so, whatever there is to fall back to."""
    policy: dict[str, Any] = {"stale_if_error": 60, "stale_timeout": 5}
    await cache.get_or_set("k", Source("old").load, 10, **policy)
    await clock.advance(20.0)

    async def load() -> object:
        return await cache.get_or_set("k", load, 10, **policy)

    with pytest.raises(RecursiveLoadError):
        await cache.get_or_set("k", load, 10, **policy)


async def test_a_loader_may_say_how_long(cache: Provider, clock: FakeClock) -> None:
    """Refresh-ahead counts by the ttl that the loader gave, not by that of whoever asks."""

    async def load(context: LoadContext) -> str:
        context.ttl = 1000
        return "old"

    await cache.get_or_set("k", load, 10, refresh_ahead=0.5)
    await clock.advance(400.0)
    source = Source("new")
    assert await cache.get_or_set("k", source.load, 10, refresh_ahead=0.5) == "old"
    await clock.settle()
    assert source.loads == 0
    await clock.advance(101.0)
    assert await cache.get_or_set("k", source.load, 10, refresh_ahead=0.5) == "old"
    await clock.settle()

    assert source.loads == 1


async def test_an_error_keeps_its_way(cache: Provider) -> None:
    """Who waits for a load sees where it failed, though its error is remembered."""

    async def where_it_failed() -> None:
        raise DownError

    with pytest.raises(DownError) as raised:
        await cache.get_or_set("k", where_it_failed, negative_ttl=5)
    assert "where_it_failed" in [entry.name for entry in raised.traceback]
    with pytest.raises(DownError) as raised:
        await cache.get_or_set("k", where_it_failed, negative_ttl=5)

    assert "where_it_failed" not in [entry.name for entry in raised.traceback]


async def test_refresh_asks_in_any_case(cache: Provider) -> None:
    """Whoever asks for a refresh gets a load, though an error is remembered; and its loader is told what is there."""
    await cache.set("k", "old")
    told: list[object] = []

    async def load(context: LoadContext) -> str:
        told.append(context.stale_value)
        return "new"

    with pytest.raises(DownError):
        await cache.refresh("k", Source(DownError()).load, negative_ttl=60)

    assert await cache.refresh("k", load, negative_ttl=60) == "new"
    assert told == ["old"]


async def test_the_configuration_is_the_last_to_say(clock: FakeClock) -> None:
    """A call wins over its decorator's configuration, a decorator over the provider's, field by field."""
    load_config = LoadConfig(stale_if_error="10m", throttle=0, refresh_ahead=0.5)
    async with new_provider(Config(load_config=load_config), clock=clock) as cache:
        await cache.set("k", "set", 10)
        await clock.advance(20.0)
        assert await cache.get_or_set("k", Source(DownError()).load) == "set"
        with pytest.raises(DownError):
            await cache.get_or_set("k", Source(DownError()).load, stale_if_error=0)

        calls = list[str]()

        @cached(cache, 10, key="f", refresh_ahead=None, stale_while_revalidate=60)
        async def function() -> str:
            calls.append("called")
            return f"call {len(calls)}"

        assert [await function() for _ in range(2)] == ["call 1"] * 2
        await clock.advance(8.0)
        await function()
        await clock.settle()
        assert len(calls) == 1
        await clock.advance(8.0)
        assert await function() == "call 1"
        await clock.settle()
        assert await function() == "call 2"


async def test_cached_multi_serves_old_values(cache: Provider, clock: FakeClock) -> None:
    """A function of many ids gives what is old at once, id by id, and is called once behind that."""
    calls: list[list[int]] = []

    @cached_multi(cache, 10, key="n:{number}", stale_while_revalidate=60)
    async def squares(numbers: list[int]) -> dict[int, int]:
        calls.append(numbers)
        return {number: number * number + 100 * len(calls) for number in numbers}

    await squares([1, 2])
    await clock.advance(20.0)
    assert await squares([1, 2]) == {1: 101, 2: 104}
    await clock.settle()

    assert await squares([1, 2]) == {1: 201, 2: 204}
    assert calls == [[1, 2], [1, 2]]


@pytest.mark.parametrize("way", ["get_or_set", "cached"])
@pytest.mark.parametrize("shards", [1, 2])
async def test_hits_are_quick_and_old_ones_are_noticed(clock: FakeClock, way: str, shards: int) -> None:
    """The closures of tables give what is young, with tags and without an end, too, and leave the rest."""
    source = Source("new")
    async with Provider(memory_storage(shard_count=shards, clock=clock), clock=clock) as cache:
        for key, ttl, tags in (("plain", 100, ()), ("tagged", 100, ("t",)), ("ever", None, ())):
            await cache.set(key, "old", ttl, tags=tags)

            @cached(cache, ttl, key="{key}", tags=tags, refresh_ahead=0.8)
            async def function(key: str) -> object:
                del key
                return await source.load()

            async def ask(key: str = key, ttl: Any = ttl, function: Any = function) -> object:  # noqa: ANN401  - bound
                if way == "cached":
                    return await function(key)
                return await cache.get_or_set(key, source.load, ttl, refresh_ahead=0.8)

            await clock.advance(79.0)
            assert await ask() == "old"
            await clock.settle()
            assert source.loads == 0
            await clock.advance(2.0)
            assert await ask() == "old"
            await clock.settle()
            assert source.loads == (ttl is not None)
            source.loads = 0
        assert (await cache.stats()).refreshes == 2


async def test_nothing_is_left(clock: FakeClock) -> None:
    """Loads in the background leave no tasks and no errors behind that nobody saw."""
    async with Provider(memory_storage(clock=clock), clock=clock) as cache:
        await cache.get_or_set("k", Source("old").load, 10, stale_while_revalidate=60)
        await clock.advance(20.0)
        await cache.get_or_set("k", Source(DownError()).load, 10, stale_while_revalidate=60)
        await clock.settle()
        assert not cache._core.background
    gc.collect()
