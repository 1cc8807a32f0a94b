"""A clear that failed while an earlier one was being made up for was forgotten together with it."""

from collections.abc import Awaitable, Callable

import pytest

from aiocache_kit import Provider
from tests.unit.storage.layered.processes import two_processes

WIDE: dict[str, Callable[[Provider], Awaitable[object]]] = {
    "clear": lambda cache: cache.clear(),
    "tags.invalidate": lambda cache: cache.invalidate_tags("t"),
}


@pytest.mark.parametrize("call", WIDE)
async def test_it_takes_what_others_wrote_in_between(call: str) -> None:
    """The first one was done and not answered yet when another process wrote, and then the second one failed."""
    async with two_processes(failures=3) as (shared, one, other):
        one.way.fail(of=[call])
        await WIDE[call](one.cache)
        gate = one.way.hold(of=[call], after=True)
        await shared.clock.advance(0.25)
        await gate.reached.wait()
        await other.cache.set("k", "theirs", tags=("t",))
        one.way.fail(of=[call])
        await WIDE[call](one.cache)
        gate.open()
        await shared.clock.advance(6.0)

        assert not await one.waits()
        assert await shared.stored("k") is None
        assert await other.cache.get("k") is None


async def test_a_clear_that_succeeds_takes_the_place_of_those_that_wait() -> None:
    """What another process writes after it is not taken by an earlier one, which waits no more."""
    async with two_processes(failures=3) as (shared, one, other):
        for call, change in WIDE.items():
            one.way.fail(of=[call])
            await change(one.cache)
            await change(one.cache)
            await other.cache.set("k", "theirs", tags=("t",))
            await shared.clock.advance(2.0)
            assert await one.cache.get("k") == "theirs"
