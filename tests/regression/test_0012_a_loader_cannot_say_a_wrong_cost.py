import pytest

from aiocache_kit.errors import InvalidArgumentError
from aiocache_kit.provider import LoadContext, Provider
from aiocache_kit.storage.memory import memory_storage


@pytest.mark.parametrize("cost", [-1, 1.5, True, "1", -(10**5000)], ids=["minus", "float", "bool", "text", "huge"])
async def test_a_loader_cannot_say_a_wrong_cost(cost: int) -> None:
    """A cost set by the loader is checked like one given by the caller, and a wrong one is not stored."""

    def load(context: LoadContext) -> str:
        context.cost = cost
        return "value"

    async with Provider(memory_storage(max_size=10_000)) as cache:
        with pytest.raises(InvalidArgumentError, match="cost must be None or an int from 0 up"):
            await cache.get_or_set("key", load)
        with pytest.raises(InvalidArgumentError, match="cost must be None or an int from 0 up"):
            await cache.set("key", "value", cost=cost)

        stats = await cache.stats()
        assert (stats.items, stats.size) == (0, 0)
