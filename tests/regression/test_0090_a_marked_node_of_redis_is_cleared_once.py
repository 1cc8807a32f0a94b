"""A Redis node that had missed something was cleared by every process that opened it later, without end.

Its clear leaves the generation that the mark fits where it is.
"""

import asyncio

import pytest

from aiocache_kit import Config, Node, Provider, RedisConfig, StorageUnavailableError, new_distributed
from tests.servers.fixtures import StartServer
from tests.servers.server import Server

pytestmark = pytest.mark.blocking  # redis-py looks up its own version on the disk when it connects

VALUES = {f"k{each}": each for each in range(40)}


def process(servers: list[Server], prefix: str) -> Provider:
    """Make the cache as a process has it."""
    configs = [
        Config(provider="redis", redis_config=RedisConfig(addr=f"127.0.0.1:{server.port}", key_prefix=prefix))
        for server in servers
    ]
    return new_distributed(*[Node(f"n{place}", config) for place, config in enumerate(configs)], timeout=0.3)


async def test_who_opens_after_the_clear_finds_what_was_written_since(
    start_server: StartServer, fresh_prefix: str
) -> None:
    """The first process to open a marked node clears it; the next one finds all there is."""
    servers = [start_server(), start_server()]
    async with process(servers, fresh_prefix) as first:
        await first.set_multi(VALUES)
        await asyncio.to_thread(servers[1].freeze)
        try:
            for key in VALUES:
                try:
                    await first.delete(key)
                except StorageUnavailableError:
                    break  # it has been missed, and is marked
            else:
                pytest.fail("no key lies on the node that stands still")
        finally:
            await first.close()
            await asyncio.to_thread(servers[1].thaw)

    async with process(servers, fresh_prefix) as second:
        assert len(await second.get_multi(VALUES)) < len(VALUES)
        await second.set_multi(VALUES)
    async with process(servers, fresh_prefix) as third:
        assert await third.get_multi(VALUES) == VALUES
