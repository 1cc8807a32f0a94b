"""The FastAPI example, with its real server, a real client and a real database; and how such a server ends."""

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from aiocache_kit import ProviderClosedError
from aiocache_kit.integrations.fastapi import AppCache
from docs.examples import fastapi_app

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncGenerator[tuple[httpx.AsyncClient, uvicorn.Server]]:
    """Serve an application on a free port, and give a client of it and the server."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        ended = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}") as client:
                yield client, server
        finally:
            server.should_exit = True
            await ended


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the products are."""
    monkeypatch.setenv("SHOP", str(tmp_path / "shop.db"))
    return tmp_path / "shop.db"


@pytest.fixture
async def client(database: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the shop."""
    assert not database.exists()
    async with serving(fastapi_app.app) as (made, _):
        yield made


async def answer(client: httpx.AsyncClient, path: str, customer: str = "") -> Any:  # noqa: ANN401  - JSON
    """Ask for a page that is there."""
    response = await client.get(path, headers={"customer": customer})
    assert response.status_code == 200, response.text
    return response.json()


async def write(client: httpx.AsyncClient, number: int, name: str, price: int) -> None:
    """Store a product by way of the shop."""
    response = await client.put(f"/products/{number}", json={"name": name, "price": price})
    assert response.status_code == 200


def write_behind_its_back(database: Path, name: str) -> None:
    """Change all products without telling the shop."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE products SET name = ?", (name,))


async def test_page_is_made_once(client: httpx.AsyncClient, database: Path) -> None:
    """The second request is answered from the cache: it does not see what changed in the database alone."""
    await write(client, 1, "lamp", 1000)
    first = await answer(client, "/products/1")
    write_behind_its_back(database, "candle")

    assert first == await answer(client, "/products/1") == {"name": "lamp", "price": 1000}
    assert (await answer(client, "/stats"))["loads"] == 1


async def test_written_product_is_shown_anew(client: httpx.AsyncClient) -> None:
    """Whoever asks after a product was written gets the new one, and lists hold it."""
    await write(client, 1, "lamp", 1000)
    assert await answer(client, "/products?word=lamp") == ["lamp"]
    assert (await answer(client, "/products/1"))["price"] == 1000

    await write(client, 1, "lamp", 2000)
    await write(client, 2, "lampshade", 500)

    assert (await answer(client, "/products/1"))["price"] == 2000
    assert await answer(client, "/products?word=lamp") == ["lamp", "lampshade"]


async def test_each_group_has_its_own_page(client: httpx.AsyncClient) -> None:
    """Customers of a group share a page, groups do not, and who may not come in gets none even though it is kept."""
    await write(client, 1, "lamp", 1000)
    prices = [(await answer(client, "/products/1", customer))["price"] for customer in ("", "ada", "A Ltd", "B Ltd")]

    assert prices == [1000, 1000, 900, 900]
    assert (await client.get("/products/1", headers={"customer": "banned"})).status_code == 403
    assert (await answer(client, "/stats"))["loads"] == 2


async def test_missing_product_is_looked_for_each_time(client: httpx.AsyncClient) -> None:
    """A 404 is an answer and not a page: the product is there as soon as it is written."""
    for _ in range(2):
        assert (await client.get("/products/7")).status_code == 404
    await write(client, 7, "lamp", 1000)

    assert await answer(client, "/products/7") == {"name": "lamp", "price": 1000}


async def test_requests_at_once_share_a_page(client: httpx.AsyncClient) -> None:
    """Twenty customers who ask for one page at once cost twenty answers and one look into the database."""
    await write(client, 1, "lamp", 1000)

    answers = await asyncio.gather(*[answer(client, "/products/1") for _ in range(20)])

    assert answers == [{"name": "lamp", "price": 1000}] * 20
    assert (await answer(client, "/stats"))["loads"] == 1
    assert await answer(client, "/ready") == {"cache": "ok"}


async def test_server_ends_after_its_requests_and_the_cache_after_that() -> None:
    """A request that is under way when the server is told to end is answered from an open cache, which then closes."""
    cache, entered, going_on = AppCache(), asyncio.Event(), asyncio.Event()
    app = FastAPI(lifespan=cache.lifespan)

    @app.get("/")
    @cache.cached()
    async def read() -> str:
        entered.set()
        await going_on.wait()
        await cache.provider().set("seen", value=True)
        return "answered"

    async with serving(app) as (client, server):
        asking = asyncio.create_task(client.get("/"))
        await entered.wait()
        provider = cache.provider()
        server.should_exit = True
        going_on.set()
        assert (await asking).json() == "answered"
    assert provider.closed
    with pytest.raises(ProviderClosedError):
        cache.provider()


def test_process_ends_when_it_is_told_to(database: Path) -> None:
    """SIGTERM ends the process in good order: the server, the application, the cache, and no complaint of any."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        command = [sys.executable, "-X", "dev", "-m", "uvicorn", "docs.examples.fastapi_app:app"]
        process = subprocess.Popen(
            [*command, "--fd", str(listening.fileno())],
            cwd=ROOT,
            env={**os.environ, "SHOP": str(database)},
            pass_fds=[listening.fileno()],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            # The port is open already: the request waits in it until the application has started.
            ready = httpx.get(f"http://127.0.0.1:{listening.getsockname()[1]}/ready", timeout=30)
            process.send_signal(signal.SIGTERM)
            _, told = process.communicate(timeout=30)
        finally:
            process.kill()
            process.wait()
    assert ready.json() == {"cache": "ok"}
    assert process.returncode in {0, -signal.SIGTERM}
    assert "Application shutdown complete" in told
    assert "Traceback" not in told
    assert "Warning" not in told
