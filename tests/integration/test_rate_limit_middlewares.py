"""Rate limits in front of real servers, asked by a real client: uvicorn with an ASGI application, and aiohttp."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, TypeAlias

import aiohttp
import pytest
import uvicorn
from aiohttp import web

from aiocache_kit import RateLimiter
from aiocache_kit.integrations.aiohttp_rate_limit import add_rate_limit
from aiocache_kit.integrations.asgi_rate_limit import RateLimitMiddleware
from aiocache_kit.testing import FakeClock

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[aiohttp.ClientSession]]
POLICY = '"default";q=2;w=120'


class Application:
    """What is behind the limit: it notes who reached it, and sends its stream when it is told to."""

    def __init__(self) -> None:
        self.reached: list[str] = []
        self.go_on = asyncio.Event()
        self.lived = False

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  - ASGI's
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                self.lived = True
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.reached.append(scope["path"])
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (said := await receive())["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": said["text"]})
            return
        body = b""
        while (part := await receive()).get("more_body"):
            body += part["body"]
        body += part["body"]
        await send({"type": "http.response.start", "status": 404 if scope["path"] == "/missing" else 200})
        if scope["path"] == "/stream":
            await send({"type": "http.response.body", "body": b"first,", "more_body": True})
            await self.go_on.wait()
        await send({"type": "http.response.body", "body": body or b"last"})

    def aiohttp(self) -> web.Application:
        async def plain(request: web.Request) -> web.StreamResponse:
            self.reached.append(request.path)
            if request.path == "/missing":
                raise web.HTTPNotFound
            return web.Response(body=await request.read() or b"last")

        async def stream(request: web.Request) -> web.StreamResponse:
            self.reached.append(request.path)
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b"first,")
            await self.go_on.wait()
            await response.write(b"last")
            return response

        async def echo(request: web.Request) -> web.StreamResponse:
            self.reached.append(request.path)
            response = web.WebSocketResponse()
            await response.prepare(request)
            async for said in response:
                await response.send_str(said.data)
            return response

        app = web.Application()
        app.router.add_get("/stream", stream)
        app.router.add_get("/ws", echo)
        app.router.add_route("*", "/{path:.*}", plain)
        self.lived = True
        return app


@pytest.fixture
def application() -> Application:
    """What is behind the limit."""
    return Application()


@asynccontextmanager
async def by_uvicorn(
    application: Application,
    limiter: RateLimiter,
    **options: Any,  # noqa: ANN401  - of the middleware
) -> AsyncGenerator[aiohttp.ClientSession]:
    app = RateLimitMiddleware(application.asgi, limiter, **options)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, log_level="critical", proxy_headers=False, ws="websockets-sansio", lifespan="on")
        server = uvicorn.Server(config)
        ended = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{listening.getsockname()[1]}") as client:
                yield client
        finally:
            server.should_exit = True
            await ended


@asynccontextmanager
async def by_aiohttp(
    application: Application,
    limiter: RateLimiter,
    **options: Any,  # noqa: ANN401  - of the middleware
) -> AsyncGenerator[aiohttp.ClientSession]:
    app = application.aiohttp()
    add_rate_limit(app, limiter, **options)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        await web.SockSite(runner, listening).start()
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{listening.getsockname()[1]}") as client:
                yield client
        finally:
            await runner.cleanup()


@pytest.fixture(params=[by_uvicorn, by_aiohttp], ids=["asgi", "aiohttp"])
def serve(request: pytest.FixtureRequest, application: Application) -> Iterator[Serve]:
    """Give a function that serves the application behind a limit, and gives a client."""
    yield partial(request.param, application)
    assert application.lived


def header_of(scope: Any) -> str | None:  # noqa: ANN401  - a scope, or a request of aiohttp
    """Give the caller by a header, for both doors: None where it is not there."""
    if isinstance(scope, web.Request):
        return scope.headers.get("X-Customer")
    return next((said.decode() for name, said in scope["headers"] if name == b"x-customer"), None)


async def test_who_asks_too_often_is_told_when_to_come_back(serve: Serve, application: Application) -> None:
    """429 with Retry-After and the fields of the limit; the application hears nothing of it, and later all is well."""
    clock = FakeClock()
    async with serve(RateLimiter(2, per="2m", clock=clock)) as client:
        for left, full in ((1, 60), (0, 120)):
            async with client.get("/") as answer:
                assert (answer.status, await answer.read()) == (200, b"last")
                assert answer.headers.getall("RateLimit") == [f'"default";r={left};t={full}']
                assert answer.headers.getall("RateLimit-Policy") == [POLICY]
                assert "Retry-After" not in answer.headers
        async with client.post("/", data=b"body") as answer:
            assert answer.status == 429
            assert (await answer.json(content_type="application/problem+json"))["violated-policies"] == ["default"]
            assert answer.headers["Retry-After"] == "60"
            assert answer.headers.getall("RateLimit") == ['"default";r=0;t=120']
            assert answer.headers["Cache-Control"] == "no-store"
        async with client.head("/") as answer:
            assert (answer.status, await answer.read()) == (429, b"")
        assert application.reached == ["/", "/"]
        await clock.advance(60)
        async with client.post("/", data=b"body") as answer:
            assert (answer.status, await answer.read()) == (200, b"body")


async def test_every_response_has_the_fields(serve: Serve) -> None:
    """Errors of the application are responses like any other."""
    async with serve(RateLimiter(2, per="2m")) as client, client.get("/missing") as answer:
        assert answer.status == 404
        assert answer.headers["RateLimit-Policy"] == POLICY


async def test_streams_are_untouched(serve: Serve, application: Application) -> None:
    """The first part of a body reaches the client before the application makes the second one."""
    async with serve(RateLimiter(5)) as client, client.get("/stream") as answer:
        assert await answer.content.readexactly(6) == b"first,"
        assert "RateLimit" in answer.headers
        application.go_on.set()
        assert await answer.read() == b"last"


async def test_a_large_body_passes(serve: Serve) -> None:
    """What a client sends reaches the application part by part."""
    body = b"x" * 300_000
    async with serve(RateLimiter(5)) as client, client.post("/", data=body) as answer:
        assert await answer.read() == body


async def test_nobody_makes_himself_another_one_by_a_header(serve: Serve) -> None:
    """X-Forwarded-For counts for nothing unless its proxy is trusted, and then from its end only."""
    async with serve(RateLimiter(1, per=60)) as client:
        statuses = [await status(client, forwarded=f"203.0.113.{number}") for number in range(3)]
        assert statuses == [200, 429, 429]
    async with serve(RateLimiter(1, per=60), trusted_proxies=["127.0.0.1"]) as client:
        assert await status(client, forwarded="203.0.113.1") == 200
        assert await status(client, forwarded="203.0.113.2") == 200
        assert await status(client, forwarded="198.51.100.9, 203.0.113.1") == 429
        assert await status(client) == 200


async def status(client: aiohttp.ClientSession, path: str = "/", forwarded: str = "", customer: str = "") -> int:
    """Ask, and give the status."""
    said = {"X-Forwarded-For": forwarded, "X-Customer": customer}
    async with client.get(path, headers={name: each for name, each in said.items() if each}) as answer:
        return answer.status


async def test_a_key_of_ones_own_says_who_is_limited(serve: Serve, application: Application) -> None:
    """Callers are what the function says; None is not limited, and gets no fields."""
    async with serve(RateLimiter(1, per=60), key=header_of, name="customers") as client:
        assert [await status(client, customer=name) for name in ("ann", "ann", "bob")] == [200, 429, 200]
        assert [await status(client) for _ in range(3)] == [200] * 3
        async with client.get("/") as answer:
            assert "RateLimit" not in answer.headers
        async with client.get("/", headers={"X-Customer": "cem"}) as answer:
            assert answer.headers["RateLimit-Policy"] == '"customers";q=1;w=60'
    assert len(application.reached) == 7


async def test_a_thousand_requests_at_once(serve: Serve, application: Application) -> None:
    """Whoever comes together shares the limit: as many as it has pass, and no more."""
    async with serve(RateLimiter(30, per=3600)) as client:
        statuses = await asyncio.gather(*(status(client) for _ in range(300)))
    assert sorted(statuses) == [200] * 30 + [429] * 270
    assert len(application.reached) == 30


async def test_a_websocket_takes_one_token_when_it_is_opened(serve: Serve, application: Application) -> None:
    """Its messages take none; one that is refused is not opened, and the client sees status 429."""
    async with serve(RateLimiter(1, per=60)) as client:
        async with client.ws_connect("/ws") as socket:
            for said in ("a", "b", "c"):
                await socket.send_str(said)
                assert await socket.receive_str() == said
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect("/ws")
        assert refused.value.status == 429
        assert refused.value.headers is not None
        assert 0 < int(refused.value.headers["Retry-After"]) <= 60
    assert application.reached == ["/ws"]


async def test_a_server_that_cannot_refuse_in_words_closes(application: Application) -> None:
    """Where the server has no way to answer a websocket with a status, it is closed before it is accepted."""
    app = RateLimitMiddleware(application.asgi, RateLimiter(1, per=60), key=lambda _: "x")
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"} if not sent else {"type": "websocket.disconnect"}

    async def send(message: Any) -> None:  # noqa: ANN401  - ASGI's
        sent.append(message)

    for _ in range(2):
        await app({"type": "websocket", "path": "/ws", "headers": []}, receive, send)
    accepted, closed = sent
    assert accepted["type"] == "websocket.accept"
    assert dict(accepted["headers"])[b"ratelimit-policy"] == b'"default";q=1;w=60'
    assert closed == {"type": "websocket.close", "code": 1013}


async def test_two_limits_are_told_of_side_by_side(application: Application) -> None:
    """A limit a second and one a day, for instance, both take a token, and clients hear of both."""
    app = application.aiohttp()
    add_rate_limit(app, RateLimiter(5, per=60), name="day")
    inner = RateLimitMiddleware(application.asgi, RateLimiter(5, per=60), name="day", key=lambda _: "x")
    async with by_uvicorn(application, RateLimiter(2, per=60), name="second") as client, client.get("/") as answer:
        assert answer.headers.getall("RateLimit-Policy") == ['"second";q=2;w=60']
    application.asgi = inner  # type: ignore[method-assign]  # with a limit of its own
    async with by_uvicorn(application, RateLimiter(2, per=60), name="second") as client, client.get("/") as answer:
        assert answer.headers.getall("RateLimit-Policy") == ['"day";q=5;w=60', '"second";q=2;w=60']
    application.aiohttp = lambda: app  # type: ignore[method-assign]  # as above
    async with by_aiohttp(application, RateLimiter(2, per=60), name="second") as client, client.get("/") as answer:
        assert answer.headers.getall("RateLimit-Policy") == ['"second";q=2;w=60', '"day";q=5;w=60']
