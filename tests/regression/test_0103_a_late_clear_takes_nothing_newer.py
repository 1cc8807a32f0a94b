"""A clear, or an invalidation of tags, that had to wait took what was written after it, though that had succeeded."""

from collections.abc import Awaitable, Callable

import pytest

from aiocache_kit import Provider
from tests.unit.storage.layered.processes import two_processes

WIDE: dict[str, Callable[[Provider], Awaitable[object]]] = {
    "clear": lambda cache: cache.clear(),
    "invalidate_prefix": lambda cache: cache.invalidate_prefix("k"),
    "invalidate_tags": lambda cache: cache.invalidate_tags("t"),
}
WRITES: dict[str, Callable[[Provider], Awaitable[object]]] = {
    "set": lambda cache: cache.set("k", "new", tags=("t",)),
    "set_multi": lambda cache: cache.set_multi({"k": "new", "other": 1}, tags=("t",)),
    "add": lambda cache: cache.add("k", "new", tags=("t",)),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("change", WIDE)
async def test_what_is_written_afterwards_stays(change: str, write: str) -> None:
    """One call fails, as when a connection is cut; what is written after it is there at once, and stays."""
    async with two_processes(failures=3) as (shared, one, other):
        await one.cache.set("k", "old", tags=("t",))
        one.way.fail()
        await WIDE[change](one.cache)
        await WRITES[write](one.cache)
        assert await one.cache.get("k") == await shared.stored("k") == "new"
        await shared.clock.advance(2.0)

        assert not await one.waits()
        assert await one.cache.get("k") == await other.cache.get("k") == "new"


@pytest.mark.parametrize("write", ["set", "set_multi"])
async def test_what_is_written_while_the_clear_still_fails_waits_behind_it(write: str) -> None:
    """Where the clear cannot be made up for yet, nothing is written before it."""
    async with two_processes() as (shared, one, other):
        await one.cache.set("old", "old")
        one.way.fail(of=["clear"], times=None)
        await one.cache.clear()
        await shared.clock.advance(0.25)
        await (one.cache.set("k", "new") if write == "set" else one.cache.set_multi({"k": "new", "l": 1}))
        assert await shared.stored("k") is None
        assert await one.cache.get("k") == "new"
        one.way.heal()
        await shared.clock.advance(6.0)

        assert [await one.cache.get("k"), await other.cache.get("k"), await other.cache.get("old")] == [
            "new",
            "new",
            None,
        ]
