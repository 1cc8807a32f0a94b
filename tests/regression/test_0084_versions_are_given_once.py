"""After a restart a storage with a snapshot gave versions again, and an old one let a newer value be overwritten."""

from pathlib import Path

import pytest

from aiocache_kit import Config, MemoryConfig, Provider, new_provider
from aiocache_kit.testing import FakeClock


@pytest.mark.parametrize("is_crash", [False, True])
async def test_a_version_from_before_a_restart_is_of_no_value_after_it(tmp_path: Path, is_crash: bool) -> None:  # noqa: FBT001  - a case
    """Neither where the snapshot was written at the end nor where it is an older one."""
    clock = FakeClock()
    config = Config(memory_config=MemoryConfig(snapshot_path=tmp_path / "snapshot"))

    async def version(cache: Provider) -> int:
        item = await cache.get_item("key")
        assert item is not None
        return item.version

    async with new_provider(config, clock=clock) as cache:
        await cache.set("key", "one")
        seen = await version(cache)
    if is_crash:
        (tmp_path / "snapshot").unlink()
    await clock.advance(1)

    async with new_provider(config, clock=clock) as cache:
        await cache.set("key", "two")
        assert await version(cache) > seen
        assert not await cache.compare_and_set("key", "three", seen)
        assert await cache.compare_and_set("key", "three", await version(cache))
