"""A task that was ended before it began took back nothing of what had been done for it.

Who waited for a connection that was closed as soon as it was asked for waited for all of his time, and an address whose
response was to be made anew when the cache was closed was never made anew again.
"""

import asyncio

import pytest

from aiocache_kit import Config, StorageUnavailableError, new_provider
from aiocache_kit.integrations.asgi import Message, Receive, ResponseCacheMiddleware, Scope, Send
from aiocache_kit.integrations.http import ResponseCache
from aiocache_kit.storage.redis.attempts import Attempts, Times
from aiocache_kit.storage.redis.dial import Host, Place
from aiocache_kit.storage.redis.link import Link
from aiocache_kit.testing import FakeClock
from tests.unit.storage.redis.test_tracking import ROOM, Lines


async def test_a_connection_that_is_closed_at_once() -> None:
    """Who has asked for a connection is sent away when it is closed, and does not wait for his time to be over."""

    async def locate() -> Place:
        return Host("nowhere", 1)

    attempts = Attempts(times=Times(connect=50, send=50, answer=50), retries=0, breaker=None)
    link = Link(Lines(asyncio.Queue()), locate, attempts, most_unread=ROOM)
    call = asyncio.create_task(link.call((b"PING",), again=True))
    closing = asyncio.create_task(link.close())
    with pytest.raises(StorageUnavailableError, match="is closed"):
        await call
    await closing


async def test_a_response_that_was_to_be_made_anew() -> None:
    """After the cache was closed in the middle of it, a stale response is made anew all the same."""
    clock, made = FakeClock(), 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal made
        del scope, receive
        made += 1
        headers = [(b"cache-control", b"max-age=10, stale-while-revalidate=100")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"%d" % made})

    async with new_provider(Config(), clock=clock) as provider:
        cache = ResponseCache(provider, clock=clock)
        middleware = ResponseCacheMiddleware(app, cache)

        async def ask() -> bytes:
            said = b""

            async def send(message: Message) -> None:
                nonlocal said
                said += message.get("body", b"")

            async def receive() -> Message:
                return {"type": "http.request"}

            scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"shop.example")]}
            await middleware(scope, receive, send)
            return said

        assert await ask() == b"1"
        await clock.advance(20)
        assert await ask() == b"1"
        await cache.close()
        assert made == 1

        assert await ask() == b"1"
        await clock.settle()
        assert await ask() == b"2"
        await cache.close()
