"""Who read a file whose dates were to be written met the value that was set after him, and took it for damaged."""

import asyncio
from pathlib import Path

import pytest

from aiocache_kit import Config, FileConfig, Provider, new_provider


def files(path: Path, *, sync_interval: float = 0.0, max_entries: int = 100) -> Provider:
    return new_provider(
        Config(provider="file", file_config=FileConfig(dir=path), sync_interval=sync_interval, max_entries=max_entries)
    )


@pytest.mark.parametrize("before", [1, 3])  # where one is the only one in line, the next one has not to wait
async def test_what_is_there_is_found_between_a_touch_and_a_set(tmp_path: Path, before: int) -> None:
    """A key that always had a value is no miss, whoever touches it before a read and writes it after that."""
    async with files(tmp_path) as cache:
        await cache.set("key", "old")
        await asyncio.gather(*(cache.set(f"other {number}", 1) for number in range(before)))
        touched, read, _ = await asyncio.gather(cache.touch("key", 100), cache.get("key"), cache.set("key", "new"))

        assert touched
        assert read in {"old", "new"}
        assert await cache.get("key") == "new"
        assert (await cache.stats()).errors == 0


async def test_an_update_between_a_touch_and_a_set_finds_its_key(tmp_path: Path) -> None:
    """An update of a key that always had a value does not say that there is none."""
    async with files(tmp_path) as cache:
        await cache.set("key", "old")
        await asyncio.gather(*(cache.set(f"other {number}", 1) for number in range(3)))
        await asyncio.gather(
            cache.touch("key", 100), cache.update("key", lambda value: f"{value}!"), cache.set("key", "new")
        )

        assert await cache.get("key") in {"new", "new!"}


async def test_what_was_evicted_and_came_back_stays(tmp_path: Path) -> None:
    """Writing out what was gathered does not remove the file of a key that was evicted, set and expired since."""
    async with files(tmp_path, sync_interval=3600.0, max_entries=2) as cache:
        await cache.set("key", "old")
        await cache.set_multi({"other 1": 1, "other 2": 2, "other 3": 3})
        assert not await cache.exists("key")
        await cache.set("key", "new", 100)
        await cache.expire("key")

    async with files(tmp_path) as cache:
        assert await cache.get("key") is None

        async def fail() -> str:
            raise ConnectionError

        assert await cache.get_or_set("key", fail, stale_if_error=None) == "new"
