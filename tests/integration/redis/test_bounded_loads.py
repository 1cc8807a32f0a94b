"""A bound on the loads of one process, where others load the same keys."""

import asyncio

from aiocache_kit import Config, LoadConfig, Provider, RedisConfig, new_provider
from tests.servers.server import Server


def bounded(server: Server, prefix: str) -> Provider:
    """Give a provider that loads one key at a time."""
    policy = LoadConfig(max_loads=1, max_waiting_loads=10)
    config = RedisConfig(addr=f"127.0.0.1:{server.port}", key_prefix=prefix)
    return new_provider(Config(provider="redis", redis_config=config, load_config=policy))


async def test_who_waits_for_room_keeps_nobody_else_from_loading(redis_server: Server, fresh_prefix: str) -> None:
    """Another process loads what waits here; when there is room, its value is found, and nothing is loaded again."""
    async with bounded(redis_server, fresh_prefix) as here, bounded(redis_server, fresh_prefix) as there:
        begun, go = asyncio.Event(), asyncio.Event()

        async def slow() -> str:
            begun.set()
            await go.wait()
            return "slow"

        async def ours() -> str:
            return "ours"

        async def theirs() -> str:
            return "theirs"

        busy = asyncio.create_task(here.get_or_set("busy", slow))
        await begun.wait()
        waiting = asyncio.create_task(here.get_or_set("k", ours))
        await asyncio.sleep(0)
        assert await there.get_or_set("k", theirs) == "theirs"
        go.set()
        assert [await busy, await waiting] == ["slow", "theirs"]
        assert (await here.stats()).loads == 1


async def test_processes_whose_loads_need_one_another_end(redis_server: Server, fresh_prefix: str) -> None:
    """Each process has all of its room taken by a load that needs a key which waits for room in the other one."""
    async with bounded(redis_server, fresh_prefix) as one, bounded(redis_server, fresh_prefix) as other:
        both = asyncio.Barrier(2)

        async def plain() -> str:
            return "plain"

        async def outer(cache: Provider, needed: str) -> str:
            await both.wait()
            return await cache.get_or_set(needed, plain)

        tasks = [
            asyncio.create_task(one.get_or_set("a", lambda: outer(one, "x"))),
            asyncio.create_task(other.get_or_set("b", lambda: outer(other, "y"))),
        ]
        await asyncio.sleep(0)
        tasks += [
            asyncio.create_task(one.get_or_set("y", plain)),
            asyncio.create_task(other.get_or_set("x", plain)),
        ]
        async with asyncio.timeout(10):
            assert await asyncio.gather(*tasks) == ["plain"] * 4
