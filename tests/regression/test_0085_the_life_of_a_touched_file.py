"""Files of one process counted the ttl of what was touched from its first write, as long ago as that may be."""

import asyncio
from pathlib import Path

import pytest

from aiocache_kit import Config, FileConfig, Provider, new_provider
from aiocache_kit.testing import FakeClock


def files(path: Path, clock: FakeClock, *, shared: bool = False) -> Provider:
    return new_provider(Config(provider="file", file_config=FileConfig(dir=path, shared=shared)), clock=clock)


@pytest.mark.parametrize("shared", [False, True])
async def test_what_was_touched_just_now_does_not_age(tmp_path: Path, shared: bool) -> None:  # noqa: FBT001  - a case
    """The share of `refresh_ahead` begins with the touch; the instant of creation stays what it was."""
    clock, loads = FakeClock(), 0

    async def load() -> str:
        nonlocal loads
        loads += 1
        return "loaded"

    async with files(tmp_path, clock, shared=shared) as cache:
        await cache.set("key", "value", ttl=10)
        created = clock.time()
        for _ in range(10):
            await clock.advance(5)
            assert await cache.touch("key", 10)
        assert await cache.get_or_set("key", load, 10, refresh_ahead=0.8) == "value"
        await asyncio.sleep(0)
        item = await cache.get_item("key")
        assert item is not None
        assert (loads, item.ttl, item.created_at) == (0, 10.0, created)


async def test_what_was_touched_for_ever_stays_for_ever(tmp_path: Path) -> None:
    """That it was written before the machine was started anew makes no end of it."""
    async with files(tmp_path, FakeClock()) as cache:
        await cache.set("key", "value", ttl="1d")

    wall = 1_700_000_000.0 + 3600.0
    async with files(tmp_path, FakeClock(monotonic=60.0, time=wall)) as cache:
        assert await cache.touch("key", None)
        item = await cache.get_item("key")
        assert item is not None
        assert (item.ttl, item.expiration) == (None, None)

    clock = FakeClock(time=wall)
    async with files(tmp_path, clock) as cache:
        clock.leap(10 * 86400.0)
        assert await cache.get("key") == "value"
