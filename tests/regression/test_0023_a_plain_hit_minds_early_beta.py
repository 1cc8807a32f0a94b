"""No test noticed when plain hits in memory let chance have no say in loading ahead (`early_beta`)."""

from aiocache_kit import Provider
from aiocache_kit.storage.memory import memory_storage
from aiocache_kit.testing import FakeClock


async def test_an_eager_hit_in_memory_loads_ahead() -> None:
    """A fresh value is given at once, and what asks as eagerly as can be has it loaded anew behind that."""
    clock, loads = FakeClock(), 0

    async def load() -> int:
        nonlocal loads
        loads += 1
        return loads

    async with Provider(memory_storage(), clock=clock) as cache:
        assert await cache.get_or_set("k", load, 10) == 1
        assert await cache.get_or_set("k", load, 10, early_beta=1e12) == 1
        await clock.settle()

        assert loads == 2
        assert await cache.get_or_set("k", load, 10) == 2
        assert await cache.get_or_set("k", load, 10, early_beta=None) == 2
        assert loads == 2
