"""What a storage that has its directory to itself holds: over restarts, within its bounds, under faults."""

import asyncio
import errno
import os
import resource
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aiocache_kit import Item, StorageError, ValueTooLargeError
from aiocache_kit.errors import ProviderClosedError, StorageUnavailableError
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.base import if_version
from aiocache_kit.storage.file import FileStorage, file_storage
from aiocache_kit.storage.file.hand import Hand
from aiocache_kit.testing import FakeClock

pytestmark = pytest.mark.blocking  # a test of files looks at files

opened: list[str] | None = None


def listen(event: str, arguments: tuple[Any, ...]) -> None:
    """Note what is opened while somebody wants to know; a hook cannot be taken away again."""
    if opened is not None and event == "open":
        opened.append(str(arguments[0]))


sys.addaudithook(listen)


@contextmanager
def openings() -> Generator[list[str]]:
    """Give the names of files that are opened in the block."""
    global opened  # noqa: PLW0603  - as said
    names: list[str] = []
    opened = names
    try:
        yield names
    finally:
        opened = None


def made(path: Path, **options: Any) -> FileStorage:  # noqa: ANN401  - options of `file_storage`
    """Make a storage in `path`."""
    storage = file_storage(str(path), Codec(JsonSerializer()), **options)
    assert isinstance(storage, FileStorage)
    return storage


async def begun(path: Path, clock: FakeClock | None = None, **options: Any) -> FileStorage:  # noqa: ANN401  - as above
    """Open a storage in `path`."""
    storage = made(path, **options)
    if clock is not None:
        storage.clock = clock
    await storage.open()
    return storage


def item(key: str, value: object = "v", ttl: float | None = None, **more: Any) -> Item[object]:  # noqa: ANN401  - as above
    """Make an item."""
    return Item(key=key, value=value, ttl=ttl, created_at=5.0, **more)


async def value(storage: FileStorage, key: str) -> object:
    """Read a value."""
    found = await storage.read(key)
    return None if found is None else found.value


def files_in(path: Path) -> list[Path]:
    """Give the files of items."""
    return list(path.glob("??/cache-*"))


# --- restarts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("catalogue", ["there", "torn", "gone", "foreign", "stale"])
async def test_items_outlive_the_process(tmp_path: Path, catalogue: str) -> None:
    """Values, dates, tags and cost are there again, whether or not the catalogue can be believed."""
    clock = FakeClock()
    storage = await begun(tmp_path, clock)
    for number in range(50):
        await storage.write(item(f"k{number}", {"n": number}, 60.0, tags=("t", str(number)), cost=number))
    before = await storage.read("k7")
    await storage.close()
    index = tmp_path / "index"
    if catalogue == "torn":
        index.write_bytes(index.read_bytes()[:-10])
    elif catalogue == "gone":
        index.unlink()
    elif catalogue == "foreign":
        index.write_bytes(b"something else")
    elif catalogue == "stale":
        for file in files_in(tmp_path)[:10]:
            file.unlink()
    clock.leap(10.0)
    storage = await begun(tmp_path, clock)
    keys = {key async for key in storage.scan()}
    after = await storage.read("k7")
    await clock.advance(51.0)

    assert len(keys) == (40 if catalogue == "stale" else 50)
    if catalogue != "stale":
        assert after == before
    assert await storage.read("k7") is None
    await storage.close()


async def test_clean_start_opens_no_item(tmp_path: Path) -> None:
    """After a close, the next start reads the catalogue and none of the files."""
    storage = await begun(tmp_path)
    for number in range(20):
        await storage.write(item(f"k{number}"))
    await storage.close()
    with openings() as names:
        storage = await begun(tmp_path)
        assert (await storage.size()).items == 20

    assert not [name for name in names if "cache-" in name and name != "cache-witness"]
    assert await value(storage, "k3") == "v"
    await storage.close()


async def test_versions_grow_over_restarts(tmp_path: Path) -> None:
    """A version that was read in an earlier process fits its item still, and no later one."""
    storage = await begun(tmp_path)
    await storage.write(item("k", 1))
    first = await storage.read("k")
    await storage.close()
    storage = await begun(tmp_path)
    assert first is not None
    assert await storage.write(item("k", 2), if_version(first.version)) is True
    second = await storage.read("k")

    assert second is not None
    assert second.version > first.version
    assert await storage.write(item("k", 3), if_version(first.version)) is False
    await storage.close()


async def test_invalidations_outlive_the_process(tmp_path: Path) -> None:
    """What was invalidated by its tag does not come back with the next process, which needs not have tidied."""
    storage = await begun(tmp_path)
    await storage.write(item("old", tags=("t",)))
    assert storage.tags is not None
    await storage.tags.invalidate(["t"])
    await storage.write(item("new", tags=("t",)))
    await storage.close()
    (tmp_path / "index").unlink()
    storage = await begun(tmp_path)

    assert [await value(storage, key) for key in ("old", "new")] == [None, "v"]
    await storage.tidy()
    assert list((tmp_path / "tags").iterdir()) == []
    assert [await value(storage, key) for key in ("old", "new")] == [None, "v"]
    await storage.close()


# --- costs -----------------------------------------------------------------------------------------------------------


async def test_miss_opens_nothing(tmp_path: Path) -> None:
    """A key that is not there, was removed or has died costs no access to a file."""
    clock = FakeClock()
    storage = await begun(tmp_path, clock)
    await storage.write(item("dead", ttl=1.0))
    await storage.write(item("removed"))
    await storage.remove("removed")
    clock.leap(2.0)
    with openings() as names:
        assert [await storage.read(key) for key in ("never", "dead", "removed")] == [None] * 3
        assert await storage.remove("never") is False

    assert names == []
    await storage.close()


class CountedHand(Hand):
    """A thread that counts what it is given."""

    given = 0

    def give(self, loop: asyncio.AbstractEventLoop, work: Callable[[], Any], back: Callable[[Any], None]) -> None:
        """Count it, and do it."""
        self.given += 1
        super().give(loop, work, back)


async def test_reads_of_one_turn_share_a_hop(tmp_path: Path) -> None:
    """However many read at the same time, the thread is asked a few times."""
    storage = await begun(tmp_path)
    for number in range(100):
        await storage.write(item(f"k{number}", number))
    hand = storage._lane._hand = CountedHand()
    found = await asyncio.gather(*(value(storage, f"k{number}") for number in range(100)))

    assert found == list(range(100))
    assert 1 <= hand.given <= 2
    await storage.close()


# --- bounds ----------------------------------------------------------------------------------------------------------


async def test_bounds_hold_on_the_disk(tmp_path: Path) -> None:
    """There are never more files than entries allowed, or more bytes, when a write has returned."""
    storage = await begun(tmp_path, max_entries=20, max_size=8_000)
    for number in range(200):
        await storage.write(item(f"k{number}", "x" * (number * 7 % 500)))
        files = files_in(tmp_path)
        assert len(files) <= 20
        assert sum(file.stat().st_size for file in files) <= 8_000
    size = await storage.size()

    assert size.items == len(files_in(tmp_path))
    assert size.bytes == sum(file.stat().st_size for file in files_in(tmp_path))
    assert size.evictions > 100
    await storage.close()


async def test_smaller_bound_holds_after_a_restart(tmp_path: Path) -> None:
    """What was written under a larger bound is brought under the new one when it is found."""
    storage = await begun(tmp_path)
    for number in range(100):
        await storage.write(item(f"k{number}"))
    await storage.close()
    storage = await begun(tmp_path, max_entries=10)

    assert (await storage.size()).items == 10
    await storage.idle()
    assert len(files_in(tmp_path)) == 10
    await storage.close()


async def test_value_larger_than_the_bound_is_refused(tmp_path: Path) -> None:
    """It is an error, and what was there stays."""
    storage = await begun(tmp_path, max_entries=None, max_size=2_000)
    await storage.write(item("k", "old"))
    with pytest.raises(ValueTooLargeError):
        await storage.write(item("k", "x" * 3_000))

    assert await value(storage, "k") == "old"
    await storage.close()


# --- faults ----------------------------------------------------------------------------------------------------------


@contextmanager
def refusing(storage: FileStorage, method: str, number: int) -> Generator[None]:
    """Let the system refuse what `method` of the directory does."""
    directory = storage.files.directory

    def refuse(*arguments: object) -> object:
        del arguments
        raise OSError(number, os.strerror(number))

    setattr(directory, method, refuse)
    try:
        yield
    finally:
        delattr(directory, method)


FULL = [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EIO, errno.EMFILE]


@pytest.mark.parametrize("number", FULL, ids=[errno.errorcode[number] for number in FULL])
async def test_write_that_fails_leaves_the_old_value(tmp_path: Path, number: int) -> None:
    """The caller is told, the old item stays with all that belongs to it, and other keys go on."""
    storage = await begun(tmp_path)
    await storage.write(item("k", 1, 60.0, tags=("t",)))
    before = await storage.read("k")
    with refusing(storage, "replace", number):
        with pytest.raises(StorageError):
            await storage.write(item("k", 2))
        with pytest.raises(StorageError):
            await storage.increment(Item(key="k", value=0), 5)
        with pytest.raises(StorageError):
            await storage.write(item("never there", 2))
        after = await storage.read("k")

    assert before is not None
    assert after is not None
    assert (after.value, after.tags, after.ttl) == (1, ("t",), 60.0)
    assert await storage.read("never there") is None
    assert await storage.increment(Item(key="k", value=0), 5) == 6
    await storage.close()


async def test_write_that_ends_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    """Where the system takes a part of a file and no more, the old value stays and no temporary file."""
    storage = await begun(tmp_path)
    await storage.write(item("k", "old"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(StorageUnavailableError):
            await storage.write(item("k", "x" * 10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert await value(storage, "k") == "old"
    assert list((tmp_path / "aside").iterdir()) == []
    await storage.close()


async def test_removal_that_fails_is_told(tmp_path: Path) -> None:
    """What could not be removed is still there, and not forgotten by the index."""
    storage = await begun(tmp_path)
    await storage.write(item("k", 1))
    with refusing(storage, "remove", errno.EROFS), pytest.raises(StorageError):
        await storage.remove("k")

    assert await value(storage, "k") == 1
    assert await storage.remove("k") is True
    await storage.close()


async def test_read_that_the_system_refuses_is_a_miss_for_now(tmp_path: Path) -> None:
    """It is counted, other keys go on, and the item is there once the system lets it be read."""
    storage = await begun(tmp_path)
    await storage.write(item("k", 1))
    with refusing(storage, "read", errno.EACCES):
        assert await storage.read("k") is None

    assert (await storage.size()).errors == 1
    assert await value(storage, "k") == 1
    await storage.close()


async def test_eviction_that_fails_is_made_up_for(tmp_path: Path) -> None:
    """A file that could not be removed when its item was evicted goes in the janitor's next round."""
    storage = await begun(tmp_path, max_entries=1, janitor_interval=0.0)
    await storage.write(item("a"))
    with refusing(storage, "remove", errno.EACCES):
        await storage.write(item("b"))
    assert len(files_in(tmp_path)) == 2
    await storage.tidy()

    assert len(files_in(tmp_path)) == 1
    assert await value(storage, "b") == "v"
    await storage.close()


async def test_cancelled_calls_do_no_damage(tmp_path: Path) -> None:
    """Whoever is cancelled at whatever turn, index and files agree afterwards, and nothing is left half done."""
    storage = await begun(tmp_path)
    for turns in range(12):
        await storage.write(item("k", "old"))
        for call in (
            lambda: storage.write(item("k", "new")),
            lambda: storage.remove("k"),
            lambda: storage.expire("k"),
            storage.clear,
        ):
            task = asyncio.create_task(made_and_awaited(call))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        await storage.idle()
        found = await value(storage, "k")
        assert found in ("old", "new", None)
        assert len(files_in(tmp_path)) == (0 if found is None else 1)
    await storage.tidy()
    await storage.close()

    assert list((tmp_path / "aside").iterdir()) == []


async def made_and_awaited(call: Any) -> None:  # noqa: ANN401  - a call of any kind
    """Make a call within a task, which may be cancelled before it begins."""
    await call()


async def test_nothing_is_left_open(tmp_path: Path) -> None:
    """After a close there is no descriptor and no thread of ours more than before, and calls say that it is closed."""
    storage = await begun(tmp_path)
    await storage.close()
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    storage = await begun(tmp_path)
    await storage.write(item("k"))
    await storage.close()
    await storage.close()

    assert len(list(descriptors.iterdir())) == before
    with pytest.raises(ProviderClosedError):
        await storage.read("k")


async def test_storage_of_before_a_fork_is_refused(tmp_path: Path) -> None:
    """A child that goes on with the storage of its parent is told so, and writes nothing."""
    storage = await begun(tmp_path)
    await storage.write(item("k", 1))
    storage._lane._process += 1  # as if another process had opened it
    with pytest.raises(StorageError, match="before a fork"):
        await storage.write(item("k", 2))
    storage._lane._process -= 1
    await storage.close()


# --- gathering -------------------------------------------------------------------------------------------------------


async def test_gathered_writes_are_read_and_written_later(tmp_path: Path) -> None:
    """Reads see them at once, `sync` and `close` write them, each key once."""
    storage = await begun(tmp_path, gathers=True)
    for number in range(100):
        await storage.write(item("k", number))
        await storage.increment(Item(key="n", value=0), 1)
    assert [await value(storage, key) for key in ("k", "n")] == [99, 100]
    assert files_in(tmp_path) == []
    await storage.sync()
    assert len(files_in(tmp_path)) == 2
    await storage.write(item("k", "last"))
    await storage.close()
    storage = await begun(tmp_path)

    assert [await value(storage, key) for key in ("k", "n")] == ["last", 100]
    await storage.close()


async def test_gathered_writes_that_fail_are_tried_again(tmp_path: Path) -> None:
    """A `sync` that the disk refuses says so, values are still read, and the next one writes them."""
    storage = await begun(tmp_path, gathers=True)
    await storage.write(item("k", 1))
    with refusing(storage, "replace", errno.ENOSPC), pytest.raises(StorageUnavailableError):
        await storage.sync()
    assert await value(storage, "k") == 1
    await storage.sync()

    assert len(files_in(tmp_path)) == 1
    await storage.close()


async def test_removals_are_not_gathered(tmp_path: Path) -> None:
    """What was removed, or told to expire, is so on the disk when the call returns."""
    storage = await begun(tmp_path, gathers=True)
    await storage.write(item("k", 1))
    await storage.sync()
    await storage.write(item("k", 2))
    assert await storage.remove("k") is True

    assert files_in(tmp_path) == []
    await storage.sync()
    assert files_in(tmp_path) == []
    await storage.close()


async def test_with_fsync_what_is_done_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a write returns, the file was synced before it was renamed, and its directory after."""
    storage = await begun(tmp_path, fsync=True)
    await storage.write(item("warm"))
    order: list[str] = []
    fsync, rename = os.fsync, os.rename

    def synced(descriptor: int) -> None:
        order.append("directory" if Path(f"/proc/self/fd/{descriptor}").is_dir() else "file")
        fsync(descriptor)

    def renamed(*arguments: Any, **options: Any) -> None:  # noqa: ANN401  - whatever it takes
        order.append("rename")
        rename(*arguments, **options)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    await storage.write(item("warm", "again"))
    monkeypatch.undo()

    assert order == ["file", "rename", "directory"]
    await storage.close()
