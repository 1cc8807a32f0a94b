"""The aiohttp example, with its real server, a real client and a real database."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from aiohttp.test_utils import TestClient, TestServer

from aiocache_kit import ProviderClosedError
from aiocache_kit.integrations.aiohttp_app import CACHE
from docs.examples.aiohttp_app import make_app

if TYPE_CHECKING:
    from aiohttp import web

Client: TypeAlias = "TestClient[web.Request, web.Application]"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where the notes are."""
    return tmp_path / "notes.db"


@pytest.fixture
async def client(database: Path) -> AsyncIterator[Client]:
    """A client of the service, which listens on a port of this machine."""
    async with TestClient(TestServer(make_app(str(database)))) as made:
        yield made


async def answer(client: Client, path: str) -> Any:  # noqa: ANN401  - JSON
    """Ask for a page that is there."""
    async with client.get(path) as response:
        assert response.status == 200
        return await response.json()


async def write(client: Client, number: int, text: str) -> None:
    """Store a note by way of the service."""
    async with client.put(f"/notes/{number}", data=text) as response:
        assert response.status == 200


def write_behind_its_back(database: Path, number: int, text: str) -> None:
    """Change a note without telling the service."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE notes SET text = ? WHERE number = ?", (text, number))


async def test_note_is_read_once(client: Client, database: Path) -> None:
    """The second request is answered from the cache: it does not see what changed in the database alone."""
    await write(client, 1, "buy milk")
    first = await answer(client, "/notes/1")
    write_behind_its_back(database, 1, "buy bread")

    assert first == await answer(client, "/notes/1") == {"number": 1, "text": "buy milk"}
    assert (await answer(client, "/stats"))["loads"] == 1


async def test_written_note_is_read_anew(client: Client) -> None:
    """Whoever asks after a note was written gets the new one, and searches find it."""
    await write(client, 1, "buy milk")
    assert await answer(client, "/notes/1") == {"number": 1, "text": "buy milk"}
    assert await answer(client, "/notes?word=bread") == []

    await write(client, 1, "buy bread")

    assert await answer(client, "/notes/1") == {"number": 1, "text": "buy bread"}
    assert await answer(client, "/notes?word=bread") == [{"number": 1, "text": "buy bread"}]


async def test_missing_note_is_remembered_until_it_is_written(client: Client) -> None:
    """That there is no such note is cached as well, and is forgotten when there is one."""
    for _ in range(3):
        async with client.get("/notes/7") as response:
            assert response.status == 404
    assert (await answer(client, "/stats"))["loads"] == 1

    await write(client, 7, "here I am")

    assert await answer(client, "/notes/7") == {"number": 7, "text": "here I am"}


async def test_requests_at_once_share_a_load(client: Client) -> None:
    """Fifty clients that ask for one note at once cost fifty answers and one look into the database."""
    await write(client, 1, "popular")

    answers = await asyncio.gather(*[answer(client, "/notes/1") for _ in range(50)])

    assert answers == [{"number": 1, "text": "popular"}] * 50
    assert (await answer(client, "/stats"))["loads"] == 1


async def test_service_says_that_it_is_ready(client: Client) -> None:
    """Whoever sends requests to the service can ask first whether its cache can be used."""
    assert await answer(client, "/ready") == {"cache": "ok"}


async def test_cache_ends_with_application(database: Path) -> None:
    """When the service has ended, its cache is closed."""
    app = make_app(str(database))
    async with TestClient(TestServer(app)) as client:
        await write(client, 1, "short")
        await answer(client, "/notes/1")

    with pytest.raises(ProviderClosedError):
        await app[CACHE].get("note:1")
