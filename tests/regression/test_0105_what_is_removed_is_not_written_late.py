"""What waited to be written was written over a removal that came after it, where both met below."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from aiocache_kit import Provider
from tests.unit.storage.layered.processes import two_processes

REMOVALS: dict[str, Callable[[Provider], Coroutine[Any, Any, object]]] = {
    "delete": lambda cache: cache.delete("b"),
    "delete_multi": lambda cache: cache.delete_multi(["b", "c"]),
    "expire": lambda cache: cache.expire("b"),
    "clear": lambda cache: cache.clear(),
    "invalidate_prefix": lambda cache: cache.invalidate_prefix("b"),
}


@pytest.mark.parametrize("where", ["read", "write"])
@pytest.mark.parametrize("removal", REMOVALS)
async def test_it_stays_removed(removal: str, where: str) -> None:
    """It is removed after it was looked for, or while its writing is on its way, and is gone afterwards."""
    async with two_processes(failures=9) as (shared, one, other):
        one.way.fail(of=["write"], times=2)
        await one.cache.set("a", "late")
        await one.cache.set("b", "late")
        gate = one.way.hold(of=[where], at=2, after=where == "read")
        await shared.clock.advance(0.25)
        await gate.reached.wait()
        removing = asyncio.create_task(REMOVALS[removal](one.cache))  # awaited below
        await shared.clock.settle()
        gate.open()
        await removing
        await shared.clock.advance(6.0)

        assert not await one.waits()
        assert [await one.cache.get("b"), await other.cache.get("b")] == [None, None]
