"""FastAPI behind uvicorn, over connections: what servers and compression add is right with the cache in front."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.middleware.gzip import GZipMiddleware

from aiocache_kit import Config
from aiocache_kit.integrations.asgi import ResponseCacheMiddleware
from aiocache_kit.integrations.fastapi import AppCache
from aiocache_kit.integrations.http import ResponseCache

pytestmark = pytest.mark.blocking  # uvicorn looks at files when it starts


class Service:
    """An application that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.app = FastAPI(lifespan=(store := AppCache(Config())).lifespan)
        self.app.add_middleware(GZipMiddleware, minimum_size=10)
        self.app.add_middleware(ResponseCacheMiddleware, cache=ResponseCache(store.provider))
        self.app.get("/page")(self.page)
        self.app.get("/stream")(self.stream)

    async def page(self) -> JSONResponse:
        self.calls += 1
        return JSONResponse({"text": "x" * 2000}, headers={"Cache-Control": "max-age=60"})

    async def stream(self) -> StreamingResponse:
        self.calls += 1

        async def parts() -> AsyncIterator[bytes]:
            for number in range(200):
                yield str(number % 10).encode() * 1000
                await asyncio.sleep(0)

        return StreamingResponse(parts(), headers={"Cache-Control": "max-age=60"})


@asynccontextmanager
async def served() -> AsyncGenerator[tuple[Service, httpx.AsyncClient]]:
    """Serve one service, and give a client."""
    service = Service()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(service.app, log_level="error"))
        begun = asyncio.Event()
        startup = server.startup

        async def told(sockets: list[socket.socket] | None = None) -> None:
            await startup(sockets)
            begun.set()

        server.startup = told  # type: ignore[method-assign]  # it has no event of its own
        serving = asyncio.create_task(server.serve([listening]))
        await begun.wait()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=address) as client:
            yield service, client
        server.should_exit = True
        await serving


async def test_each_coding_has_its_response_and_its_validator() -> None:
    """With compression behind the cache a page is stored once a coding, and each is confirmed by its own validator."""
    async with served() as (service, client):
        tags: set[str] = set()
        for coding in ("gzip", "identity"):
            headers = {"Accept-Encoding": coding}
            first, second = [await client.get("/page", headers=headers) for _ in range(2)]
            head = await client.head("/page", headers=headers)
            known = await client.get("/page", headers={**headers, "If-None-Match": second.headers["etag"]})
            assert first.json() == second.json() == {"text": "x" * 2000}
            assert second.headers["cache-status"].startswith("aiocache_kit; hit")
            assert head.headers["content-length"] == second.headers["content-length"]
            assert (known.status_code, known.content) == (304, b"")
            tags.add(second.headers["etag"])

    assert len(tags) == service.calls == 2


async def test_a_client_that_hangs_up_leaves_no_half_behind() -> None:
    """Who comes after, or has waited meanwhile, gets a whole body."""
    async with served() as (service, client):
        async with client.stream("GET", "/stream") as response:
            async for _ in response.aiter_raw():
                break
        found = await asyncio.gather(*(client.get("/stream") for _ in range(5)))

    assert {len(each.content) for each in found} == {200_000}
    assert service.calls <= 3
