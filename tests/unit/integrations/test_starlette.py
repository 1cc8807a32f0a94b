"""Starlette with a cache: what FastAPI's applications have of it, too, is tested there."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Host, Mount, Route, Router

from aiocache_kit import InvalidArgumentError
from aiocache_kit.integrations.starlette import AppCache, check_routes, get_cache, readiness

stored = AppCache()


@stored.cached(key="user:{number}", tags=["users"])
async def load_user(number: int) -> dict[str, int]:
    """What a handler asks for: data, which can be kept."""
    return {"id": number}


async def read_user(request: Request) -> JSONResponse:
    """Make the response of what is kept."""
    return JSONResponse(await load_user(request.path_params["number"]))


async def stats(request: Request) -> JSONResponse:
    return JSONResponse((await get_cache(request).stats()).as_dict())


async def test_application_has_its_cache() -> None:
    """The cache is there while the application runs, in handlers and below them."""
    routes = [Route("/users/{number:int}", read_user), Route("/stats", stats), Route("/ready", readiness(stored))]
    app = Starlette(routes=routes, lifespan=stored.lifespan)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client,
    ):
        answers = [(await client.get("/users/7")).json() for _ in range(3)]
        figures = (await client.get("/stats")).json()
        assert (await client.get("/ready")).json() == {"cache": "ok"}
    assert answers == [{"id": 7}] * 3
    assert (figures["loads"], figures["hits"]) == (1, 2)


async def test_cached_endpoints_are_refused_by_name() -> None:
    """An endpoint of Starlette takes a request and gives a response, neither of which can be kept: so it is told."""
    cache = AppCache()

    @cache.cached()
    async def function(request: Request) -> object: ...

    class Endpoint(HTTPEndpoint):
        @cache.cached(exclude=["self"])
        async def post(self, request: Request) -> object: ...

    class Excluded(HTTPEndpoint):
        @cache.cached(key="{request.url.path}")
        async def get(self, request: Request) -> object: ...

    routes = [
        Route("/function", function),
        Mount("/mounted", routes=[Route("/endpoint", Endpoint)]),
        Host("host", Router([Route("/excluded", Excluded)])),
        Mount("/static", app=Router()),
    ]
    with pytest.raises(InvalidArgumentError) as raised:
        check_routes(Starlette(routes=routes))
    assert [line.split(" of ")[0] for line in str(raised.value).splitlines()] == [
        "GET /function: the parameter 'request'",
        "/mounted/endpoint: the parameter 'request'",
    ]
