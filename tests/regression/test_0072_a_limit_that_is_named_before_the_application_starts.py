"""No limiter of an `AppCache` could be given to a middleware, which is made before the application starts."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from fastapi import FastAPI

from aiocache_kit import (
    Config,
    FileConfig,
    InvalidArgumentError,
    InvalidKeyError,
    InvalidTTLError,
    ProviderClosedError,
    RateLimiter,
    UnsupportedError,
)
from aiocache_kit.integrations import aiohttp_app, fastapi
from aiocache_kit.integrations.aiohttp_rate_limit import add_rate_limit
from aiocache_kit.integrations.app_cache import AppCache
from aiocache_kit.integrations.asgi_rate_limit import RateLimitMiddleware


@asynccontextmanager
async def by_fastapi(cache: fastapi.AppCache, limiter: Any) -> AsyncGenerator[list[int]]:  # noqa: ANN401  - what is tried
    """Run an application behind a limit; gives the statuses of three requests."""
    app = FastAPI(lifespan=cache.lifespan)
    app.add_middleware(RateLimitMiddleware, limiter=limiter)
    app.add_api_route("/", lambda: "page")
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service") as client,
    ):
        yield [(await client.get("/")).status_code for _ in range(3)]


@asynccontextmanager
async def by_aiohttp(cache: aiohttp_app.AppCache, limiter: Any) -> AsyncGenerator[list[int]]:  # noqa: ANN401  - as above
    """Do the same with aiohttp."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="page")

    app = web.Application()
    app.cleanup_ctx.append(cache.context)
    add_rate_limit(app, limiter)
    app.router.add_get("/", page)
    async with TestClient(TestServer(app)) as client:
        statuses: list[int] = []
        for _ in range(3):
            async with client.get("/") as answer:
                statuses.append(answer.status)
        yield statuses


async def test_it_limits_while_the_application_runs() -> None:
    """One limiter for all requests, of the provider that is there; a new start has a new one, in memory."""
    own, other = fastapi.AppCache(), aiohttp_app.AppCache()
    for cache, serve in ((own, by_fastapi), (other, by_aiohttp)):
        made: Any = cache.namespace("limits").rate_limiter("api", 2, per=3600)
        running: Any = serve
        for _ in range(2):
            async with running(cache, made) as statuses:
                assert statuses == [200, 200, 429]
                assert made() is made()
                assert isinstance(made(), RateLimiter)
                assert made().refused == 1
        with pytest.raises(ProviderClosedError, match="its application has to run"):
            made()


async def test_what_is_wrong_is_told_at_once_or_at_the_start(tmp_path: Path) -> None:
    """Arguments when it is named, and a storage that cannot count when the application starts."""
    cache = AppCache(Config(provider="file", file_config=FileConfig(dir=tmp_path, shared=True)))
    with pytest.raises(InvalidArgumentError, match="rate"):
        cache.rate_limiter("api", 0)
    with pytest.raises(InvalidTTLError):
        cache.rate_limiter("api", 1, per=-1)
    with pytest.raises(InvalidKeyError):
        cache.rate_limiter("", 1)
    cache.rate_limiter("api", 1)
    with pytest.raises(UnsupportedError, match="counts for no rate limits"):
        async with cache.opened():
            pass


def test_a_function_is_no_limiter() -> None:
    """One that makes a new limiter for each request would hold nobody up, and nobody could see that."""
    with pytest.raises(
        InvalidArgumentError, match=r"a RateLimiter, or what AppCache\.rate_limiter gives, not function"
    ):
        add_rate_limit(web.Application(), lambda: RateLimiter(1))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  - that is it
