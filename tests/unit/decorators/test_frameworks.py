"""Annotations are text here, as in many applications: frameworks resolve them in the module of the original."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import httpx
import pytest
from aiohttp import web
from fastapi import APIRouter, Depends, FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from aiocache_kit import InvalidArgumentError
from aiocache_kit.decorators import cached
from aiocache_kit.integrations.fastapi import check_routes
from aiocache_kit.provider import Provider
from aiocache_kit.storage.memory import memory_storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

calls: list[tuple[object, ...]] = []
state: dict[str, Provider] = {}


def provider() -> Provider:
    return state["cache"]


@pytest.fixture(autouse=True)
async def cache() -> AsyncIterator[Provider]:
    calls.clear()
    async with Provider(memory_storage(max_entries=1000)) as state["cache"]:
        yield state["cache"]


@cached(provider)
async def lang(accept: str = "en") -> str:
    calls.append(("lang", accept))
    return accept


@cached(provider, key="user:{user_id}:{lang}")
async def endpoint(user_id: int, lang: Annotated[str, Depends(lang)]) -> dict[str, object]:
    """Show a user."""
    calls.append((user_id, lang))
    return {"id": user_id, "lang": lang}


@cached(provider)
def plain(user_id: int) -> dict[str, int]:
    calls.append((user_id,))
    return {"id": user_id}


class Session:
    """Says nothing that a key could be made of."""


@cached(provider)
async def untold(session: Annotated[Session, Depends(Session)]) -> None: ...


class Controller:
    @cached(provider, exclude=["self"])
    async def show(self, user_id: int) -> dict[str, int]:
        """Show it by a method."""
        calls.append((user_id,))
        return {"method": user_id}


async def ask(app: Starlette, path: str) -> object:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text
        found: object = answer.json()
        return found


async def test_fastapi_takes_cached_functions() -> None:
    """A cached function is an endpoint and a dependency like any other: converted arguments, one call, documented."""
    app = FastAPI()
    app.get("/users/{user_id}")(endpoint)
    app.get("/plain/{user_id}")(plain)

    for _ in range(2):
        assert await ask(app, "/users/7?accept=de") == {"id": 7, "lang": "de"}
        assert await ask(app, "/plain/7") == {"id": 7}
    assert calls == [("lang", "de"), (7, "de"), (7,)]
    assert app.openapi()["paths"]["/users/{user_id}"]["get"]["description"] == "Show a user."


async def test_routes_are_checked_by_annotations_that_are_text() -> None:
    """The check at the start of an application understands what it has to look up in the module of the function."""
    app = FastAPI()
    app.get("/users/{user_id}")(endpoint)
    check_routes(app)

    app.get("/session")(untold)
    with pytest.raises(InvalidArgumentError, match=r"the parameter 'session' of \S+:untold is what a dependency gives"):
        check_routes(app)


async def test_fastapi_takes_cached_methods() -> None:
    """A method bound to its instance is an endpoint, too, without self among its parameters."""
    router = APIRouter()
    router.add_api_route("/methods/{user_id}", Controller().show)
    app = FastAPI()
    app.include_router(router)

    assert await ask(app, "/methods/7") == await ask(app, "/methods/7") == {"method": 7}
    assert calls == [(7,)]
    shown = app.openapi()["paths"]["/methods/{user_id}"]["get"]
    assert [parameter["name"] for parameter in shown["parameters"]] == ["user_id"]
    assert shown["description"] == "Show it by a method."


@cached(provider, key="{request.url.path}")
async def starlette_endpoint(request: Request) -> PlainTextResponse:
    calls.append((request.url.path,))
    return PlainTextResponse('"made"')


async def test_starlette_takes_cached_functions() -> None:
    """A route of starlette sees a function in it, not an application."""
    app = Starlette(routes=[Route("/made", starlette_endpoint)])

    assert await ask(app, "/made") == await ask(app, "/made") == "made"
    assert calls == [("/made",)]


@cached(provider, key="{request.path}", tags=("pages",))
async def body(request: web.Request) -> str:
    calls.append((request.path,))
    return f'"{request.path}"'


async def test_aiohttp_handlers_may_call_cached_functions() -> None:
    """Concurrent requests of one page to an aiohttp server share one call."""

    async def handler(request: web.Request) -> web.Response:
        return web.json_response(text=await body(request))

    app = web.Application()
    app.router.add_get("/{page}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
            answers = await asyncio.gather(*(client.get("/page") for _ in range(5)))
    finally:
        await runner.cleanup()

    assert [answer.json() for answer in answers] == ["/page"] * 5
    assert calls == [("/page",)]
