"""A method of the root that was saved before the first namespace was made reached into the namespace."""

import pytest

from aiocache_kit import MISSING, InvalidArgumentError, Provider
from aiocache_kit.storage.memory import memory_storage


async def test_saved_methods_stay_in_their_namespace() -> None:
    """Methods saved early take a key with the mark of a namespace for a key of the root, as later ones do."""
    async with Provider(memory_storage()) as cache:
        await cache.set("x", 1)
        get, set_, get_or_set, get_multi, lookup = (
            cache.get,
            cache.set,
            cache.get_or_set,
            cache.get_multi,
            cache.lookup,
        )
        view = cache.namespace("a")
        await view.set("k", "of the namespace")

        assert await get("@a:k") is None
        assert lookup("@a:k") is MISSING
        assert await get_multi(["@a:k", "x"]) == {"x": 1}
        await set_("@a:k", "of the root")
        assert await view.get("k") == "of the namespace"
        assert await get("@a:k") == "of the root"
        assert await get_or_set("x", lambda: 2) == 1


async def test_missing_is_no_value() -> None:
    """`MISSING` cannot be stored, since reading it would look like a miss."""
    async with Provider(memory_storage()) as cache:
        await cache.set("k", 1)
        for store in (cache.set, cache.add, cache.replace):
            with pytest.raises(InvalidArgumentError, match="value must not be MISSING"):
                await store("k" if store != cache.add else "new", MISSING)
        with pytest.raises(InvalidArgumentError, match="value must not be MISSING"):
            await cache.set_multi({"k": MISSING})

        assert await cache.get("k") == 1
        assert not await cache.exists("new")


@pytest.mark.parametrize("interval", [0, -1, float("nan"), float("inf"), True, "1s"])
def test_intervals_are_checked(interval: float) -> None:
    """A provider with an interval that is none cannot be made: its background task would spin or never run."""
    with pytest.raises(InvalidArgumentError, match="cleanup_interval must be a number of seconds above 0"):
        Provider(memory_storage(), cleanup_interval=interval)
