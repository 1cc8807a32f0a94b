"""Who read a stream so slowly that it had forgotten what came next was not told; only who was cut off was told so."""

import asyncio
from typing import Any

import redis.asyncio

from aiocache_kit import Config, RedisConfig
from aiocache_kit.factory.redis_way import way_of
from aiocache_kit.storage.backplane import Signal
from aiocache_kit.storage.redis.streams import MOST_KEPT, RedisStreams
from tests.servers.server import Server

TOO_MANY = MOST_KEPT + 2000


async def flood(server: Server, name: str) -> None:
    """Append more than a stream remembers, as `publish` does, but all at once."""
    client: Any = redis.asyncio.Redis(port=server.port)
    pipeline = client.pipeline(transaction=False)
    for number in range(TOO_MANY):
        pipeline.xadd(name, {"m": number}, maxlen=MOST_KEPT, approximate=True)
    await pipeline.execute()
    await client.aclose()


async def test_a_reader_who_is_too_slow(redis_server: Server, fresh_prefix: str) -> None:
    """Before the first message after those that the stream has forgotten, it is told that some may be missing."""
    name = f"{fresh_prefix}news"
    config = RedisConfig(addr=f"127.0.0.1:{redis_server.port}", key_prefix=fresh_prefix)
    plane = RedisStreams(way_of(Config(provider="redis", redis_config=config)), name)
    events = plane.listen()
    async with asyncio.timeout(30):
        assert await anext(events) is Signal.BACK
        for start in (b"first", b"second"):
            await plane.publish(start)
            assert await anext(events) == start

            await flood(redis_server, name)
            heard = [await anext(events)]
            while heard[-1] != b"%d" % (TOO_MANY - 1):
                heard.append(await anext(events))
            assert heard[0] is Signal.BACK
            assert heard.count(Signal.BACK) == 1
            assert 1 + MOST_KEPT <= len(heard) < 1 + TOO_MANY

    await events.aclose()
    await plane.close()


async def test_a_reader_who_is_busy(redis_server: Server, fresh_prefix: str) -> None:
    """Who is behind by less than that hears every message, and of no loss."""
    config = RedisConfig(addr=f"127.0.0.1:{redis_server.port}", key_prefix=fresh_prefix)
    plane = RedisStreams(way_of(Config(provider="redis", redis_config=config)), f"{fresh_prefix}news")
    events = plane.listen()
    async with asyncio.timeout(30):
        assert await anext(events) is Signal.BACK
        await plane.publish(b"first")
        assert await anext(events) == b"first"
        messages = [b"%d" % number for number in range(1200)]
        for message in messages:
            await plane.publish(message)
        assert [await anext(events) for _ in messages] == messages

    await events.aclose()
    await plane.close()
