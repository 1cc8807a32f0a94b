"""Both contracts over the storage that the docs show, and what it says of itself beyond them."""

import asyncio
import secrets
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from aiocache_kit import (
    Config,
    Item,
    LoadConfig,
    Provider,
    RateLimitConfig,
    StorageAccessError,
    StorageError,
    StorageUnavailableError,
    UnsupportedError,
    new_provider,
)
from aiocache_kit.config.codec import codec_of
from aiocache_kit.storage.base import IF_ABSENT
from aiocache_kit.testing import FakeClock, ProviderContract, StorageContract
from aiocache_kit.testing.contract import Contract
from docs.examples.sqlite_storage import SQLiteStorage

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
MANY = 1200
"""Items of which there are more than one transaction takes."""


class Counted(SQLiteStorage):
    """Counts what it hands to its thread."""

    jobs = 0

    async def _do(self, job: Callable[..., T], *args: object) -> T:
        self.jobs += 1
        return await super()._do(job, *args)


class Placed(Contract):
    """Gives each storage a file of its own, and waits for its thread where everything is to settle."""

    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        """Take note of where files may lie."""
        self.paths = (tmp_path / f"{number}.db" for number in count())
        self.path = tmp_path
        self.made: list[Counted] = []

    def storage(self, clock: FakeClock) -> SQLiteStorage:
        """Give the storage to check."""
        self.path = next(self.paths)
        return self.again(clock)

    def again(self, clock: FakeClock) -> SQLiteStorage:
        """Give one more over the same file."""
        del clock
        return self.place_at(self.path, None)

    def bounded(self, clock: FakeClock, entries: int | None, size: int | None) -> SQLiteStorage | None:
        """Give one with a small bound; in bytes there is none."""
        del clock, size
        return None if entries is None else self.place_at(next(self.paths), entries)

    def place_at(self, path: Path, entries: int | None) -> SQLiteStorage:
        """Make a storage, and wait for it from now on as well."""
        self.made.append(Counted(path, codec_of(Config()), max_entries=entries))
        return self.made[-1]

    async def settle(self) -> None:
        """Let everything run until nothing is ready, and nothing is with the thread."""
        await self.clock.settle()
        before = -1
        while (jobs := sum(each.jobs for each in self.made)) > before:
            before = jobs
            for each in self.made:
                done: Future[Any] = each._closing or each._worker.submit(int)
                await asyncio.wrap_future(done)
            await self.clock.settle()


class TestSQLiteStorage(Placed, StorageContract):
    """The storage keeps the contract of storages."""


class TestProviderOverSQLite(Placed, ProviderContract):
    """A provider over it keeps what users may rely on."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


@asynccontextmanager
async def opened(path: Path, *, max_entries: int | None = None, timeout: float = 1.0) -> AsyncGenerator[SQLiteStorage]:
    """Open a storage, and close it at the end."""
    storage = SQLiteStorage(path, codec_of(Config()), max_entries=max_entries, timeout=timeout)
    try:
        await storage.open()
        yield storage
    finally:
        await storage.close()


def item(key: str = "k", value: object = "v", *, tags: tuple[str, ...] = ()) -> Item[object]:
    return Item(key=key, value=value, tags=tags)


async def keys(storage: SQLiteStorage) -> list[str]:
    return [key async for key in storage.scan()]


async def test_items_are_there_after_a_restart(path: Path) -> None:
    """What was written is read by the next storage, which knows its tags and gives greater versions."""
    async with opened(path) as storage:
        await storage.write(item(tags=("t",)))
        before = await storage.read("k")
        await storage.write(item("other"))
    async with opened(path) as storage:
        assert await storage.read("k") == before
        await storage.invalidate(["t"])
        assert await keys(storage) == ["other"]
        await storage.write(item())
        after = await storage.read("k")

    assert before is not None
    assert after is not None
    assert after.version > before.version + 1


async def test_two_processes_lose_no_count(path: Path) -> None:
    """Two processes that open the same file and count at the same time give each number once."""
    program = """if True:
        import asyncio, sys
        from aiocache_kit import Config, Provider
        from aiocache_kit.config.codec import codec_of
        from docs.examples.sqlite_storage import SQLiteStorage

        async def main():
            async with Provider(SQLiteStorage(sys.argv[1], codec_of(Config()), timeout=30.0)) as cache:
                print(*[await cache.increment("visits") for _ in range(100)])

        asyncio.run(main())
    """
    command = [sys.executable, "-c", program, str(path)]
    both = [await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, cwd=ROOT) for _ in range(2)]
    printed = [(await process.communicate())[0].split() for process in both]

    assert sorted(int(number) for numbers in printed for number in numbers) == list(range(1, 201))


async def test_bound_holds(path: Path) -> None:
    """There are never more items than may be: one that is dead goes first, and then what was written first."""
    async with opened(path, max_entries=3) as storage:
        storage.clock = clock = FakeClock()
        await storage.write(item("k0"))
        await storage.write(Item(key="dying", value=1, ttl=1.0))
        await storage.write(item("k1"))
        await clock.advance(2.0)
        await storage.write(item("k2"))
        assert await keys(storage) == ["k0", "k1", "k2"]
        await storage.write_multi([item("k3"), item("k4")])
        assert await keys(storage) == ["k2", "k3", "k4"]
        size = await storage.size()

    assert (size.items, size.evictions, size.expired) == (3, 2, 1)


async def test_long_works_are_many_transactions(path: Path) -> None:
    """More items than one transaction takes are scanned, tidied and cleared; the count follows."""
    async with opened(path) as storage:
        storage.clock = clock = FakeClock()
        await storage.write_multi(item(f"k{number}") for number in range(MANY))
        await storage.write_multi(Item(key=f"d{number}", value=1, ttl=1.0) for number in range(MANY))
        await clock.advance(2.0)
        assert len(await keys(storage)) == MANY
        await storage.tidy()
        tidied = await storage.size()
        await storage.clear("k")
        cleared = await storage.size()

    assert (tidied.items, tidied.expired, cleared.items, cleared.bytes) == (MANY, MANY, 0, 0)


async def test_lock_of_another_holds_only_the_thread(path: Path) -> None:
    """While another process holds the file, a write waits, reads go on elsewhere, and the event loop runs."""
    async with opened(path, timeout=30.0) as storage, opened(path) as reader:
        await storage.write(item())
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            writing = asyncio.create_task(storage.write(item(value="new")))
            found = await reader.read("k")
            assert found is not None
            assert (found.value, writing.done()) == ("v", False)
            other.execute("COMMIT")
        assert await writing is True


async def test_locked_file_is_unavailable(path: Path) -> None:
    """Who has waited long enough for the lock is told that it may be tried again, and then it is done."""
    async with opened(path, timeout=0.0) as storage:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageUnavailableError, match="locked"):
                await storage.write(item())
        assert await storage.write(item()) is True


async def test_full_disk_keeps_what_was_there(path: Path) -> None:
    """A write for which there is no room raises, the old value stays, and what fits is written."""
    async with opened(path) as storage:
        await storage.write(item())
        await storage._do(storage._rows, "PRAGMA max_page_count = 20")
        with pytest.raises(StorageError, match="no room"):
            await storage.write(item(value="x" * 1_000_000))
        found = await storage.read("k")
        assert found is not None
        assert found.value == "v"
        assert await storage.write(item("small")) is True


async def test_directory_must_be_there(tmp_path: Path) -> None:
    """A file in no directory cannot be opened, and nothing is left of the attempt."""
    with pytest.raises(StorageError, match="directory"):
        async with opened(tmp_path / "missing" / "cache.db"):
            pass


async def test_file_that_may_only_be_read(path: Path) -> None:
    """Where SQLite may not write, a write says so, and reading goes on."""
    async with opened(path) as storage:
        await storage.write(item())
        await storage._do(storage._rows, "PRAGMA query_only = ON")
        with pytest.raises(StorageAccessError):
            await storage.write(item())
        assert await storage.read("k") is not None


@pytest.mark.parametrize(("content", "says"), [(b"no database" * 1000, "no database"), (b"", "")])
async def test_file_of_something_else(path: Path, content: bytes, says: str) -> None:
    """A file that is no database is refused and stays as it is; an empty one becomes a database."""
    path.write_bytes(content)
    if not says:
        async with opened(path) as storage:
            assert await storage.write(item()) is True
        return
    with pytest.raises(StorageError, match=says):
        async with opened(path):
            pass
    assert path.read_bytes() == content


async def test_database_of_another_program(path: Path) -> None:
    """A database whose tables are not known here is refused."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 7")
    with pytest.raises(StorageError, match="another version"):
        async with opened(path):
            pass


async def test_damaged_database(path: Path) -> None:
    """Where pages of the file were overwritten, a call raises, and the close is quiet."""
    async with opened(path) as storage:
        await storage.write_multi(item(f"k{number}", "x" * 1000) for number in range(100))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StorageError, match="damaged"):
        async with opened(path) as storage:
            await storage.read("k50")


async def test_damaged_item_is_a_miss(path: Path) -> None:
    """An item that cannot be read is missing, to conditions as well, and it is counted."""
    async with opened(path) as storage:
        await storage.write(item())
        with closing(sqlite3.connect(path)) as other, other:
            other.execute("UPDATE items SET payload = x'00'")
        assert await storage.read("k") is None
        assert (await storage.size()).errors == 1
        assert await storage.write(item(), IF_ABSENT) is True


async def test_values_are_sealed(path: Path) -> None:
    """With a configuration that encrypts, no value stands in the file."""
    config = Config(encryption="aes-256-gcm", encryption_keys=[secrets.token_bytes(32)])
    async with Provider(SQLiteStorage(path, codec_of(config))) as cache:
        await cache.set("k", "a secret value")
        assert await cache.get("k") == "a secret value"

    assert b"a secret value" not in path.read_bytes()


async def test_close_leaves_nothing(path: Path) -> None:
    """A close waits for what was asked for, ends the thread and leaves one file; later calls are refused."""
    before = set(threading.enumerate())
    storage = SQLiteStorage(path, codec_of(Config()))
    await storage.open()
    (thread,) = [each for each in threading.enumerate() if each not in before and each.name.startswith("sqlite")]
    writing = asyncio.create_task(storage.write(item()))
    await asyncio.sleep(0)
    await asyncio.gather(storage.close(), storage.close())
    thread.join(10.0)

    assert await writing is True
    assert not thread.is_alive()
    assert [each.name for each in path.parent.iterdir()] == ["cache.db"]
    with pytest.raises(StorageError, match="closed"):
        await storage.ping()


async def test_a_configuration_holds_over_it(tmp_path: Path) -> None:
    """What a `Config` says of a provider and of bytes holds over this storage; what it cannot count for is refused."""
    clock = FakeClock()
    config = Config(
        provider="custom",
        default_ttl="1m",
        serialization_format="msgpack",
        load_config=LoadConfig(stale_if_error="1h", negative_ttl=5),
    )

    def fail() -> object:
        raise LookupError

    def cache() -> Provider:
        storage = SQLiteStorage(tmp_path / "items.db", codec_of(config), max_entries=config.max_entries)
        return new_provider(config, storage=storage, clock=clock)

    async with cache() as first:
        await first.set("key", b"value")
        await clock.advance(60)
        assert await first.get_or_set("key", fail) == b"value"
        with pytest.raises(LookupError):
            await first.get_or_set("other", fail)
        with pytest.raises(LookupError):
            await first.get_or_set("other", lambda: "there again")
    async with cache() as second:
        assert await second.get_or_set("key", fail) == b"value"
        assert (await second.stats()).stale_hits == 1
    limited = replace(config, rate_limit=RateLimitConfig())
    with pytest.raises(UnsupportedError, match="counts for no rate limits"):
        new_provider(limited, storage=SQLiteStorage(tmp_path / "items.db", codec_of(config)))
