"""The middleware for aiohttp: what of its own ways is stored, what passes, and what it does behind a reader's back."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from aiocache_kit import Config, new_provider
from aiocache_kit.integrations.aiohttp_response_cache import add_response_cache, add_tags
from aiocache_kit.integrations.http import ResponseCache
from aiocache_kit.testing import FakeClock

Handle: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
FRESH = {"Cache-Control": "max-age=60"}


class World:
    """A server whose handler is a function of its test."""

    def __init__(self, cache: ResponseCache, clock: FakeClock) -> None:
        self.cache = cache
        self.clock = clock
        self.calls = 0
        self.handle: Handle = plain
        self.client: Any = None

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Handle a request."""
        self.calls += 1
        return await self.handle(request)

    async def ask(self, path: str = "/", *, method: str = "GET", **headers: str) -> tuple[int, Any, bytes]:
        """Ask once."""
        async with self.client.request(method, path, headers=headers, allow_redirects=False) as response:
            return response.status, response.headers, await response.read()


async def plain(request: web.Request) -> web.StreamResponse:
    """Give a plain response."""
    return web.Response(text=f"for {request.path}", headers=FRESH)


@asynccontextmanager
async def world() -> AsyncGenerator[World]:
    """Serve for one test."""
    clock = FakeClock()
    async with new_provider(Config(), clock=clock) as provider:
        it = World(ResponseCache(provider, clock=clock), clock)
        app = web.Application()

        async def handler(request: web.Request) -> web.StreamResponse:
            return await it(request)

        app.router.add_route("*", "/{path:.*}", handler)
        add_response_cache(app, it.cache)
        options: Any = {"cookie_jar": aiohttp.DummyCookieJar()}
        async with TestClient(TestServer(app), **options) as client:
            it.client = client
            yield it


async def streamed(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers=FRESH)
    await response.prepare(request)
    await response.write(b"a")
    await response.write_eof(b"b")
    return response


async def with_a_cookie(request: web.Request) -> web.StreamResponse:
    response = await plain(request)
    response.set_cookie("session", request.path)
    return response


async def compressed(request: web.Request) -> web.StreamResponse:
    response = await plain(request)
    response.enable_compression()
    return response


async def from_a_file(request: web.Request) -> web.StreamResponse:
    del request
    return web.FileResponse(Path(__file__), headers=FRESH)


async def not_found(request: web.Request) -> web.StreamResponse:
    raise web.HTTPNotFound(text=f"no {request.path}", headers=FRESH)


async def moved(request: web.Request) -> web.StreamResponse:
    del request
    raise web.HTTPFound("/elsewhere", headers=FRESH)


@pytest.mark.parametrize("handle", [streamed, with_a_cookie, compressed, from_a_file, not_found, moved])
async def test_what_is_not_whole_or_not_for_all_passes_through(handle: Handle) -> None:
    """Streams, files, cookies, compressed and raised responses reach their client as without a cache, each time."""
    async with world() as it:
        it.handle = handle
        first, second = await it.ask(), await it.ask()

    assert it.calls == 2
    assert (first[0], first[2]) == (second[0], second[2])
    assert first[1].get("Set-Cookie") == second[1].get("Set-Cookie")


async def test_a_json_response_is_kept_with_its_type() -> None:
    """Type, charset and body are those of the first response; a HEAD tells the same."""

    async def handle(request: web.Request) -> web.StreamResponse:
        add_tags(request, "all")
        return web.json_response({"a": "\u00e4"}, headers=FRESH)

    async with world() as it:
        it.handle = handle
        first, second, head = await it.ask(), await it.ask(), await it.ask(method="HEAD")
        assert it.calls == 1
        assert first[2] == second[2]
        for name in ("Content-Type", "Content-Length", "ETag"):
            assert first[1][name] == second[1][name] == head[1][name]
        await it.cache.invalidate_tags("all")
        await it.ask()
        assert it.calls == 2


async def test_a_redirect_after_a_change_forgets_the_page() -> None:
    """An exception that is a redirect counts as the success that it is; one that is an error does not."""
    async with world() as it:
        await it.ask()
        it.handle = not_found
        await it.ask(method="POST")
        it.handle = moved
        assert (await it.ask())[2] == b"for /"
        await it.ask(method="POST")
        it.handle = plain
        await it.ask()

    assert it.calls == 4


async def test_an_error_of_the_handler_is_answered_by_aiohttp() -> None:
    """What is no response of aiohttp's goes up to its server, and the next request is answered."""

    async def broken(request: web.Request) -> web.StreamResponse:
        raise ZeroDivisionError(request.path)

    async with world() as it:
        it.handle = broken
        assert (await it.ask())[0] == 500
        it.handle = plain
        assert (await it.ask())[2] == b"for /"


@pytest.mark.parametrize("renew", [plain, streamed], ids=["whole", "streamed"])
async def test_a_handler_called_behind_the_back_reaches_nobody(renew: Handle) -> None:
    """A stale response is given at once; what its successor sends does not get onto the reader's connection."""
    done = asyncio.Event()

    async def first(request: web.Request) -> web.StreamResponse:
        del request
        return web.Response(text="old", headers={"Cache-Control": "max-age=60, stale-while-revalidate=60"})

    async def second(request: web.Request) -> web.StreamResponse:
        assert request.method == "GET"
        response = await renew(request)
        done.set()
        return response

    async with world() as it:
        it.handle = first
        await it.ask()
        it.clock.leap(61)
        it.handle = second
        assert (await it.ask())[2] == b"old"
        await done.wait()
        await it.clock.settle()
        it.handle = plain
        assert (await it.ask("/other"))[2] == b"for /other"
        assert (await it.ask())[2] == b"for /"
        assert it.calls == (3 if renew is plain else 4)  # what is streamed is not kept


async def test_many_at_once_are_one_call() -> None:
    """Requests over connections of their own share one call of the handler."""
    reached, gate = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        reached.set()
        await gate.wait()
        return await plain(request)

    async with world() as it:
        it.handle = slow
        asking = [asyncio.create_task(it.ask()) for _ in range(10)]
        await reached.wait()
        gate.set()
        assert {body for _, _, body in await asyncio.gather(*asking)} == {b"for /"}

    assert it.calls == 1


async def test_a_header_that_cannot_be_copied_is_not_for_the_cache() -> None:
    """Bytes outside of ASCII in a request pass by, and reach the handler as they are."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(body=dict(request.raw_headers)[b"X-Odd"], headers=FRESH)

    async with world() as it:
        it.handle = handle
        for _ in range(2):
            _, headers, body = await it.ask(**{"X-Odd": "\u00e4"})
            assert body == "\u00e4".encode()
            assert headers["Cache-Status"] == "aiocache_kit; fwd=bypass; detail=headers"
