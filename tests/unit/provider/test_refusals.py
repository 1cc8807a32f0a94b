"""What an operator hears of loads that were shed and calls that were refused: counters, a gauge and events."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from aiocache_kit import Config, LoadConfig, OverloadedError, Provider, RateLimitedError, new_provider
from aiocache_kit.events import Event, EventKind, Refusal, RefusalCause
from aiocache_kit.provider.streams import EventStream
from aiocache_kit.testing import FakeClock

REFUSALS = {EventKind.REFUSAL}


def told(stream: EventStream) -> list[tuple[str, str, str | None, str]]:
    """Give what a stream has of refusals: namespace, group, key and cause."""
    events: list[Event] = stream.take()
    return [(event.namespace, event.group, event.key, event.cause) for event in events if isinstance(event, Refusal)]


@pytest.fixture
def clock() -> FakeClock:
    """Give a clock that is turned by hand."""
    return FakeClock()


@pytest.fixture
async def busy(clock: FakeClock) -> AsyncIterator[Provider]:
    """Give a provider with one load under way and one that waits, which are as many as may be."""
    loads = LoadConfig(max_loads=1, max_waiting_loads=1, stale_if_error=60)
    async with new_provider(Config(load_config=loads), clock=clock) as cache:
        go = asyncio.Event()
        await cache.set("user:old", "old", ttl=1)
        await clock.advance(1)

        async def load() -> str:
            await go.wait()
            return "new"

        tasks = [asyncio.create_task(cache.get_or_set(key, load)) for key in ("under way", "waits")]
        await clock.settle()
        yield cache
        go.set()
        assert await asyncio.gather(*tasks) == ["new", "new"]
        assert (await cache.stats()).waiting_loads == 0


async def test_shed_loads_are_counted_and_told(busy: Provider) -> None:
    """A load that finds no room is neither a load nor a failed one; it is told with its key's group."""
    async with busy.events(kinds=REFUSALS) as stream, busy.events(kinds=REFUSALS, keys=True) as with_keys:
        with pytest.raises(OverloadedError):
            await busy.get_or_set("user:1", lambda: "value")
        with pytest.raises(OverloadedError):
            await busy.get_or_set_multi(["user:2", "user:3"], lambda keys: dict.fromkeys(keys, "value"))
        assert told(stream) == [("", "user:*", None, RefusalCause.OVERLOADED)] * 2
        assert [key for _, _, key, _ in told(with_keys)] == ["user:1", "user:2"]
    stats = await busy.stats()

    assert (stats.shed_loads, stats.waiting_loads) == (2, 1)
    assert (stats.loads, stats.load_failures, stats.refused_calls) == (1, 0, 0)


async def test_an_old_value_in_place_of_a_load_does_not_hide_it(busy: Provider) -> None:
    """Where callers get an old value, the operator still sees that its load was shed."""
    async with busy.events(kinds=REFUSALS) as stream:
        assert await busy.get_or_set("user:old", lambda: "new") == "old"
        assert told(stream) == [("", "user:*", None, RefusalCause.OVERLOADED)]
    stats = await busy.stats()

    assert (stats.shed_loads, stats.stale_hits) == (1, 1)


async def test_who_joins_a_load_that_waits_is_not_shed(busy: Provider) -> None:
    """Another caller of a key that is being loaded takes no room, and nothing is counted."""
    joined = asyncio.create_task(busy.get_or_set("waits", lambda: "another"))
    await asyncio.sleep(0)

    assert (await busy.stats()).shed_loads == 0
    joined.cancel()


async def test_a_namespace_counts_its_own(busy: Provider) -> None:
    """What a namespace was refused is in its own figures and in those of the whole, and told to who listens there."""
    tenant = busy.namespace("tenant")
    async with tenant.events(kinds=REFUSALS) as inside, busy.namespace("other").events(kinds=REFUSALS) as beside:
        with pytest.raises(OverloadedError):
            await tenant.get_or_set("user:1", lambda: "value")
        assert told(inside) == [("tenant", "user:*", None, RefusalCause.OVERLOADED)]
        assert told(beside) == []

    assert (await tenant.stats()).shed_loads == (await busy.stats()).shed_loads == 1


async def test_refused_calls_are_counted_and_told(clock: FakeClock) -> None:
    """A call without a token is counted where it was made, once; neither its key nor whose it was is told."""
    async with new_provider(clock=clock) as cache:
        limiter = cache.rate_limiter("calls", 1, per=60)
        limited = cache.namespace("tenant").limited(limiter, "secret caller")
        async with cache.events(kinds=REFUSALS, keys=True) as stream:
            await limited.set("secret key", 1)
            for _ in range(2):
                with pytest.raises(RateLimitedError):
                    await limited.get("secret key")
            with pytest.raises(RateLimitedError):
                await limited.limited(cache.rate_limiter("more", 1)).get("secret key")
            assert told(stream) == [("tenant", "", None, RefusalCause.RATE_LIMITED)] * 3
        assert (await cache.namespace("tenant").stats()).refused_calls == (await cache.stats()).refused_calls == 3
        assert (await cache.stats()).misses == 0


async def test_a_loader_that_is_limited_itself_is_no_refused_call() -> None:
    """`RateLimitedError` of a source is an error of its loader."""

    def load() -> object:
        raise RateLimitedError(1.0)

    async with new_provider() as cache:
        with pytest.raises(RateLimitedError):
            await cache.get_or_set("key", load)
        stats = await cache.stats()

    assert (stats.refused_calls, stats.load_failures) == (0, 1)
