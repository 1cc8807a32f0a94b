"""Opens a directory with very many items, after a close and after a crash, and looks what that takes.

    python -m tests.fuzz.many_files 1000000

Rule 1: to open is to read no directory and no item; what lies there is found out in the background, and a read waits
for its own part of that alone.
Rule 2: after a close no item is opened at all; after a crash each once.
Rule 3: the event loop is free meanwhile: others have a turn for each part that is found out. Figures are told, and not
judged: they are the machine's.
"""

import asyncio
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from aiocache_kit import Item
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.file import FileStorage, file_storage

PORTION = 1000
DIRECTORIES = 64


class Start(NamedTuple):
    """What a start took."""

    opened: float
    """Seconds to open."""
    read: float
    """Seconds until the first item was read."""
    known: float
    """Seconds until all was known."""
    longest: float
    """Seconds for which the event loop was held at most."""


class Looked:
    """What was looked at on the disk."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self._listens = True
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._listens and event in {"open", "os.listdir", "os.scandir"}:
            is_item = event == "open" and "cache-" in str(arguments[0]) and "witness" not in str(arguments[0])
            self.seen["items" if is_item else event] += 1

    def taken(self) -> Counter[str]:
        """Give what was looked at since the last time."""
        seen, self.seen = self.seen, Counter()
        return seen

    def end(self) -> None:
        """Listen no more; a hook cannot be taken away."""
        self._listens = False


def storage_in(path: str, count: int) -> FileStorage:
    """Make a storage that holds so many."""
    storage = file_storage(path, Codec(JsonSerializer()), gathers=True, max_entries=count + 1)
    assert isinstance(storage, FileStorage)
    return storage


async def fill(path: str, count: int) -> None:
    """Write so many items, and close."""
    storage = storage_in(path, count)
    await storage.open()
    for start in range(0, count, PORTION):
        await storage.write_multi([Item(key=f"k{at}", value=at) for at in range(start, min(start + PORTION, count))])
        await storage.sync()
    await storage.close()


async def start(path: str, count: int, looked: Looked, *, opens: int) -> Start:
    """Open, read one item, and wait for all; raises `AssertionError` where a rule does not hold."""
    storage, longest, turns = storage_in(path, count), 0.0, 0

    async def tick() -> None:
        nonlocal longest, turns
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last, turns = max(longest, now - last), now, turns + 1

    looked.taken()
    begun = time.perf_counter()
    await storage.open()
    opened = time.perf_counter() - begun
    seen = looked.taken()
    assert not seen["items"], "opening read items"
    assert not seen["os.listdir"] + seen["os.scandir"], "opening read whole directories"
    ticking = asyncio.create_task(tick())
    item = await storage.read(f"k{count // 2}")
    assert item is not None
    assert item.value == count // 2
    read = time.perf_counter() - begun
    assert (await storage.size()).items == count
    known = time.perf_counter() - begun
    ticking.cancel()
    seen = looked.taken()
    assert seen["items"] == opens + 1, f"{seen['items']} items were opened"
    assert turns >= DIRECTORIES, f"others had {turns} turns"
    await storage.close()
    return Start(opened, read, known, longest)


async def run(count: int, path: str) -> dict[str, Start]:
    """Fill `path` with so many items and start twice."""
    await fill(path, count)
    folders = [len(list(each.glob("cache-*"))) for each in Path(path).glob("??")]
    assert sum(folders) == count
    assert max(folders) <= 2 * count / DIRECTORIES + 20, "the items are not spread"
    looked = Looked()
    try:
        closed = await start(path, count, looked, opens=0)
        Path(path, "index").unlink()
        return {"after a close": closed, "after a crash": await start(path, count, looked, opens=count)}
    finally:
        looked.end()


def main(count: int) -> None:
    """Tell what it takes."""
    path = tempfile.mkdtemp()
    try:
        for what, taken in asyncio.run(run(count, path)).items():
            told = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in taken._asdict().items())
            print(f"{count} items {what}: {told}")  # noqa: T201  - that is what it is for
    finally:
        shutil.rmtree(path)


if __name__ == "__main__":
    main(int(sys.argv[1]))
