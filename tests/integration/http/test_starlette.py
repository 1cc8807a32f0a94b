"""The cache in front of Starlette and FastAPI: what these do after a response, and when its client leaves."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeAlias

import pytest
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from aiocache_kit import Config, Provider, new_provider
from aiocache_kit.integrations.asgi import ResponseCacheMiddleware
from aiocache_kit.integrations.http import ResponseCache
from aiocache_kit.testing import FakeClock
from tests.integration.http.doors import scope_of

App: TypeAlias = Callable[..., Any]
KEEP = {"cache-control": "max-age=3600"}


class World:
    """A cache on a clock turned by hand, and an application that is asked through it by messages."""

    def __init__(self, provider: Provider, cache: ResponseCache, clock: FakeClock) -> None:
        self.provider = provider
        self.cache = cache
        self.clock = clock
        self.app: App = Starlette()
        self.scope: dict[str, Any] = {}
        """The scope of the last request, as it stands in front of the cache."""

    async def ask(
        self, method: str = "GET", path: str = "/page", *, leaves: asyncio.Event | None = None
    ) -> tuple[int, bytes]:
        """Give status and body; the client goes away when `leaves` is set."""
        status, body = 0, b""
        asked = False

        async def receive() -> Any:  # noqa: ANN401  - ASGI's message
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await (leaves or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:  # noqa: ANN401  - as above
            nonlocal status, body
            status = message.get("status", status)
            if leaves is None or not leaves.is_set():
                body += message.get("body", b"")

        self.scope = scope_of(method, path)
        await ResponseCacheMiddleware(self.app, self.cache)(self.scope, receive, send)
        return status, body


@asynccontextmanager
async def world() -> AsyncGenerator[World]:
    """Make a world for one test."""
    clock = FakeClock()
    async with new_provider(Config(), clock=clock) as provider:
        cache = ResponseCache(provider, clock=clock)
        yield World(provider, cache, clock)
        await cache.close()


class Passing(BaseHTTPMiddleware):
    """What ``@app.middleware("http")`` makes of a function that does nothing."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Hand the request on."""
        return await call_next(request)


async def in_the_background(work: Any) -> Response:  # noqa: ANN401  - of any kind
    return PlainTextResponse("page", headers=KEEP, background=BackgroundTask(work))


@pytest.mark.parametrize("middlewares", [[], [Middleware(Passing)]], ids=["bare", "BaseHTTPMiddleware"])
async def test_nobody_waits_for_what_goes_on_after_the_response(middlewares: list[Middleware]) -> None:
    """What is of the length that was announced is stored before a background task has ended, or has failed."""
    calls, gate = 0, asyncio.Event()

    async def work() -> None:
        await gate.wait()
        raise ZeroDivisionError

    async def page(request: Request) -> Response:
        nonlocal calls
        del request
        calls += 1
        return await in_the_background(work)

    async with world() as it:
        it.app = Starlette(routes=[Route("/page", page)], middleware=middlewares)
        first = asyncio.create_task(it.ask())
        await it.clock.settle()
        assert await it.ask() == (200, b"page")
        assert not first.done()
        gate.set()
        with pytest.raises(ZeroDivisionError):
            await first
        assert await it.ask() == (200, b"page")

    assert calls == 1


async def test_a_transaction_that_is_committed_after_the_response() -> None:
    """What others have read, or were reading, between the response and the commit is forgotten with the commit."""
    rows = {"1": b"old"}
    gate = asyncio.Event()

    async def transaction() -> AsyncGenerator[dict[str, bytes]]:
        changes: dict[str, bytes] = {}
        yield changes
        if changes:
            await gate.wait()
        rows.update(changes)

    app = FastAPI()

    @app.get("/rows/{name}")
    async def read(name: str) -> Response:
        return Response(rows[name], headers=KEEP)

    @app.put("/rows/{name}")
    async def write(name: str, changes: Annotated[dict[str, bytes], Depends(transaction)]) -> Response:
        changes[name] = b"new"
        return Response()

    async with world() as it:
        it.app = app
        await it.ask(path="/rows/1")
        writing = asyncio.create_task(it.ask("PUT", "/rows/1"))
        await it.clock.settle()
        assert await it.ask(path="/rows/1") == (200, b"old")
        gate.set()
        assert await writing == (200, b"")
        assert await it.ask(path="/rows/1") == (200, b"new")


@pytest.mark.parametrize("where", ["inside", "mounted", "around"])
async def test_an_application_that_says_500_and_raises_as_well(where: str) -> None:
    """As Starlette's outermost middleware does; a stale response stands in for it, wherever the cache is."""
    fails = False

    async def page(request: Request) -> Response:
        del request
        if fails:
            raise ZeroDivisionError
        return PlainTextResponse("page", headers={"cache-control": "max-age=60, stale-if-error=3600"})

    async with world() as it:
        inner: Any = Starlette(routes=[Route("/page", page)])
        if where == "inside":
            it.app = inner
        elif where == "mounted":
            it.app = Starlette(routes=[Mount("/below", inner)])
        else:
            inner.add_middleware(Passing)
            it.app = inner
        path = "/below/page" if where == "mounted" else "/page"
        assert await it.ask(path=path) == (200, b"page")
        await it.clock.advance(61)
        fails = True
        assert await it.ask(path=path) == (200, b"page")


async def test_who_stands_in_front_sees_which_route_it_was() -> None:
    """The scope that came has what the application wrote there, and the headers that the client sent."""

    async def page(request: Request) -> Response:
        request.state.user = "ada"
        return PlainTextResponse(request.path_params["name"], headers={"cache-control": "max-age=60", "etag": '"1"'})

    async with world() as it:
        it.app = Starlette(routes=[Mount("/pages", routes=[Route("/{name}", page, methods=["GET", "POST"])])])
        for method in ("GET", "GET", "POST"):
            await it.clock.advance(61)  # so that a condition is added, and taken back
            assert await it.ask(method, "/pages/one") == (200, b"one")
            assert it.scope["endpoint"] is page
            assert it.scope["path_params"] == {"name": "one"}
            assert it.scope["state"] == {"user": "ada"}
            assert it.scope["headers"] == [(b"host", b"service.example")]


async def test_a_second_call_begins_with_the_scope_that_came() -> None:
    """A 304 that confirms nothing is asked for again, below a mount too, whose path would be taken off twice."""
    answers = [Response("one", headers={"cache-control": "max-age=60", "etag": '"1"'})]
    answers += [Response(status_code=304, headers={"etag": '"2"'}), Response("two", headers=KEEP)]

    async def page(request: Request) -> Response:
        del request
        return answers.pop(0)

    async with world() as it:
        it.app = Starlette(routes=[Mount("/below", routes=[Mount("/below", routes=[Route("/page", page)])])])
        assert await it.ask(path="/below/below/page") == (200, b"one")
        await it.clock.advance(61)
        assert await it.ask(path="/below/below/page") == (200, b"two")
        assert not answers


async def rows_until(gate: asyncio.Event) -> AsyncGenerator[bytes]:
    """Give a body in two parts, the second one when `gate` is open."""
    yield b"one "
    await gate.wait()
    yield b"two"


@pytest.mark.parametrize("announced", [False, True], ids=["in parts", "announced"])
async def test_who_waits_for_a_client_that_leaves_asks_anew(*, announced: bool) -> None:
    """Of those who waited for a body that was cut short one asks again, and all get the whole."""
    calls, gate, leaves = 0, asyncio.Event(), asyncio.Event()
    headers = {**KEEP, "content-length": "7"} if announced else KEEP

    async def page(request: Request) -> Response:
        nonlocal calls
        del request
        calls += 1
        return StreamingResponse(rows_until(gate), headers=headers)

    async with world() as it:
        it.app = Starlette(routes=[Route("/page", page)], middleware=[Middleware(Passing)])
        first = asyncio.create_task(it.ask(leaves=leaves))
        await it.clock.settle()
        waiting = [asyncio.create_task(it.ask()) for _ in range(5)]
        await it.clock.settle()
        leaves.set()
        await it.clock.settle()
        gate.set()
        await asyncio.gather(first, return_exceptions=True)
        assert [await each for each in waiting] == [(200, b"one two")] * 5
        assert await it.ask() == (200, b"one two")

    assert calls == 2
