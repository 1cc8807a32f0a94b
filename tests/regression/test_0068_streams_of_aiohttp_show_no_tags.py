"""What a handler of aiohttp sends itself reached its client with its tags, and without `Cache-Status`."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDictProxy

from aiocache_kit import Config, new_provider
from aiocache_kit.integrations.aiohttp_response_cache import add_response_cache
from aiocache_kit.integrations.http import ResponseCache, ResponseCacheOptions

Handle: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
SAID = {"Cache-Control": "max-age=60", "Cache-Tag": "customer:4711", "X-Own": "kept"}


async def streamed(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers=SAID)
    response.set_cookie("session", "1")
    await response.prepare(request)
    await response.write(b"part")
    return response


async def raised(request: web.Request) -> web.StreamResponse:
    del request
    raise web.HTTPFound("/elsewhere", headers=SAID)


async def returned(request: web.Request) -> web.StreamResponse:
    del request
    return web.Response(status=302, headers={**SAID, "Location": "/elsewhere"})


async def ask(handle: Handle, options: ResponseCacheOptions, **headers: str) -> list[CIMultiDictProxy[str]]:
    """Ask twice, and give the headers of the answers."""
    app = web.Application()
    app.router.add_get("/", handle)
    found: list[CIMultiDictProxy[str]] = []
    jar: Any = {"cookie_jar": aiohttp.DummyCookieJar()}
    async with new_provider(Config()) as provider:
        add_response_cache(app, ResponseCache(provider, options))
        async with TestClient(TestServer(app), **jar) as client:
            for _ in range(2):
                async with client.get("/", allow_redirects=False, headers=headers) as response:
                    body = await response.read()
                    assert handle is not streamed or body == b"part"
                    found.append(response.headers)
    return found


@pytest.mark.parametrize("condition", [{}, {"If-None-Match": '"a"'}], ids=["plain", "conditional"])
async def test_streams(condition: dict[str, str]) -> None:
    """Their clients get what those of other responses get; cookies and other headers are there once."""
    for headers in await ask(streamed, ResponseCacheOptions(), **condition):
        assert "Cache-Tag" not in headers
        assert headers.getall("Cache-Status") == ["aiocache_kit; fwd=uri-miss"]
        assert headers.getall("Set-Cookie") == ["session=1; Path=/"]
        assert headers.getall("X-Own") == ["kept"]


async def test_streams_as_the_options_have_it() -> None:
    """Tags that may be seen are, and a cache without a name adds nothing."""
    for headers in await ask(streamed, ResponseCacheOptions(expose_tags=True, cache_status=None)):
        assert headers.getall("Cache-Tag") == ["customer:4711"]
        assert "Cache-Status" not in headers


async def test_redirects() -> None:
    """One that is raised goes out as it is each time; one that is returned is kept. Neither shows its tags."""
    first, second = await ask(raised, ResponseCacheOptions())
    assert first["Cache-Status"] == second["Cache-Status"] == "aiocache_kit; fwd=uri-miss"
    kept, found = await ask(returned, ResponseCacheOptions())
    assert kept["Cache-Status"].endswith("stored")
    assert found["Cache-Status"].startswith("aiocache_kit; hit")
    for headers in (first, second, kept, found):
        assert headers["Location"] == "/elsewhere"
        assert "Cache-Tag" not in headers
        assert len(headers.getall("Cache-Status")) == 1


async def test_websockets() -> None:
    """Their handshake is left alone."""

    async def echo(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    app = web.Application()
    app.router.add_get("/", echo)
    async with new_provider(Config()) as provider:
        add_response_cache(app, ResponseCache(provider))
        async with TestClient(TestServer(app)) as client, client.ws_connect("/") as socket:
            await socket.send_str("text")
            assert await socket.receive_str() == "text"
            response: Any = getattr(socket, "_response")  # noqa: B009  - aiohttp has no other way to see the handshake
            assert "Cache-Status" not in response.headers
