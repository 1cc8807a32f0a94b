"""What type checkers know of the cache of whole responses."""

from typing import assert_type

from aiohttp import web
from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.middleware import Middleware

from aiocache_kit import Config, Provider
from aiocache_kit.integrations import aiohttp_response_cache
from aiocache_kit.integrations.asgi import ResponseCacheMiddleware, add_tags
from aiocache_kit.integrations.fastapi import AppCache
from aiocache_kit.integrations.http import ResponseCache, ResponseCacheOptions

store = AppCache(Config(max_entries=100))
responses = ResponseCache(store.provider, ResponseCacheOptions(default_ttl="1m", statuses={200, 404}))
app = FastAPI(lifespan=store.lifespan)
app.add_middleware(ResponseCacheMiddleware, cache=responses)
Starlette(middleware=[Middleware(ResponseCacheMiddleware, cache=responses)])


@app.get("/articles/{number}")
async def read_article(number: int, request: Request) -> int:
    """Answer, and say what the answer is of."""
    add_tags(request.scope, "articles", f"article:{number}")
    return number


async def changes(cache: Provider) -> None:
    """Responses are invalidated by what they are of."""
    assert_type(ResponseCache(cache), ResponseCache)
    assert_type(responses.provider, Provider)
    assert_type(await responses.invalidate_url("http://service/articles/7"), bool)
    await responses.invalidate_tags("articles")
    await responses.invalidate_path("/articles", below=True)
    await responses.close()

    ResponseCache(cache, ResponseCacheOptions(max_bodies=5))  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    ResponseCache("memory://")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await responses.invalidate_tags(["articles"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def by_aiohttp(request: web.Request) -> None:
    """The same, in front of aiohttp."""
    application = web.Application()
    aiohttp_response_cache.add_response_cache(application, responses)
    aiohttp_response_cache.add_tags(request, "articles")
