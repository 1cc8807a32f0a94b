"""`close` ended the way of news before it made up for what waited, and others gave what it had changed for long."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from aiocache_kit import Provider
from tests.unit.storage.layered.processes import two_processes

CHANGES: dict[str, Callable[[Provider], Awaitable[object]]] = {
    "set": lambda cache: cache.set("k", "new"),
    "delete": lambda cache: cache.delete("k"),
    "clear": lambda cache: cache.clear(),
    "invalidate_tags": lambda cache: cache.invalidate_tags("t"),
}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("change", CHANGES)
async def test_others_hear_of_the_last_try(change: str, *, after: bool) -> None:
    """What waited until `close` and was done then is seen by another process, also where no answer came any more."""
    async with two_processes(failures=3) as (shared, one, other):
        await one.cache.set("k", "old", tags=("t",))
        one.way.fail(times=None)
        await CHANGES[change](one.cache)
        await shared.clock.settle()
        assert await other.cache.get("k") == await other.cache.get("k") == "old"
        one.way.heal()
        if after:
            one.way.fail(of=["write", "remove", "clear", "tags.invalidate"], after=True)
        await one.cache.close()
        await shared.clock.settle()

        assert await other.cache.get("k") == ("new" if change == "set" else None)


async def test_a_close_that_is_cancelled_in_its_last_try_closes_all() -> None:
    """Nothing is left running, and the store and the way of news are closed, when the last try is given up."""
    async with two_processes(failures=3) as (shared, one, _other):
        await one.cache.set("k", "old")
        one.way.fail(of=["write"])
        await one.cache.set("k", "new")
        gate = one.way.hold(of=["read_multi", "read"])
        closing = asyncio.create_task(one.cache.close())
        await gate.reached.wait()
        closing.cancel()
        await asyncio.wait([closing])

        assert closing.cancelled()
        assert one.way.calls[-1] == "close"
        await shared.clock.settle()
        assert not [task for task in asyncio.all_tasks() if "makes up" in task.get_name()]
