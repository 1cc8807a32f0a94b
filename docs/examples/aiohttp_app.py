"""Notes in SQLite, served by aiohttp, with a cache between the two.

    python docs/examples/aiohttp_app.py [FILE]      then, for instance: curl localhost:8080/notes/1

Rule 1: the cache is part of the application's context: it is opened before the first request and closed after the last.
Rule 2: SQLite blocks, so its functions are plain ones: cached, they run in a thread when they run at all.
Rule 3: a note that is written is invalidated after that, by tag: itself, and every search that might find it.
Rule 4: that there is no such note is data and is kept; that the client is told so by a 404 is an answer, and is not.
"""

import asyncio
import sqlite3
import sys
from contextlib import closing
from dataclasses import asdict, dataclass

from aiohttp import web

from aiocache_kit import Config
from aiocache_kit.integrations.aiohttp_app import AppCache, get_cache, readiness

cache = AppCache(Config(provider="memory", default_ttl="5m", max_entries=10_000))


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

    @cache.cached(key="note:{number}", tags=["note:{number}"], exclude=["self"])
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
routes = web.RouteTableDef()


@routes.get(r"/notes/{number:\d{1,18}}")
async def read(request: web.Request) -> web.Response:
    """Give one note. That there is none is known, too, and is kept like any other value: None is not a miss."""
    number = int(request.match_info["number"])
    note = await request.app[NOTES].read(number)
    if note is None:
        raise web.HTTPNotFound(text=f"there is no note {number}")
    return web.json_response(asdict(note))


@routes.get("/notes")
@cache.cached_handler("30s", key=lambda request: f"search:{request.query.get('word', '')}", tags=["searches"])
async def search(request: web.Request) -> web.Response:
    """Give the notes that contain the word of the query: a whole response that is kept."""
    found = await asyncio.to_thread(request.app[NOTES].search, request.query.get("word", ""))
    return web.json_response([asdict(note) for note in found])


@routes.put(r"/notes/{number:\d{1,18}}")
async def write(request: web.Request) -> web.Response:
    """Store a note: first where it belongs, and only then is what the cache knows of it no longer true."""
    note = Note(int(request.match_info["number"]), await request.text())
    await asyncio.to_thread(request.app[NOTES].write, note)
    await get_cache(request).invalidate_tags(f"note:{note.number}", "searches")
    return web.json_response(asdict(note))


@routes.get("/stats")
async def stats(request: web.Request) -> web.Response:
    """Give the statistics of the cache."""
    return web.json_response((await get_cache(request).stats()).as_dict())


def make_app(path: str) -> web.Application:
    """Make the application over the database at `path`."""
    app = web.Application()
    app[NOTES] = Notes(path)
    app.cleanup_ctx.append(cache.context)
    app.add_routes(routes)
    app.router.add_get("/ready", readiness(cache))
    return app


if __name__ == "__main__":
    web.run_app(make_app(sys.argv[1] if len(sys.argv) > 1 else "notes.db"), host="127.0.0.1", port=8080)
