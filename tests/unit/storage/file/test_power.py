"""With `fsync`, what a call has done is there after the power was cut at any moment behind it."""

import os
from itertools import count
from pathlib import Path
from random import Random

import pytest

from aiocache_kit.item import Item
from aiocache_kit.serializers.codec import Codec
from aiocache_kit.serializers.json import JsonSerializer
from aiocache_kit.storage.base import Storage
from aiocache_kit.storage.file import file_storage
from tests.unit.storage.file.power import Disk

pytestmark = pytest.mark.blocking  # a test of files looks at files

KEYS = [f"k{number}" for number in range(6)]
TAGS = ["odd", "even"]


class Written:
    """A storage on such a disk, and what it has acknowledged."""

    def __init__(self, tmp_path: Path, disk: Disk, *, shared: bool) -> None:
        self.path = tmp_path / "items"
        self.disk = disk
        self.shared = shared
        self.true: dict[str, int] = {}
        self.storage = self.made(self.path)
        self._places = (tmp_path / f"after-{number}" for number in count())

    def made(self, path: Path) -> Storage:
        return file_storage(str(path), Codec(JsonSerializer()), fsync=True, shared=self.shared)

    async def change(self, random: Random, number: int) -> None:
        """Make one change, and note what it comes to."""
        acts = [
            self.write,
            self.many,
            self.remove,
            self.count,
            self.expire,
            self.kill,
            self.clear,
            self.restart,
            self.rest,
        ]
        (act,) = random.choices(acts, [6, 2, 3, 2, 1, 1, 1, 3, 3])
        await act(random.choice(KEYS), number)

    async def write(self, key: str, number: int) -> None:
        await self.storage.write(Item(key=key, value=number, tags=(TAGS[number % 2],)))
        self.true[key] = number

    async def many(self, key: str, number: int) -> None:
        items: list[Item[object]] = [Item(key=each, value=number) for each in KEYS if each != key]
        await self.storage.write_multi(items)
        self.true.update({item.key: number for item in items})

    async def remove(self, key: str, number: int) -> None:
        del number
        await self.storage.remove(key)
        self.true.pop(key, None)

    async def count(self, key: str, number: int) -> None:
        await self.storage.increment(Item(key=key, value=0), number)
        self.true[key] = self.true.get(key, 0) + number

    async def expire(self, key: str, number: int) -> None:
        del number
        await self.storage.expire(key)
        self.true.pop(key, None)

    async def kill(self, key: str, number: int) -> None:
        del key
        tag, tags = TAGS[number % 2], self.storage.tags
        assert tags is not None
        items = await self.storage.read_multi(KEYS)
        await tags.invalidate([tag])
        for each, item in items.items():
            if tag in item.tags:
                self.true.pop(each, None)

    async def clear(self, key: str, number: int) -> None:
        del key, number
        await self.storage.clear()
        self.true.clear()

    async def restart(self, key: str, number: int) -> None:
        del key, number
        await self.storage.close()
        self.storage = self.made(self.path)
        await self.storage.open()

    async def rest(self, key: str, number: int) -> None:
        """Let the kernel write, or the storage tidy up."""
        del key
        if number % 2:
            self.disk.write_back()
        else:
            await self.storage.tidy()

    async def is_there(self) -> None:
        """Assert that the next process, after a cut at this moment, finds what was acknowledged."""
        survivor = self.made(self.disk.after_a_cut(next(self._places)))
        await survivor.open()
        try:
            items = await survivor.read_multi(KEYS)
            found = {key: item.value for key, item in items.items() if not item.is_stale}
            assert found == self.true
            assert sorted([key async for key in survivor.scan()]) == sorted(self.true)
            await survivor.write(Item(key="new", value=1, tags=tuple(TAGS)))
            new = await survivor.read("new")
            assert new is not None  # no mark of before kills it
            assert new.version > max((item.version for item in items.values()), default=0)
        finally:
            await survivor.close()


@pytest.mark.parametrize("shared", [False, True], ids=["owner", "shared"])
@pytest.mark.parametrize("seed", range(5))
async def test_what_was_acknowledged_survives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, *, shared: bool
) -> None:
    """After each of many changes of all kinds, and over restarts, only synced bytes are kept: they are what is true."""
    random = Random(seed)  # noqa: S311  - to repeat a run
    disk = Disk(tmp_path / "items", monkeypatch)
    written = Written(tmp_path, disk, shared=shared)
    await written.storage.open()
    try:
        for number in range(30):
            await written.change(random, number)
            await written.is_there()
    finally:
        await written.storage.close()
        monkeypatch.undo()
        disk.close()


async def test_the_disk_forgets_what_was_not_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `fsync` nothing of the same is there: the disk of these tests does lose its power."""
    disk = Disk(tmp_path / "items", monkeypatch)
    storage = file_storage(str(tmp_path / "items"), Codec(JsonSerializer()))
    await storage.open()
    await storage.write(Item(key="k", value=1))
    place = disk.after_a_cut(tmp_path / "after")
    await storage.close()
    disk.close()

    assert os.listdir(place) == []  # noqa: PTH208  - as short as can be
