"""Messages of other processes that had come, and that the connection was lost, were told when Redis was back again.

A listener that was at work on the message before them went on giving what they said is no longer true.
"""

import asyncio
from contextlib import aclosing

import pytest

from aiocache_kit import Config, RedisConfig
from aiocache_kit.factory.redis_way import way_of
from aiocache_kit.storage.backplane import Signal
from aiocache_kit.storage.redis.pubsub import RedisPubSub
from tests.servers.fixtures import StartServer

pytestmark = pytest.mark.blocking  # redis-py looks up its own version on the disk when it connects

MESSAGES = [b"one", b"two", b"three"]


async def test_they_are_told_while_the_server_is_away(start_server: StartServer) -> None:
    """First what came, then that it ended, and that it goes on once it does."""
    server = start_server()
    backplane = RedisPubSub(
        way_of(Config(provider="redis", redis_config=RedisConfig(addr=f"127.0.0.1:{server.port}"))), "c"
    )
    try:
        async with aclosing(backplane.listen()) as events:
            assert await anext(events) is Signal.BACK
            for message in MESSAGES:
                await backplane.publish(message)
            told = [await anext(events)]
            wire = backplane._link.wire
            assert wire is not None
            await asyncio.to_thread(server.kill)
            await wire.gone()
            async with asyncio.timeout(10):
                told += [await anext(events) for _ in MESSAGES]
            assert told == [*MESSAGES, Signal.LOST]
            await asyncio.to_thread(server.start)
            assert await anext(events) is Signal.BACK
    finally:
        await backplane.close()
