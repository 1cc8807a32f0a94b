"""A clear, or an invalidation of tags, that had to wait was told when it was called, and not when it was made up for.

Who had read the store in between had a copy again of what was cleared since, for as long as copies live.
"""

from collections.abc import Awaitable, Callable

import pytest

from aiocache_kit import Provider
from tests.unit.storage.layered.processes import two_processes

CHANGES: dict[str, Callable[[Provider], Awaitable[object]]] = {
    "invalidate_tags": lambda cache: cache.namespace("n").invalidate_tags("t"),
    "clear": lambda cache: cache.clear(),
    "clear of a namespace": lambda cache: cache.namespace("n").clear(),
    "invalidate_prefix": lambda cache: cache.namespace("n").invalidate_prefix("k"),
    "delete": lambda cache: cache.namespace("n").delete("k"),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_others_give_up_what_they_copied_meanwhile(change: str) -> None:
    """What another process copied while the change waited is gone there as soon as the change is made up for."""
    async with two_processes() as (shared, one, other):
        mine, theirs = one.cache.namespace("n"), other.cache.namespace("n")
        await mine.set("k", "old", tags=("t",))
        one.way.fail(times=None)
        await CHANGES[change](one.cache)
        await shared.clock.advance(1.0)
        assert await theirs.get("k") == await theirs.get("k") == "old"
        one.way.heal()
        await shared.clock.advance(6.0)

        assert not await one.waits()
        assert not shared.store.kept
        assert (await mine.get("k"), await theirs.get("k")) == (None, None)
