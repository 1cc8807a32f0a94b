"""What waited for the lowest layer, or was to be invalidated there, was given though a tag of it was invalidated."""

from collections.abc import Collection

from aiocache_kit import Item
from aiocache_kit.storage.base import Grant, Leases
from tests.unit.storage.layered.processes import Process, Processes, Store, two_processes


class _Leases(Leases):
    """Gives what is stored by now, or a lease."""

    def __init__(self, store: Store) -> None:
        self.ttl = 10.0
        self._store = store

    async def take(self, keys: Collection[str], tags: tuple[str, ...] = (), *, anew: bool = False) -> dict[str, Grant]:
        del tags, anew
        found = await self._store.read_multi(keys)
        return {key: Grant(found[key]) if key in found else Grant(lease="mine") for key in keys}

    async def extend(self, key: str, lease: str) -> bool:
        del key, lease
        return True

    async def drop(self, key: str, lease: str) -> None:
        del key, lease


async def test_a_load_does_not_get_what_its_process_has_invalidated() -> None:
    """The invalidation waits still; who asks for the lease is not told that the old item is there."""
    shared = Processes()
    shared.store.leases = _Leases(shared.store)
    one: Process = await shared.join(failures=3)
    await shared.store.write(Item(key="k", value="old", tags=("t",)))
    await shared.store.write(Item(key="other", value="value"))
    one.way.fail(of=["tags.invalidate"])
    await one.cache.invalidate_tags("t")
    assert one.storage.leases is not None
    grants = await one.storage.leases.take(["k", "other", "none"])
    await shared.close()

    assert grants["k"].item is None
    assert grants["k"].lease
    assert grants["other"].item is not None
    assert grants["none"].lease == "mine"


async def test_what_another_process_invalidates_is_not_given_while_it_waits() -> None:
    """A write waits, and another process, which reaches the store, invalidates a tag of it."""
    async with two_processes() as (shared, one, other):
        one.way.fail(times=None)
        await one.cache.set("k", "waits", tags=("t",))
        assert await one.cache.get("k") == "waits"
        await shared.clock.advance(0.25)
        await other.cache.invalidate_tags("t")
        await shared.clock.settle()

        assert await one.cache.get("k") is None
