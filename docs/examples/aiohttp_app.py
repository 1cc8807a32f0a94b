"""Notes in SQLite, served by aiohttp, with a cache between the two.

    python docs/examples/aiohttp_app.py [FILE]      then, for instance: curl localhost:8080/notes/1

Rule 1: the cache is part of the application's context: it is opened before the first request and closed after the last.
Rule 2: SQLite blocks, so its functions are plain ones: `get_or_set` runs them in a thread when it has to load.
Rule 3: a note that is written is invalidated after that, by tag: itself, and every search that might find it.
"""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial

from aiohttp import web

from aiocache_kit import Config, Provider, new_provider


@dataclass(frozen=True, slots=True)
class Note:
    """One note."""

    number: int
    text: str


class Notes:
    """The notes in the SQLite database at `path`. Every call opens it anew, so any thread may call."""

    def __init__(self, path: str) -> None:
        """Make the table if it is not there."""
        self._path = path
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE IF NOT EXISTS notes (number INTEGER PRIMARY KEY, text TEXT NOT NULL)")

    def read(self, number: int) -> Note | None:
        """Give the note with this number, None where there is none."""
        with closing(sqlite3.connect(self._path)) as database:
            found = database.execute("SELECT number, text FROM notes WHERE number = ?", (number,)).fetchone()
        return None if found is None else Note(*found)

    def search(self, word: str) -> list[Note]:
        """Give the notes that contain a word, in order."""
        with closing(sqlite3.connect(self._path)) as database:
            rows = database.execute("SELECT number, text FROM notes WHERE instr(text, ?) ORDER BY number", (word,))
            return [Note(*row) for row in rows]

    def write(self, note: Note) -> None:
        """Store a note, replacing the one with its number."""
        with closing(sqlite3.connect(self._path)) as database, database:
            database.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (note.number, note.text))


NOTES = web.AppKey("notes", Notes)
CACHE = web.AppKey("cache", Provider)
routes = web.RouteTableDef()


@routes.get(r"/notes/{number:\d{1,18}}")
async def read(request: web.Request) -> web.Response:
    """Give one note. That there is none is an answer too, and is cached like any other: None is not a miss."""
    number = int(request.match_info["number"])
    note = await request.app[CACHE].get_or_set(
        f"note:{number}", partial(request.app[NOTES].read, number), tags=[f"note:{number}"]
    )
    if note is None:
        raise web.HTTPNotFound(text=f"there is no note {number}")
    return web.json_response(asdict(note))


@routes.get("/notes")
async def search(request: web.Request) -> web.Response:
    """Give the notes that contain the word of the query."""
    word = request.query.get("word", "")
    found = await request.app[CACHE].get_or_set(
        f"search:{word}", partial(request.app[NOTES].search, word), ttl="30s", tags=["searches"]
    )
    return web.json_response([asdict(note) for note in found])


@routes.put(r"/notes/{number:\d{1,18}}")
async def write(request: web.Request) -> web.Response:
    """Store a note: first where it belongs, and only then is what the cache knows of it no longer true."""
    note = Note(int(request.match_info["number"]), await request.text())
    await asyncio.to_thread(request.app[NOTES].write, note)
    await request.app[CACHE].invalidate_tags(f"note:{note.number}", "searches")
    return web.json_response(asdict(note))


@routes.get("/stats")
async def stats(request: web.Request) -> web.Response:
    """Give the statistics of the cache."""
    return web.json_response((await request.app[CACHE].stats()).as_dict())


async def cache_context(app: web.Application) -> AsyncIterator[None]:
    """Open the cache when the application starts, and close it when the application ends."""
    async with new_provider(Config(provider="memory", default_ttl="5m", max_entries=10_000)) as cache:
        app[CACHE] = cache
        yield


def make_app(path: str) -> web.Application:
    """Make the application over the database at `path`."""
    app = web.Application()
    app[NOTES] = Notes(path)
    app.cleanup_ctx.append(cache_context)
    app.add_routes(routes)
    return app


if __name__ == "__main__":
    web.run_app(make_app(sys.argv[1] if len(sys.argv) > 1 else "notes.db"), host="127.0.0.1", port=8080)
