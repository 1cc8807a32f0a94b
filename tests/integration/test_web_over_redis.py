"""Web applications whose cache is Redis, or memory in front of it: two of them, as two processes would be."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import date

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from fastapi import FastAPI
from pydantic import BaseModel

from aiocache_kit import Provider, new_layered, new_provider
from aiocache_kit.integrations import aiohttp_app, fastapi
from aiocache_kit.integrations.aiohttp_rate_limit import add_rate_limit
from aiocache_kit.integrations.asgi_rate_limit import RateLimitMiddleware
from tests.servers.server import Server

SOURCES: dict[str, Callable[[str], Provider]] = {
    "redis": new_provider,
    "redis, with what was read kept": lambda url: new_provider(f"{url}&client_cache=1000"),
    "memory in front of redis": lambda url: new_layered("memory://", url),
}
over_sources = pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)


class Book(BaseModel):
    """What is kept in parts, since a payload names no class."""

    title: str
    printed: date


class Shop:
    """One process's application; it counts the calls of its function."""

    def __init__(self, url: str, make: Callable[[str], Provider]) -> None:
        self.loads = 0
        self.cache = fastapi.AppCache(lambda: make(url))
        self.app = FastAPI(lifespan=self.cache.lifespan)

        @self.app.get("/books/{number}")
        @self.cache.cached(key="books:{number}", tags=["book:{number}"])
        async def read(number: int) -> list[Book]:
            self.loads += 1
            return [Book(title=f"volume {number}", printed=date(1843, 10, 1))]

        self.read = read

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[httpx.AsyncClient]:
        """Run it, and give a client of it."""
        async with (
            self.app.router.lifespan_context(self.app),
            httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://service") as client,
        ):
            yield client


@over_sources
async def test_models_come_back_in_every_process(
    redis_server: Server, fresh_prefix: str, make: Callable[[str], Provider]
) -> None:
    """One process's page is a hit in the other, as the models that the function gives, until it is invalidated."""
    url = f"redis://{redis_server.host}:{redis_server.port}/0?key_prefix={fresh_prefix}"
    one, other = Shop(url, make), Shop(url, make)
    expected = [{"title": "volume 1", "printed": "1843-10-01"}]
    async with one.running() as client, other.running() as client_of_other:
        for each in (client, client_of_other, client, client_of_other, client_of_other):
            assert (await each.get("/books/1")).json() == expected
        assert await other.read(1) == await other.read.peek(1) == [Book.model_validate(expected[0])]
        assert (one.loads, other.loads) == (1, 0)
        await one.cache.provider().invalidate_tags("book:1")
        assert (await client.get("/books/1")).json() == expected
        assert one.loads == 2


@over_sources
async def test_responses_come_back_in_every_process(
    redis_server: Server, fresh_prefix: str, make: Callable[[str], Provider]
) -> None:
    """A response that one process has made is given by the other, with its headers."""
    url = f"redis://{redis_server.host}:{redis_server.port}/0?key_prefix={fresh_prefix}"

    def make_app(name: str) -> web.Application:
        cache = aiohttp_app.AppCache(lambda: make(url))

        @cache.cached_handler(key="page:{number}")
        async def page(request: web.Request) -> web.Response:
            return web.Response(text=request.path, headers={"X-Made-By": name})

        app = web.Application()
        app.cleanup_ctx.append(cache.context)
        app.router.add_get("/{number}", page)
        return app

    async with (
        TestClient(TestServer(make_app("one"))) as one,
        TestClient(TestServer(make_app("other"))) as other,
    ):
        for client in (one, other, other):
            async with client.get("/1") as response:
                assert (await response.text(), response.headers["X-Made-By"]) == ("/1", "one")


async def test_a_limit_is_one_for_all_processes(redis_server: Server, fresh_prefix: str) -> None:
    """What was taken in one is missing in the other, behind FastAPI and behind aiohttp alike."""
    url = f"redis://{redis_server.host}:{redis_server.port}/0?key_prefix={fresh_prefix}"

    def limited_fastapi() -> FastAPI:
        cache = fastapi.AppCache(url)
        app = FastAPI(lifespan=cache.lifespan)
        limiter = cache.rate_limiter("api", 3, per=3600, on_unavailable="raise")
        app.add_middleware(RateLimitMiddleware, limiter=limiter, key=lambda _: "customer 7")
        app.add_api_route("/", lambda: "page")
        return app

    def limited_aiohttp() -> web.Application:
        async def page(_: web.Request) -> web.Response:
            return web.Response()

        cache, app = aiohttp_app.AppCache(url), web.Application()
        app.cleanup_ctx.append(cache.context)
        limiter = cache.rate_limiter("api", 3, per=3600, on_unavailable="raise")
        add_rate_limit(app, limiter, key=lambda _: "customer 7")
        app.router.add_get("/", page)
        return app

    one, other = limited_fastapi(), limited_fastapi()
    async with (
        one.router.lifespan_context(one),
        other.router.lifespan_context(other),
        httpx.AsyncClient(transport=httpx.ASGITransport(one), base_url="http://service") as first,
        httpx.AsyncClient(transport=httpx.ASGITransport(other), base_url="http://service") as second,
        TestClient(TestServer(limited_aiohttp())) as third,
    ):
        assert [(await each.get("/")).status_code for each in (first, second)] == [200, 200]
        for status in (200, 429):
            async with third.get("/") as answer:
                assert answer.status == status
        assert [(await each.get("/")).status_code for each in (first, second)] == [429, 429]
