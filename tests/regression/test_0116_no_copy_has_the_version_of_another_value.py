"""Of two writes in one microsecond, a near layer took its own value for the one that the lowest layer had.

`update` then changed the one and stored it over the other: an update was lost.
"""

import asyncio
import secrets

from aiocache_kit import Config, Provider, RedisConfig, new_storage
from aiocache_kit.storage.layered import Layer, LayeredStorage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.storage.redis.storage import RedisStorage
from aiocache_kit.testing import FakeClock
from tests.servers.server import Server


async def test_no_copy_has_the_version_of_another_value(redis_server: Server) -> None:
    """With time that stands still for both, what each reads before a change is what lies below."""
    clock = FakeClock()
    part = RedisConfig(addr=f"127.0.0.1:{redis_server.port}", key_prefix=f"{secrets.token_hex(4)}:")
    lowest = [new_storage(Config(provider="redis", redis_config=part)) for _ in range(2)]
    one, other = (
        Provider(LayeredStorage([Layer(memory_storage(), "near"), Layer(each, "lowest")]), clock=clock)
        for each in lowest
    )
    async with one, other:
        await asyncio.gather(one.ping(), other.ping())
        first, second = lowest
        assert isinstance(first, RedisStorage)
        assert isinstance(second, RedisStorage)
        second._time._offset = first._time._offset  # so that both date by the same microsecond
        for number in range(10):
            writer, reader = (one, other) if number % 2 else (other, one)
            await reader.set("k", -1)
            await writer.set("k", number)
            assert await reader.update("k", lambda old: old + 1) == number + 1
