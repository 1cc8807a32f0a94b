"""A provider belongs to one event loop at a time: another one may follow it, and none may use it meanwhile."""

import asyncio
import gc
from typing import Any

import pytest

from aiocache_kit import UnsupportedError, new_provider
from tests.servers.server import Server


# The first loop ends without a word, and leaves its connection to the collector of garbage, which warns of it.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_second_loop_may_follow(redis_server: Server, fresh_prefix: str) -> None:
    """What a program does by two calls of `asyncio.run` works as it does in memory, and closing as well."""
    in_two_loops(f"redis://127.0.0.1:{redis_server.port}?key_prefix={fresh_prefix}")
    gc.collect()


def in_two_loops(url: str) -> None:
    cache = new_provider(url)

    async def use(number: int) -> list[Any]:
        await cache.set("k", number)
        loaded = await cache.get_or_set(f"loaded:{number}", lambda: number)
        return [await cache.get("k"), loaded, await cache.get_multi(["k"]), await cache.increment("n")]

    assert asyncio.run(use(1)) == [1, 1, {"k": 1}, 1]
    assert asyncio.run(use(2)) == [2, 2, {"k": 2}, 2]
    asyncio.run(cache.close())


async def test_two_loops_at_once_are_told(redis_server: Server, fresh_prefix: str) -> None:
    """Whoever asks on another loop gets one sentence, and those on the first one go on."""

    async def elsewhere() -> str:
        with pytest.raises(UnsupportedError, match="belongs to one, so make one for each"):
            await cache.get_multi(["k"])
        with pytest.raises(UnsupportedError) as caught:
            await cache.get("k")
        return str(caught.value)

    async with new_provider(f"redis://127.0.0.1:{redis_server.port}?key_prefix={fresh_prefix}") as cache:
        await cache.set("k", 1)

        assert "another event loop" in await asyncio.to_thread(asyncio.run, elsewhere())
        assert await cache.get("k") == 1
