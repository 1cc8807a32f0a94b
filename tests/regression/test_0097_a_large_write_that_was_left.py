"""A large `set` whose caller was cancelled came after a later `delete` or `set` of the key, and undid it.

What is large goes by a connection of its own, and is on its way for longer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from aiocache_kit import Config, Provider, RedisConfig, new_provider
from tests.integration.redis.caches import link_of, storage_of
from tests.servers.server import Server

pytestmark = pytest.mark.blocking  # redis-py looks up its own version on the disk when it connects

LARGE = "x" * 30_000_000
MANY = {f"m{each}": "x" * 200_000 for each in range(99)} | {"k": "old"}

WRITES: dict[str, Callable[[Provider], Coroutine[Any, Any, object]]] = {
    "set": lambda cache: cache.set("k", LARGE),
    "set of an item": lambda cache: cache.set("k", LARGE, cost=2),
    "set_multi": lambda cache: cache.set_multi(MANY),
    "add": lambda cache: cache.add("k", LARGE),
}
CHANGES: dict[str, tuple[Callable[[Provider], Awaitable[object]], object]] = {
    "set": (lambda cache: cache.set("k", "new"), "new"),
    "set of an item": (lambda cache: cache.set("k", "new", cost=2), "new"),
    "set_multi": (lambda cache: cache.set_multi({"k": "new"}), "new"),
    "delete": (lambda cache: cache.delete("k"), None),
    "delete_multi": (lambda cache: cache.delete_multi(["k"]), None),
    "expire": (lambda cache: cache.expire("k"), None),
    "clear": (lambda cache: cache.clear(), None),
}


async def leave(cache: Provider, writing: "asyncio.Task[object]") -> None:
    """Cancel a write as soon as it has left."""
    link = link_of(cache)
    while not writing.done() and not (link._large.wire and link._large.wire.under_way):  # noqa: ASYNC110  - nobody tells
        await asyncio.sleep(0)
    writing.cancel()
    with suppress(asyncio.CancelledError):
        await writing


def cache_of(server: Server, prefix: str, **options: Any) -> Provider:  # noqa: ANN401  - see RedisConfig
    """Make a cache that takes what is large."""
    redis_config = RedisConfig(
        addr=f"127.0.0.1:{server.port}", key_prefix=prefix, read_timeout=10, write_timeout=10, **options
    )
    return new_provider(Config(provider="redis", max_value_size="64MB", redis_config=redis_config))


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("change", ["set", "delete"])
async def test_no_write_that_was_left_undoes_a_change(
    redis_server: Server, fresh_prefix: str, write: str, change: str
) -> None:
    """Whatever wrote what is large, and was cancelled, a later change of the key comes after it."""
    await _change_after(redis_server, fresh_prefix, write, change)


@pytest.mark.parametrize("change", CHANGES)
async def test_every_change_comes_after_what_was_left(redis_server: Server, fresh_prefix: str, change: str) -> None:
    """Each kind of change waits for a write of its key that was left."""
    await _change_after(redis_server, fresh_prefix, "set", change)


async def _change_after(server: Server, prefix: str, write: str, change: str) -> None:
    act, expected = CHANGES[change]
    async with cache_of(server, prefix) as cache:
        await cache.set("warm", "x" * 300_000)  # both connections are there
        await cache.add("warm, too", 1)  # and the script is
        await leave(cache, asyncio.create_task(WRITES[write](cache)))
        await act(cache)
        await cache.set("last", "x" * 300_000)  # by the connection for what is large: all before it is done
        is_expected = await cache.get("k") == expected  # apart: what is large would be shown
        assert is_expected
        assert not storage_of(cache)._writer._left.writes


async def test_a_counter(redis_server: Server, fresh_prefix: str) -> None:
    """An increment comes after what was left, too, so that it finds what that wrote."""
    async with cache_of(redis_server, fresh_prefix) as cache:
        await cache.set("warm", "x" * 300_000)
        await leave(cache, asyncio.create_task(cache.set_multi(MANY | {"k": 41})))
        assert await cache.increment("k") == 42
        await cache.set("last", "x" * 300_000)
        assert await cache.get("k") == 42


async def test_closing_waits_for_nothing_that_was_left(redis_server: Server, fresh_prefix: str) -> None:
    """What is on its way at the close is ended with the connections, and leaves no task behind."""
    cache = cache_of(redis_server, fresh_prefix)
    await cache.set("warm", "x" * 300_000)
    await asyncio.to_thread(redis_server.freeze)
    try:
        await leave(cache, asyncio.create_task(cache.set("k", LARGE)))
        async with asyncio.timeout(5):
            await cache.close()
        assert not storage_of(cache)._writer._left._tasks
    finally:
        await asyncio.to_thread(redis_server.thaw)


async def test_with_a_pool(redis_server: Server, fresh_prefix: str) -> None:
    """A pool does the same: the connection that was left goes on."""
    async with cache_of(redis_server, fresh_prefix, multiplexed=False) as cache:
        await cache.set("warm", "x" * 300_000)
        writing = asyncio.create_task(cache.set("k", LARGE))
        for _ in range(20):
            await asyncio.sleep(0)
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        await cache.delete("k")
        assert not storage_of(cache)._writer._left.writes
        assert await cache.get("k") is None
