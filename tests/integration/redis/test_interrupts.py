"""A program that is told to stop in mid-load: its call ends, and no other process waits for its lease."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from aiocache_kit import Provider
from tests.integration.redis.caches import cache_at
from tests.servers.server import Server

Load = Callable[[], Awaitable[object]]
LONG = 30.0
"""Seconds of a lease that a test would notice to be waited for."""


def say_nothing(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Report no task that was interrupted: here that is no news."""
    del loop, context


async def load_many(cache: Provider, load: Load) -> object:
    """Load two keys by one call."""

    async def load_all(keys: list[str]) -> dict[str, object]:
        return dict.fromkeys(keys, await load())

    return await cache.get_or_set_multi(["k", "l"], load_all)


CALLS: dict[str, Callable[[Provider, Load], Awaitable[object]]] = {
    "get_or_set": lambda cache, load: cache.get_or_set("k", load),
    "get_or_set_multi": load_many,
    "refresh": lambda cache, load: cache.refresh("k", load),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("at", ["once", "later"])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_passes_and_gives_the_lease_back(
    redis_server: Server, fresh_prefix: str, kind: type[BaseException], at: str, call: str
) -> None:
    """It ends the program as it would without a cache; who waits ends with it, and another process loads at once."""
    ended: list[str] = []

    async def load() -> object:
        if at == "later":
            await asyncio.sleep(0)
        raise kind

    async def begin(cache: Provider) -> None:
        await CALLS[call](cache, load)

    async def wait(cache: Provider) -> None:
        try:
            await cache.get_or_set("k", load)
        finally:
            ended.append("waiter")

    async def program() -> None:
        asyncio.get_running_loop().set_exception_handler(say_nothing)
        async with cache_at(redis_server.port, fresh_prefix, lease_ttl=LONG) as cache:
            await cache.ping()
            async with asyncio.TaskGroup() as group:
                caller = group.create_task(begin(cache))
                for _ in range(3):
                    group.create_task(wait(cache))
                await caller

    async def another_one() -> object:
        async with cache_at(redis_server.port, fresh_prefix, lease_ttl=LONG) as cache, asyncio.timeout(LONG / 3):
            return await cache.get_or_set("k", lambda: "loaded")

    with pytest.raises(kind):
        asyncio.run(program())
    assert len(ended) in {0, 3}  # none had begun, or all have ended
    assert asyncio.run(another_one()) == "loaded"
