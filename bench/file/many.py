"""A directory of very many items, watched while it is opened, tidied and cleared."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from aiocache_kit import Item
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.file import FileStorage, file_storage
from bench.stall.ticker import watched

AT_ONCE = 1000


def storage_in(folder: Path, entries: int) -> FileStorage:
    """Make a storage for so many entries."""
    storage = file_storage(str(folder), Codec(JsonSerializer()), max_entries=2 * entries, janitor_interval=0.001)
    assert isinstance(storage, FileStorage)
    return storage


def made(number: int) -> Item[object]:
    """Make an item."""
    return Item(key=f"user:{number}", value=number, ttl=86_400.0)


async def scenarios(folder: Path, entries: int, note: Callable[[], None]) -> dict[str, dict[str, float]]:
    """Fill a directory, and give for each thing done with it what a ticker saw, in ms, and what it took, in s."""
    found: dict[str, dict[str, float]] = {}

    async def seen(name: str, act: Callable[[], Awaitable[Any]]) -> None:
        begun = perf_counter()
        async with watched() as stall:
            await act()
        took = perf_counter() - begun
        found[name] = {"late": round(stall.late, 2), "held": round(stall.held, 2), "seconds": round(took, 2)}
        note()

    storage = storage_in(folder, entries)
    await storage.open()
    for start in range(0, entries, AT_ONCE):
        await storage.write_multi(made(number) for number in range(start, start + AT_ONCE))
    await storage.close()
    storage = storage_in(folder, entries)
    await seen("open", storage.open)
    await seen("first read", lambda: storage.read("user:7"))
    await seen("all is known", storage.size)
    await seen("tidy", storage.tidy)
    await storage.close()
    (folder / "index").unlink()
    storage = storage_in(folder, entries)
    await seen("open after a crash", storage.open)
    await seen("first read after a crash", lambda: storage.read("user:7"))
    await seen("all is known after a crash", storage.size)
    await seen("clear", storage.clear)
    await storage.close()
    return found
