"""A copy counted its ttl from the end of the writing below, and lived on when the item there was dead."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from aiocache_kit import MISSING, Provider
from aiocache_kit.storage.layered import Layer, LayeredStorage
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock, FaultyStorage

WRITES: dict[str, Callable[[Provider], Coroutine[Any, Any, object]]] = {
    "set": lambda cache: cache.set("k", "v", 10.0),
    "set_multi": lambda cache: cache.set_multi({"k": "v"}, 10.0),
}


@pytest.mark.parametrize("call", WRITES)
async def test_no_copy_outlives_what_was_written_slowly(call: str) -> None:
    """The layer below answers after six of ten seconds; five seconds later, neither it nor the copy is live."""
    clock, lowest = FakeClock(), FaultyStorage(memory_storage())
    storage = LayeredStorage([Layer(memory_storage(), "near"), Layer(lowest, "lowest")])
    async with Provider(storage, clock=clock) as cache:
        gate = lowest.hold(of=("write", "write_multi"), after=True)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(WRITES[call](cache))
            await clock.advance(6.0)
            gate.open()
        assert await cache.get("k", MISSING) == "v"

        await clock.advance(5.0)
        assert await cache.get("k", MISSING) is MISSING
