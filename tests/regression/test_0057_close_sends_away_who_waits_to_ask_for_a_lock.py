"""Whoever waited to ask Redis again for a lock was not told of `close`, and went on waiting."""

import asyncio

import pytest

from aiocache_kit import Config, ProviderClosedError, RedisConfig, new_provider
from aiocache_kit.testing import FakeClock
from tests.servers.server import Server


async def test_close_sends_away_who_waits_to_ask_for_a_lock(redis_server: Server, fresh_prefix: str) -> None:
    """On a clock that stands still, who waits for a lock of another process is sent away by the close at once."""
    part = RedisConfig(addr=f"127.0.0.1:{redis_server.port}", key_prefix=fresh_prefix)
    config, clock = Config(provider="redis", redis_config=part), FakeClock()
    other = new_provider(config, clock=clock)

    async def wait() -> None:
        async with other.lock("k", timeout=60):
            pytest.fail("two hold one lock")

    async with new_provider(config) as cache, cache.lock("k"):
        await other.ping()
        before = clock.sleepers
        waiting = asyncio.create_task(wait())
        while clock.sleepers < before + 2:  # one keeps the turn in this process, the other one is to ask again
            await other.ping()
        await other.close()
        done, _ = await asyncio.wait([waiting], timeout=5)
        assert done
        with pytest.raises(ProviderClosedError):
            await waiting
