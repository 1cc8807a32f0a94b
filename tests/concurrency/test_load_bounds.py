"""A bound on the loads under way, and what happens to those beyond it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest

from aiocache_kit import Config, LoadConfig, Provider, new_provider
from aiocache_kit.errors import InvalidArgumentError, OverloadedError, RateLimitedError
from aiocache_kit.storage.null import NullStorage
from aiocache_kit.testing import FakeClock

Loader = Callable[[], Awaitable[Any]]


class Source:
    """A source whose loads stay under way until they are let go."""

    def __init__(self) -> None:
        self.under_way: dict[str, asyncio.Event] = {}
        self.most = 0
        self.asked: list[str] = []

    def loader(self, key: str, value: object = "new", then: Loader | None = None) -> Loader:
        async def load() -> object:
            self.asked.append(key)
            self.under_way[key] = asyncio.Event()
            self.most = max(self.most, len(self.under_way))
            try:
                await self.under_way[key].wait()
                return value if then is None else await then()
            finally:
                del self.under_way[key]

        return load

    def let_go(self, *keys: str) -> None:
        for key in keys or tuple(self.under_way):
            self.under_way[key].set()


@pytest.fixture
async def source() -> AsyncGenerator[Source]:
    """A source with nothing under way."""
    source = Source()
    yield source
    assert source.under_way == {}


def bounded(clock: FakeClock | None = None, *, loads: int = 2, waiting: int = 2, **policy: Any) -> Provider:  # noqa: ANN401  - of LoadConfig
    config = LoadConfig(max_loads=loads, max_waiting_loads=waiting, **policy)
    return new_provider(Config(load_config=config), clock=clock)


async def asked(cache: Provider, source: Source, keys: str) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.create_task(cache.get_or_set(key, source.loader(key))) for key in keys]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_loads_beyond_the_bound_wait_and_beyond_the_queue_are_refused(source: Source) -> None:
    """So many run, so many wait in their order, and the rest is told at once; nothing of it is remembered."""
    async with bounded() as cache:
        tasks = await asked(cache, source, "abcdef")
        assert source.asked == ["a", "b"]
        for refused in tasks[4:]:
            with pytest.raises(OverloadedError):
                await refused
        source.let_go("b")
        assert await tasks[1] == "new"
        for _ in range(5):
            await asyncio.sleep(0)
        assert source.asked == ["a", "b", "c"]
        while not all(task.done() for task in tasks):
            source.let_go()
            await asyncio.sleep(0)
        assert [await task for task in tasks[:4]] == ["new"] * 4
        again = await asked(cache, source, "e")
        source.let_go()
        assert await again[0] == "new"
        assert source.most == 2
        assert (await cache.stats()).loads == 5


async def test_callers_of_one_key_share_one_place(source: Source) -> None:
    """A thousand callers of a key that waits take one place in the queue, and so do many keys of one call."""
    async with bounded(loads=1, waiting=2) as cache:
        tasks = await asked(cache, source, "a" + "b" * 1000)
        many = asyncio.create_task(cache.get_or_set_multi(["x", "y"], lambda keys: dict.fromkeys(keys, 1)))
        for _ in range(5):
            await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await cache.get_or_set("c", source.loader("c"))
        while not all(task.done() for task in tasks):
            source.let_go()
            await asyncio.sleep(0)
        assert await many == {"x": 1, "y": 1}
        assert source.asked == ["a", "b"]


async def test_who_leaves_the_queue_makes_room(source: Source) -> None:
    """A waiting load whose last caller is cancelled takes no slot, and its place is free."""
    async with bounded(loads=1, waiting=1) as cache:
        tasks = await asked(cache, source, "ab")
        tasks[1].cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        tasks += await asked(cache, source, "c")
        source.let_go("a")
        await tasks[0]
        for _ in range(5):
            await asyncio.sleep(0)
        source.let_go("c")
        assert await tasks[2] == "new"
        assert source.asked == ["a", "c"]


async def test_a_load_may_ask_for_others(source: Source) -> None:
    """What a load under way waits for needs no slot, whether it asks for that first or somebody else has."""
    async with bounded(loads=1, waiting=5) as cache:

        async def inner() -> object:
            return await cache.get_or_set("inner", source.loader("inner"))

        async def queued() -> object:
            return await cache.get_or_set("queued", source.loader("queued"))

        outer = [
            asyncio.create_task(cache.get_or_set("1", source.loader("1", then=inner))),
            asyncio.create_task(cache.get_or_set("2", source.loader("2", then=queued))),
            asyncio.create_task(queued()),
        ]
        async with asyncio.timeout(5):
            while not all(task.done() for task in outer):
                source.let_go()
                await asyncio.sleep(0)
        assert source.asked == ["1", "inner", "2", "queued"]


async def test_a_load_that_others_queue_for_is_let_in_when_a_load_asks_for_it(source: Source) -> None:
    """A load that waits for a slot goes on once whoever has the slot waits for it."""
    async with bounded(loads=1, waiting=5) as cache:

        async def ask_for_b() -> object:
            return await cache.get_or_set("b", source.loader("b"))

        first = asyncio.create_task(cache.get_or_set("a", source.loader("a", then=ask_for_b)))
        await asyncio.sleep(0)
        second = await asked(cache, source, "b")
        assert source.asked == ["a"]
        source.let_go("a")
        for _ in range(5):
            await asyncio.sleep(0)
        assert source.asked == ["a", "b"]
        source.let_go("b")
        assert [await first, await second[0]] == ["new", "new"]


async def test_an_old_value_stands_in_for_a_load_without_room(source: Source) -> None:
    """Where the policy keeps old values, who finds no room gets that, and the source does not count as failed."""
    clock = FakeClock()
    async with bounded(clock, loads=1, waiting=0, stale_if_error=60, stale_on=KeyError, throttle=30) as cache:
        await cache.set("a", "old", ttl=1)
        await clock.advance(2)
        busy = await asked(cache, source, "b")
        assert await cache.get_or_set("a", source.loader("a")) == "old"
        many = await cache.get_or_set_multi(["a"], lambda keys: dict.fromkeys(keys, "never"))
        assert many == {"a": "old"}
        source.let_go("b")
        await busy[0]
        again = await asked(cache, source, "a")
        source.let_go("a")
        assert await again[0] == "new"


async def test_a_rate_limit_in_a_loader_lets_an_old_value_stand_in() -> None:
    """A loader that finds its source's limit reached has failed, whatever `stale_on` says."""
    clock = FakeClock()

    async def load() -> str:
        raise RateLimitedError(5)

    async with new_provider(Config(), clock=clock) as cache:
        with pytest.raises(RateLimitedError):
            await cache.get_or_set("a", load, stale_if_error=60, stale_on=KeyError)
        await cache.get_or_set("b", lambda: "old", ttl=1, stale_if_error=60)
        await clock.advance(2)
        assert await cache.get_or_set("b", load, stale_if_error=60, stale_on=KeyError) == "old"


async def test_no_load_begins_in_the_background_while_there_is_no_room(source: Source) -> None:
    """A refresh waits for nobody's slot: it is left to a later hit, and takes no place of those who wait."""
    clock = FakeClock()
    async with bounded(clock, loads=1, waiting=1, stale_while_revalidate=60) as cache:
        await cache.set("a", "old", ttl=1)
        await clock.advance(2)
        busy = await asked(cache, source, "b")
        assert await cache.get_or_set("a", source.loader("a")) == "old"
        await clock.settle()
        busy += await asked(cache, source, "c")
        while not all(task.done() for task in busy):
            source.let_go()
            await asyncio.sleep(0)
        assert source.asked == ["b", "c"]
        assert await cache.get_or_set("a", source.loader("a")) == "old"
        await clock.settle()
        source.let_go("a")
        await clock.settle()
        assert await cache.get("a") == "new"


async def test_waiting_for_a_slot_does_not_count_as_loading(source: Source) -> None:
    """`timeout` bounds the loader's own time, so that who waits behind slow ones is not failed for it."""
    clock = FakeClock()
    async with bounded(clock, loads=1, waiting=5, timeout=10) as cache:
        tasks = await asked(cache, source, "ab")
        await clock.advance(8)
        source.let_go("a")
        await clock.settle()
        await clock.advance(8)
        source.let_go("b")
        await clock.settle()
        assert [await task for task in tasks] == ["new", "new"]


async def test_closing_ends_those_who_wait(source: Source) -> None:
    """No load that waits for a slot is left after `close`."""
    cache = bounded(loads=1, waiting=5)
    tasks = await asked(cache, source, "abc")
    await cache.close()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(each).__name__ for each in ends} == {"ProviderClosedError"}
    assert source.asked == ["a"]


def test_bounds_that_cannot_be_are_refused() -> None:
    """A provider over a storage of one's own checks its bounds, too."""
    for name, value in (("max_loads", 0), ("max_loads", True), ("max_waiting_loads", -1)):
        with pytest.raises(InvalidArgumentError, match=f"{name} must be a whole number"):
            Provider(NullStorage(), **{name: value})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  - the test
