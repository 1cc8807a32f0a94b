"""A storage of one's own: items in a SQLite file, which outlives the process and may be shared by several.

    Provider(SQLiteStorage("cache.db", codec_of(Config()), max_entries=100_000))

Rule 1: SQLite is used in one thread, the storage's own. The event loop waits neither for a disk nor for a lock.
Rule 2: the look and the change of a call are one transaction, among processes as well. Who leaves in the middle finds
it done or not begun; what would take long is many transactions, and other calls come in between.
Rule 3: the number of its row is an item's version. SQLite never gives one again, whatever was removed meanwhile.
Rule 4: time is read by the wall clock, the only one that the next process has as well.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any, Final, TypeVar

from aiocache_kit import CorruptPayloadError, Item, StorageAccessError, StorageError, StorageUnavailableError
from aiocache_kit.serializers.codec import Codec, Unsealed, bytes_of
from aiocache_kit.storage.base import (
    ALWAYS,
    IF_PRESENT,
    Capabilities,
    Condition,
    SharedTags,
    Size,
    Storage,
    stale_for,
    whole_number,
)

T = TypeVar("T")

SLICE: Final = 500
"""Rows that one transaction of a long work takes."""
FORMAT: Final = 1
"""The `user_version` of a file with the tables below."""
TABLES: Final = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS items (version INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL UNIQUE,
    payload BLOB NOT NULL, fresh_until REAL NOT NULL, dead_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS items_by_death ON items (dead_at);
CREATE TABLE IF NOT EXISTS tags (tag BLOB, version INTEGER REFERENCES items ON DELETE CASCADE,
    PRIMARY KEY (tag, version)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tags_by_item ON tags (version);
CREATE TABLE IF NOT EXISTS held (items INTEGER, bytes INTEGER);
INSERT INTO held SELECT 0, 0 WHERE NOT EXISTS (SELECT * FROM held);
CREATE TRIGGER IF NOT EXISTS comes AFTER INSERT ON items BEGIN
    UPDATE held SET items = items + 1, bytes = bytes + length(NEW.key) + length(NEW.payload); END;
CREATE TRIGGER IF NOT EXISTS goes AFTER DELETE ON items BEGIN
    UPDATE held SET items = items - 1, bytes = bytes - length(OLD.key) - length(OLD.payload); END;
PRAGMA user_version = 1;
COMMIT;
"""
INSERT: Final = "INSERT OR REPLACE INTO items (key, payload, fresh_until, dead_at) VALUES (?, ?, ?, ?)"
# The plus keeps SQLite from walking over all versions where the condition has an index.
DROP: Final = "DELETE FROM items WHERE version IN (SELECT version FROM items WHERE +version <= ? AND {} LIMIT ?)"
FAILURES: Final[dict[int, tuple[type[StorageError], str]]] = {
    sqlite3.SQLITE_BUSY: (StorageUnavailableError, "another process has the database locked"),
    sqlite3.SQLITE_FULL: (StorageError, "there is no room for the database to grow"),
    sqlite3.SQLITE_CANTOPEN: (StorageError, "the database cannot be opened: its directory must be there"),
    sqlite3.SQLITE_READONLY: (StorageAccessError, "the database may not be written to"),
    sqlite3.SQLITE_PERM: (StorageAccessError, "the database may not be opened"),
    sqlite3.SQLITE_CORRUPT: (StorageError, "the database is damaged: remove it"),
    sqlite3.SQLITE_NOTADB: (StorageError, "the file is no database of SQLite"),
}
"""What SQLite's errors mean, by their codes."""


class SQLiteStorage(Storage, SharedTags):
    """Keeps items in the SQLite file at `path`; at most `max_entries`, None for any number: the oldest go first.

    Values are written by `codec`; keys and tags lie in the clear. A call waits up to `timeout` seconds for the lock of
    another process, and so do those behind it; then it raises `StorageUnavailableError`.
    """

    capabilities = Capabilities(shared=True, persistent=True, tags=True)
    name = "sqlite"

    def __init__(self, path: Path | str, codec: Codec, *, max_entries: int | None = None, timeout: float = 1.0) -> None:
        """Take note of all this; `open` looks for the file, and makes it where there is none."""
        self.tags = self
        self.capabilities = self.capabilities._replace(bounded=max_entries is not None)
        self._path, self._codec, self._max_entries, self._timeout = path, codec, max_entries, timeout
        self._worker = ThreadPoolExecutor(1, "sqlite")
        self._opened = ExitStack()
        self._closing: Future[None] | None = None
        self._evictions = self._expired = self._unread = 0

    # --- what is called, on the event loop ---------------------------------------------------------------------------

    async def open(self) -> None:
        """Open the file; raise `StorageError` where it is none of ours, `StorageAccessError` where we may not."""
        await self._do(self._open)

    async def close(self) -> None:
        """Let what was asked for be done, close the file and end the thread."""
        if self._closing is None:
            self._closing = self._worker.submit(self._opened.close)
            self._worker.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(self._closing))

    async def read(self, key: str) -> Item[object] | None:
        """Give the item under `key`."""
        return await self._do(self._read, key)

    async def read_multi(self, keys: Collection[str]) -> dict[str, Item[object]]:
        """Give the items under `keys`, on one way to the thread."""
        found = await self._do(lambda: [self._read(key) for key in keys])
        return {item.key: item for item in found if item is not None}

    async def write(self, item: Item[object], condition: Condition = ALWAYS) -> bool:
        """Store `item` if `condition` holds."""
        return await self._do(self._write, [self._laid(item)], condition)

    async def write_multi(self, items: Iterable[Item[object]]) -> None:
        """Store `items`: all of them, or none where something fails."""
        await self._do(self._write, [self._laid(item) for item in items], ALWAYS)

    async def increment(self, item: Item[int], delta: int) -> int:
        """Add `delta` to the integer under the key of `item`, in one transaction."""
        return await self._do(self._increment, item, delta)

    async def remove(self, key: str, condition: Condition = ALWAYS) -> bool:
        """Remove the item under `key` if `condition` holds; say whether it was live."""
        return await self._do(self._remove, key, condition)

    async def clear(self, prefix: str = "") -> None:
        """Remove the items whose keys begin with `prefix`."""
        await self._drop("key >= ? AND key < ?", *_range(prefix))

    async def invalidate(self, tags: Collection[str]) -> None:
        """Remove the items that have one of `tags`."""
        for tag in tags:
            await self._drop("version IN (SELECT version FROM tags WHERE tag = ?)", bytes_of(tag))

    async def tidy(self) -> None:
        """Remove what is dead."""
        self._expired += await self._drop("dead_at <= ?", self.clock.time())

    async def scan(self, prefix: str = "") -> AsyncIterator[str]:
        """Give the live keys that begin with `prefix`, in their order: so none comes twice, whatever changes."""
        query = "SELECT key FROM items WHERE key >= ? AND key < ? AND fresh_until > ? ORDER BY key LIMIT ?"
        first, end = _range(prefix)
        while found := await self._do(self._rows, query, first, end, self.clock.time(), SLICE):
            for (key,) in found:
                yield key.decode("utf-8", "surrogatepass")
            first = found[-1][0] + b"\0"  # the next key that there could be

    async def size(self) -> Size:
        """Count what lies in the file, and what this process has seen go."""
        ((items, size),) = await self._do(self._rows, "SELECT items, bytes FROM held")
        return Size(items, size, self._evictions, self._expired, self._unread)

    async def ping(self) -> None:
        """Look into the file."""
        await self._do(self._rows, "SELECT items FROM held")

    async def _drop(self, where: str, *values: object) -> int:
        """Remove the items for which `where` is true, of those that are there now; count them."""
        count = 0
        ((last,),) = await self._do(self._rows, "SELECT ifnull(max(version), 0) FROM items")
        while dropped := await self._do(self._drop_some, where, last, *values, SLICE):
            count += dropped
        return count

    async def _do(self, job: Callable[..., T], *args: object) -> T:
        """Run `job` in the thread. A caller who leaves takes it with him if it has not begun."""
        if self._closing is not None:
            raise StorageError("this storage is closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._worker, job, *args)
        except sqlite3.Error as error:
            # An extended code has the general one in its last byte; what Python itself complains of has none.
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            kind, text = FAILURES.get(code, (StorageError, "SQLite cannot do what was asked of it"))
            raise kind(text) from error

    def _laid(self, item: Item[object]) -> tuple[Item[object], Unsealed]:
        """Let the time of `item` begin, and serialize its value before anybody can change it."""
        end = None if item.ttl is None else self.clock.time() + item.ttl
        late = stale_for(item)
        item = replace(item, expiration=end, stale_until=end + late if end is not None and late else None)
        return item, self._codec.lay_out(item)

    # --- what is done, in the thread ---------------------------------------------------------------------------------

    def _open(self) -> None:
        with ExitStack() as opened:
            connection = sqlite3.connect(self._path, timeout=self._timeout, isolation_level=None)
            self._database = opened.enter_context(closing(connection))
            for setting in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "recursive_triggers=ON"):
                connection.execute(f"PRAGMA {setting}")
            if self._rows("PRAGMA user_version")[0][0] not in {0, FORMAT}:
                raise StorageError("the database was made by another version of this storage, or by another program")
            connection.executescript(TABLES)
            self._opened.push(opened.pop_all())

    @contextmanager
    def _transaction(self) -> Generator[None]:
        with self._database:  # commits, or rolls back where something is raised
            self._database.execute("BEGIN IMMEDIATE")
            yield

    def _rows(self, query: str, *values: object) -> list[Any]:
        return self._database.execute(query, values).fetchall()

    def _read(self, key: str) -> Item[object] | None:
        now = self.clock.time()
        query = "SELECT version, payload, fresh_until FROM items WHERE key = ? AND dead_at > ?"
        for version, payload, fresh_until in self._rows(query, bytes_of(key), now):
            try:
                return replace(self._codec.decode(key, payload), version=version, is_stale=fresh_until <= now)
            except CorruptPayloadError:
                self._unread += 1
        return None

    def _write(self, laid: Iterable[tuple[Item[object], Unsealed]], condition: Condition) -> bool:
        sealed = [(item, self._codec.seal(unsealed)) for item, unsealed in laid]
        with self._transaction():
            for item, payload in sealed:
                if condition != ALWAYS and not condition.holds(self._read(item.key)):
                    return False
                self._put(item, payload)
            return True

    def _increment(self, item: Item[int], delta: int) -> int:
        with self._transaction():
            found: Item[object] | None = self._read(item.key)
            if found is None or found.is_stale:
                found, total = item, item.value + delta
            else:
                total = whole_number(found.value) + delta
                left = None if found.expiration is None else found.expiration - self.clock.time()
                found = replace(found, ttl=left, validators=None)
            counted, unsealed = self._laid(replace(found, value=total))
            self._put(counted, self._codec.seal(unsealed))
            return total

    def _put(self, item: Item[object], payload: bytes) -> None:
        fresh_until = inf if item.expiration is None else item.expiration
        row = (bytes_of(item.key), payload, fresh_until, item.stale_until or fresh_until)
        version = self._database.execute(INSERT, row).lastrowid
        self._database.executemany("INSERT INTO tags VALUES (?, ?)", {(bytes_of(tag), version) for tag in item.tags})
        ((held,),) = self._rows("SELECT items FROM held")
        if self._max_entries is not None and held > self._max_entries:
            dead = self._delete("dead_at <= ?", inf, self.clock.time(), 1)
            self._expired += dead
            self._evictions += self._delete("TRUE ORDER BY version", inf, held - self._max_entries - dead)

    def _remove(self, key: str, condition: Condition) -> bool:
        with self._transaction():
            item = self._read(key)
            if not condition.holds(item):
                return False
            self._database.execute("DELETE FROM items WHERE key = ?", (bytes_of(key),))
            return IF_PRESENT.holds(item)

    def _drop_some(self, where: str, *values: object) -> int:
        with self._transaction():
            return self._delete(where, *values)

    def _delete(self, where: str, *values: object) -> int:
        return self._database.execute(DROP.format(where), values).rowcount


def _range(prefix: str) -> tuple[bytes, bytes]:
    """Give the first key that may begin with `prefix`, and one behind all that do: no text has a byte of 255."""
    return bytes_of(prefix), bytes_of(prefix) + b"\xff"
