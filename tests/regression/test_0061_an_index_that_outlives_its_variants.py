"""The index of the variants of an address ended a day after its last new one, however long these were kept."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiocache_kit import Config, Provider, new_provider
from aiocache_kit.integrations.asgi import Message, Receive, ResponseCacheMiddleware, Scope, Send
from aiocache_kit.integrations.http import ResponseCache
from aiocache_kit.testing import FakeClock

MINUTE, DAY = 60.0, 86_400.0


class World:
    """A cache in front of an application whose pages are in two languages; the one in English is for a month."""

    def __init__(self, provider: Provider, clock: FakeClock) -> None:
        self.provider = provider
        self.clock = clock
        self.door = ResponseCacheMiddleware(self.app, ResponseCache(provider, clock=clock))
        self.calls = 0
        self.status = 200

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        del receive
        self.calls += 1
        language = dict(scope["headers"])[b"accept-language"]
        control = b"max-age=2592000" if language == b"en" else b"max-age=60, stale-if-error=86400"
        headers = [(b"cache-control", control), (b"vary", b"accept-language")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": language})

    async def ask(self, language: str) -> int:
        """Ask for the page, and give the status."""
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.request"}

        headers = [(b"host", b"shop.example"), (b"accept-language", language.encode())]
        await self.door({"type": "http", "method": "GET", "path": "/", "headers": headers}, receive, send)
        assert self.status != 200 or sent[1]["body"] == language.encode()
        return int(sent[0]["status"])


@asynccontextmanager
async def world() -> AsyncGenerator[World]:
    """Make one for a test."""
    clock = FakeClock()
    async with new_provider(Config(), clock=clock) as provider:
        yield World(provider, clock)


async def test_a_variant_that_is_renewed_is_found() -> None:
    """What was renewed a while ago stands in where the application fails, days after it was new."""
    async with world() as it:
        for _ in range(5 * 24):
            await it.ask("de")
            it.clock.leap(60 * MINUTE)
        it.status = 503
        assert await it.ask("de") == 200
        it.clock.leap(DAY - 60 * MINUTE)
        assert await it.ask("de") == 200
        assert it.calls == 5 * 24 + 2


async def test_a_short_variant_leaves_a_long_one_its_time() -> None:
    """A page for a month is found as long as that, whatever others come, and are renewed, beside it."""
    async with world() as it:
        await it.ask("en")
        for _ in range(28):
            await it.ask("de")
            it.clock.leap(DAY)
        calls = it.calls
        await it.ask("en")
        assert it.calls == calls


async def test_an_index_is_not_written_for_each_renewal() -> None:
    """It outlives its variants by a day, so that there is nothing to do most of the time."""
    async with world() as it:
        await it.ask("de")
        sets = (await it.provider.stats()).sets
        for _ in range(20):
            it.clock.leap(60 * MINUTE)
            await it.ask("de")
        assert it.calls == 21
        assert (await it.provider.stats()).sets <= sets + 21


async def test_what_was_invalidated_meanwhile_gets_no_index() -> None:
    """A variant that is renewed while its address is invalidated is not stored, and neither is an index of it."""
    async with world() as it:
        await it.ask("de")
        it.clock.leap(2 * MINUTE)
        inner = it.door.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await it.door.cache.invalidate_url("http://shop.example/")
            await inner(scope, receive, send)

        it.door = ResponseCacheMiddleware(app, it.door.cache)
        await it.ask("de")
        assert [key async for key in it.provider.keys("/") if key == "/? http://shop.example"] == []
